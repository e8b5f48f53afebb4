//! `lxc remote list`.

use crate::args::Format;
use crate::output::listing;
use crate::session::Session;

pub(crate) fn run(session: &Session, format: Format) -> anyhow::Result<()> {
    let settings = &session.settings;
    let rows = settings.remotes.iter().map(|(name, remote)| {
        let protocol = if remote.protocol.is_empty() { "lxd" } else { &remote.protocol };
        let auth = match (remote.auth_type.as_str(), remote.addr.starts_with("https:"), protocol) {
            ("", true, "lxd") if !remote.public => "tls",
            (auth, _, _) => auth,
        };
        let marked = if *name == settings.default_remote { " (default)" } else { "" };
        vec![
            format!("{name}{marked}"),
            remote.addr.clone(),
            protocol.to_owned(),
            auth.to_owned(),
            listing::yes_no(remote.public),
            listing::yes_no(remote.fixed),
        ]
    });
    let headers = ["NAME", "URL", "PROTOCOL", "AUTH TYPE", "PUBLIC", "STATIC"];
    listing::show(format, &headers, rows.collect(), &settings.remotes)
}
