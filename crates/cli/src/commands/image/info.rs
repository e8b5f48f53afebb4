//! `lxc image info`.

use crate::args::Format;
use crate::output::{self, dates, object, sizes};
use crate::session::Session;
use api::Time;
use api::images::Image;
use std::fmt::{self, Write as _};

pub(crate) async fn run(session: &Session, image: &str, format: Option<Format>) -> anyhow::Result<()> {
    let image = super::found(session, image).await?;
    if let Some(format) = format {
        return object::show(format, &image);
    }
    let mut text = String::new();
    describe(&mut text, &image)?;
    Ok(output::print(&text)?)
}

fn describe(out: &mut String, image: &Image) -> fmt::Result {
    let yes_no = |value| if value { "yes" } else { "no" };
    let or_never = |time: Time| if time.is_set() { dates::short(time) } else { "never".to_owned() };
    writeln!(out, "Fingerprint: {}", image.fingerprint)?;
    writeln!(out, "Size: {}", sizes::megabytes(image.size))?;
    writeln!(out, "Architecture: {}", image.architecture)?;
    writeln!(out, "Public: {}", yes_no(image.public))?;
    writeln!(out, "Timestamps:")?;
    if image.created_at.is_set() {
        writeln!(out, "    Created: {}", dates::short(image.created_at))?;
    }
    writeln!(out, "    Uploaded: {}", dates::short(image.uploaded_at))?;
    writeln!(out, "    Expires: {}", or_never(image.expires_at))?;
    writeln!(out, "    Last used: {}", or_never(image.last_used_at))?;
    writeln!(out, "Properties:")?;
    for (key, value) in &image.properties {
        writeln!(out, "    {key}: {value}")?;
    }
    writeln!(out, "Aliases:")?;
    for alias in &image.aliases {
        if alias.description.is_empty() {
            writeln!(out, "    - {}", alias.name)?;
        } else {
            writeln!(out, "    - {} ({})", alias.name, alias.description)?;
        }
    }
    writeln!(out, "Cached: {}", yes_no(image.cached))?;
    writeln!(out, "Auto update: {}", if image.auto_update { "enabled" } else { "disabled" })?;
    if let Some(source) = &image.update_source {
        writeln!(out, "Source:")?;
        writeln!(out, "    Server: {}", source.server)?;
        writeln!(out, "    Protocol: {}", source.protocol)?;
        writeln!(out, "    Alias: {}", source.alias)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_has_its_line() {
        let image: Image = serde_json::from_value(serde_json::json!({
            "fingerprint": "e8a3", "size": 146_203_566, "architecture": "i686", "auto_update": true,
            "created_at": "2016-03-15T00:00:00Z", "uploaded_at": "2016-03-16T05:50:00Z",
            "properties": {"os": "ubuntu"}, "aliases": [{"name": "ubuntu"}],
            "update_source": {"server": "https://x", "protocol": "simplestreams", "alias": "precise/i386"}
        }))
        .unwrap();
        let mut text = String::new();
        describe(&mut text, &image).unwrap();
        assert_eq!(
            text,
            "Fingerprint: e8a3\nSize: 139.43MB\nArchitecture: i686\nPublic: no\nTimestamps:\n    \
             Created: 2016/03/15 00:00 UTC\n    Uploaded: 2016/03/16 05:50 UTC\n    Expires: never\n    \
             Last used: never\nProperties:\n    os: ubuntu\nAliases:\n    - ubuntu\nCached: no\n\
             Auto update: enabled\nSource:\n    Server: https://x\n    Protocol: simplestreams\n    \
             Alias: precise/i386\n"
        );
    }
}
