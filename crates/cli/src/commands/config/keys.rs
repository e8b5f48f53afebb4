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
    of: String,
    key: &'a str,
    #[serde(flatten)]
    about: &'a Key,
}

pub(crate) async fn run(session: &Session, pattern: &str, format: FormatArg) -> anyhow::Result<()> {
    let target = session.target(pattern)?;
    let all = session.client(&target.remote)?.configuration().await?;
    let of = |(entity, group, key, about)| Row { of: owner(entity, group), key, about };
    let fits = |row: &Row<'_>| row.key.contains(&target.name) || row.of == target.name;
    let rows: Vec<Row<'_>> = all.grouped_rows().map(of).filter(fits).collect();
    ensure!(
        !rows.is_empty(),
        "There is no key with \"{}\" in it; \"lxc config keys\" lists all",
        target.name
    );
    let cells = rows.iter().map(|row| {
        vec![
            row.of.clone(),
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

/// What a key belongs to, in the words of `lxc`: `container`, `nic`, `pool-lvm`, `volume-lvm`.
fn owner(entity: &str, group: &str) -> String {
    match (entity, entity.strip_prefix("storage-")) {
        ("instance", _) => "container".to_owned(),
        (_, Some(driver)) => format!("{}-{driver}", group.trim_end_matches("-conf")),
        _ => entity.strip_prefix("device-").unwrap_or(entity).to_owned(),
    }
}
