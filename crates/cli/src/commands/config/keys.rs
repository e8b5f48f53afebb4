//! `lxc config keys`.

use crate::args::FormatArg;
use crate::output::listing;
use crate::session::Session;
use anyhow::ensure;
use api::metadata::Key;
use serde::Serialize;

/// One line of the list.
#[derive(Serialize)]
struct Row<'a> {
    of: &'a str,
    key: &'a str,
    #[serde(flatten)]
    about: &'a Key,
}

pub(crate) async fn run(session: &Session, pattern: &str, format: FormatArg) -> anyhow::Result<()> {
    let target = session.target(pattern)?;
    let all = session.client(&target.remote)?.configuration().await?;
    let rows: Vec<Row<'_>> = all
        .rows()
        .map(|(entity, key, about)| Row { of: owner(entity), key, about })
        .filter(|row| row.key.contains(&target.name) || row.of == target.name)
        .collect();
    ensure!(
        !rows.is_empty(),
        "There is no key with \"{}\" in it; \"lxc config keys\" lists all",
        target.name
    );
    let cells = rows.iter().map(|row| {
        vec![
            row.of.to_owned(),
            row.key.to_owned(),
            row.about.shortdesc.clone(),
            row.about.longdesc.clone(),
            if row.about.required.is_empty() { row.about.defaultdesc.clone() } else { "(needed)".to_owned() },
            row.about.liveupdate.clone(),
        ]
    });
    let headers = ["OF", "KEY", "WHAT IT IS", "VALUES", "DEFAULT", "LIVE"];
    listing::show(format.format, &headers, cells.collect(), &rows)
}

/// What a key belongs to, in the words of `lxc`.
fn owner(entity: &str) -> &str {
    match entity {
        "instance" => "container",
        other => other.strip_prefix("device-").unwrap_or(other),
    }
}
