//! `lxc storage volume list`.

use super::info::told;
use crate::args::VolumeListArgs;
use crate::commands::list::{Pattern, abbreviates};
use crate::output::{listing, sizes};
use crate::session::Session;
use anyhow::{bail, ensure};
use api::storage::{Volume, VolumeState};
use client::{Client, VolumePlace};
use futures_util::future::try_join_all;
use serde::Serialize;

/// Columns when none are chosen.
const DEFAULT: &str = "tndu";
/// Columns for all pools.
const DEFAULT_ALL: &str = "ptndu";

/// A volume as it is listed.
#[derive(Serialize)]
struct Listed {
    pool: String,
    #[serde(flatten)]
    volume: Volume,
    /// Asked for only when it is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<VolumeState>,
}

/// One column.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Column {
    ContentType,
    Description,
    Key(String),
    Kind,
    Location,
    Name,
    Pool,
    UsedBy,
    Usage,
}

pub(super) async fn run(session: &Session, args: &VolumeListArgs) -> anyhow::Result<()> {
    // No pool has `=` in its name: what has it is a filter already.
    let (pool, first) = match args.pool.as_deref() {
        Some(filter) if filter.contains('=') => ("", Some(filter)),
        pool => (pool.unwrap_or_default(), None),
    };
    let filters: Vec<&str> = first.into_iter().chain(args.filters.iter().map(String::as_str)).collect();
    let target = session.target(pool)?;
    let client = session.client(&target.remote)?;
    let all = target.name.is_empty();
    let chosen = args.columns.as_deref().unwrap_or(if all { DEFAULT_ALL } else { DEFAULT });
    let columns = columns(chosen)?;
    let pools = match all {
        true => client.pools().await?.into_iter().map(|pool| pool.name).collect(),
        false => vec![target.name],
    };
    let listed = try_join_all(pools.iter().map(|pool| volumes(&client, pool))).await?;
    let mut listed: Vec<Listed> = listed.into_iter().flatten().collect();
    listed.retain(|volume| filters.iter().all(|filter| fits(filter, volume)));
    let key = |listed: &Listed| (listed.pool.clone(), listed.volume.kind.clone(), listed.volume.name.clone());
    listed.sort_by_key(key);
    if columns.contains(&Column::Usage) {
        // One after the other: a pool can have thousands.
        for volume in &mut listed {
            volume.state = state(&client, volume).await?;
        }
    }
    let headers: Vec<String> = columns.iter().map(Column::header).collect();
    let rows = listed.iter().map(|volume| columns.iter().map(|column| column.value(volume)).collect());
    listing::show(args.format.format, &headers, rows.collect(), &listed)
}

async fn volumes(client: &Client, pool: &str) -> Result<Vec<Listed>, client::Error> {
    let listed = |volume| Listed { pool: pool.to_owned(), volume, state: None };
    Ok(client.volumes(pool).await?.into_iter().map(listed).collect())
}

async fn state(client: &Client, listed: &Listed) -> Result<Option<VolumeState>, client::Error> {
    if listed.is_snapshot() {
        return Ok(None);
    }
    let Listed { pool, volume, .. } = listed;
    told(client.volume_state(VolumePlace { pool, kind: &volume.kind, name: &volume.name }).await)
}

impl Listed {
    fn is_snapshot(&self) -> bool {
        self.volume.name.contains('/')
    }
}

/// Reads letters, and keys between commas.
fn columns(text: &str) -> anyhow::Result<Vec<Column>> {
    let mut columns = Vec::new();
    for group in text.split(',') {
        ensure!(!group.is_empty(), "Empty column entry (redundant, leading or trailing comma) in \"{text}\"");
        if group.contains('.') || group == "size" {
            columns.push(Column::Key(group.to_owned()));
            continue;
        }
        for letter in group.chars() {
            columns.push(match letter {
                'c' => Column::ContentType,
                'd' => Column::Description,
                'L' => Column::Location,
                'n' => Column::Name,
                'p' => Column::Pool,
                't' => Column::Kind,
                'u' => Column::UsedBy,
                'U' => Column::Usage,
                other => bail!("Unknown column shorthand char '{other}' in \"{group}\""),
            });
        }
    }
    Ok(columns)
}

impl Column {
    fn header(&self) -> String {
        match self {
            Self::ContentType => "CONTENT-TYPE",
            Self::Description => "DESCRIPTION",
            Self::Key(key) => return key.to_uppercase(),
            Self::Kind => "TYPE",
            Self::Location => "LOCATION",
            Self::Name => "NAME",
            Self::Pool => "POOL",
            Self::UsedBy => "USED BY",
            Self::Usage => "USAGE",
        }
        .to_owned()
    }

    fn value(&self, listed: &Listed) -> String {
        let volume = &listed.volume;
        match self {
            Self::ContentType => volume.content_type.clone(),
            Self::Description => volume.description.clone(),
            Self::Key(key) => volume.config.get(key).cloned().unwrap_or_default(),
            Self::Kind if listed.is_snapshot() => format!("{} (snapshot)", volume.kind),
            Self::Kind => volume.kind.clone(),
            Self::Location => volume.location.clone(),
            Self::Name => volume.name.clone(),
            Self::Pool => listed.pool.clone(),
            Self::UsedBy => volume.used_by.len().to_string(),
            Self::Usage => {
                let usage = listed.state.as_ref().and_then(|state| state.usage);
                usage.map_or_else(String::new, |usage| sizes::unsigned(usage.used))
            }
        }
    }
}

/// Whether a volume is one of those that a filter wants.
fn fits(filter: &str, listed: &Listed) -> bool {
    let volume = &listed.volume;
    let Some((key, value)) = filter.split_once('=') else { return volume.name.contains(filter) };
    let pattern = Pattern::new(value);
    match key {
        "name" => pattern.matches(&volume.name),
        "type" => pattern.matches(&volume.kind),
        "description" => pattern.matches(&volume.description),
        "content_type" => pattern.matches(&volume.content_type),
        "pool" => pattern.matches(&listed.pool),
        _ => volume.config.iter().any(|(found, value)| abbreviates(key, found) && pattern.matches(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume() -> Listed {
        let volume = serde_json::json!({"name": "data", "type": "custom", "config": {"user.for": "db", "size": "5GB"},
            "used_by": ["/1.0/containers/c1"]});
        Listed {
            pool: "p".into(),
            volume: serde_json::from_value(volume).unwrap(),
            state: serde_json::from_str(r#"{"usage": {"used": 2048}}"#).unwrap(),
        }
    }

    #[test]
    fn every_column() {
        let columns = columns("ptndcuUL,user.for,size").unwrap();
        let headers: Vec<_> = columns.iter().map(Column::header).collect();
        assert_eq!(headers[..4], ["POOL", "TYPE", "NAME", "DESCRIPTION"]);
        let values: Vec<_> = columns.iter().map(|column| column.value(&volume())).collect();
        assert_eq!(values, ["p", "custom", "data", "", "", "1", "2.00kB", "", "db", "5GB"]);
        let mut snapshot = volume();
        snapshot.volume.name = "data/snap0".into();
        assert_eq!(Column::Kind.value(&snapshot), "custom (snapshot)");
        assert!(super::columns("tx").is_err() && super::columns("t,").is_err());
    }

    #[test]
    fn filters() {
        for filter in ["da", "name=da.*", "type=custom", "user.for=db", "u.f=d.", "size=5GB", "pool=p"] {
            assert!(fits(filter, &volume()), "{filter}");
        }
        for filter in ["db", "name=da", "type=image", "user.for=d", "user.x=db"] {
            assert!(!fits(filter, &volume()), "{filter}");
        }
    }
}
