//! `lxc image list`.

use super::filters::Filter;
use crate::args::ImageListArgs;
use crate::output::{dates, listing, sizes};
use crate::session::Session;
use anyhow::Context as _;
use api::images::Image;

/// Letter, header and cell.
type Column = (char, &'static str, fn(&Image) -> String);

const COLUMNS: &[Column] = &[
    ('l', "ALIAS", shortest_alias),
    ('L', "ALIASES", |i| i.aliases.iter().map(|alias| alias.name.as_str()).collect::<Vec<_>>().join("\n")),
    ('f', "FINGERPRINT", |i| short(&i.fingerprint)),
    ('F', "FINGERPRINT", |i| i.fingerprint.clone()),
    ('p', "PUBLIC", |i| if i.public { "yes" } else { "no" }.to_owned()),
    ('d', "DESCRIPTION", |i| i.properties.get("description").cloned().unwrap_or_default()),
    ('a', "ARCH", |i| i.architecture.clone()),
    ('s', "SIZE", |i| sizes::megabytes(i.size)),
    ('t', "TYPE", |i| if i.kind.is_empty() { "CONTAINER".to_owned() } else { i.kind.to_uppercase() }),
    ('u', "UPLOAD DATE", |i| dates::long(i.uploaded_at)),
];

pub(crate) async fn run(session: &Session, args: &ImageListArgs) -> anyhow::Result<()> {
    let letters = args.columns.chars().filter(|&letter| letter != ',');
    let columns: Vec<&Column> = letters
        .map(|letter| {
            let found = COLUMNS.iter().find(|column| column.0 == letter);
            found.with_context(|| format!("Unknown column '{letter}'; see lxc image list --help"))
        })
        .collect::<anyhow::Result<_>>()?;
    let (remote, filters) = split_remote(session, &args.filters)?;
    let mut images = match session.image_server(&remote)? {
        Some(server) => super::told(&remote, server.images().await?),
        None => session.client(&remote)?.images().await?,
    };
    let filters: Vec<_> = filters.iter().map(|text| Filter::new(text)).collect();
    images.retain(|image| filters.iter().all(|filter| filter.matches(image)));
    let rows = images.iter().map(|image| columns.iter().map(|column| column.2(image)).collect());
    let headers: Vec<_> = columns.iter().map(|column| column.1).collect();
    listing::show(args.format.format, &headers, rows.collect(), &images)
}

/// The first argument may be `remote:` or `remote:filter`.
pub(super) fn split_remote(session: &Session, args: &[String]) -> anyhow::Result<(String, Vec<String>)> {
    let mut filters = args.to_vec();
    let mut remote = session.settings.default_remote.clone();
    if let Some(first) = filters.first().filter(|first| first.contains(':') && !first.contains('=')) {
        let target = session.target(first)?;
        remote = target.remote;
        filters[0] = target.name;
        filters.retain(|filter| !filter.is_empty());
    }
    Ok((remote, filters))
}

/// The first twelve digits of a fingerprint.
pub(super) fn short(fingerprint: &str) -> String {
    fingerprint.chars().take(12).collect()
}

fn shortest_alias(image: &Image) -> String {
    let Some(shortest) = image.aliases.iter().map(|alias| alias.name.as_str()).min_by_key(|name| name.len())
    else {
        return String::new();
    };
    match image.aliases.len() - 1 {
        0 => shortest.to_owned(),
        more => format!("{shortest} ({more} more)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> Image {
        serde_json::from_value(serde_json::json!({
            "fingerprint": "d3703a994910aaaa", "properties": {"os": "Ubuntu", "release": "wily"},
            "aliases": [{"name": "wily"}, {"name": "w"}, {"name": "15.10"}]
        }))
        .unwrap()
    }

    #[test]
    fn aliases_and_fingerprints_are_shortened() {
        assert_eq!(shortest_alias(&image()), "w (2 more)");
        assert_eq!(short(&image().fingerprint), "d3703a994910");
    }
}
