//! `lxc storage volume info`.

use super::place::Place;
use crate::args::Format;
use crate::output::{self, dates, object, sizes};
use api::Time;
use api::storage::{Volume, VolumeSnapshot, VolumeState};
use serde::Serialize;
use std::fmt::{self, Write as _};

/// All there is to know about a volume.
#[derive(Serialize)]
struct Known {
    pool: String,
    #[serde(flatten)]
    volume: Volume,
    /// None: the server does not tell.
    state: Option<VolumeState>,
    snapshots: Vec<VolumeSnapshot>,
}

pub(super) async fn run(place: &Place, bytes: bool, format: Option<Format>) -> anyhow::Result<()> {
    let mut text = String::new();
    if let Some(snapshot) = &place.name.snapshot {
        let snapshot = place.client.volume_snapshot(place.at(), snapshot).await?.value;
        if let Some(format) = format {
            return object::show(format, &snapshot);
        }
        describe_snapshot(&mut text, &snapshot)?;
        return Ok(output::print(&text)?);
    }
    let (volume, state, snapshots) = tokio::join!(
        place.client.volume(place.at()),
        place.client.volume_state(place.at()),
        place.client.volume_snapshots(place.at())
    );
    let mut volume = volume?.value;
    volume.used_by.sort_unstable();
    let known = Known {
        pool: place.pool.clone(),
        volume,
        state: told(state)?,
        snapshots: told(snapshots)?.unwrap_or_default(),
    };
    if let Some(format) = format {
        return object::show(format, &known);
    }
    describe(&mut text, &known, bytes)?;
    Ok(output::print(&text)?)
}

/// Nothing where the server, or the kind of volume, has no such thing.
pub(super) fn told<T>(result: Result<T, client::Error>) -> Result<Option<T>, client::Error> {
    match result {
        Err(client::Error::Api { code: 400..=405 | 501, .. }) => Ok(None),
        result => result.map(Some),
    }
}

fn describe(out: &mut String, known: &Known, bytes: bool) -> fmt::Result {
    let Known { pool, volume, state, snapshots } = known;
    writeln!(out, "Name: {}", volume.name)?;
    if !volume.description.is_empty() {
        writeln!(out, "Description: {}", volume.description)?;
    }
    writeln!(out, "Pool: {pool}")?;
    writeln!(out, "Type: {}", volume.kind)?;
    if !volume.content_type.is_empty() {
        writeln!(out, "Content type: {}", volume.content_type)?;
    }
    if let Some(usage) = state.as_ref().and_then(|state| state.usage) {
        let size = |count: u64| if bytes { count.to_string() } else { sizes::unsigned(count) };
        writeln!(out, "Usage: {}", size(usage.used))?;
        if let Some(total) = u64::try_from(usage.total).ok().filter(|&total| total > 0) {
            writeln!(out, "Total: {}", size(total))?;
        }
    }
    if volume.created_at.is_set() {
        writeln!(out, "Created: {}", dates::short(volume.created_at))?;
    }
    if !volume.used_by.is_empty() {
        writeln!(out, "Used by:")?;
    }
    for user in &volume.used_by {
        writeln!(out, "  {user}")?;
    }
    if !snapshots.is_empty() {
        writeln!(out, "Snapshots:")?;
    }
    for snapshot in snapshots {
        write!(out, "  {}", snapshot.name.rsplit('/').next().unwrap_or_default())?;
        if snapshot.created_at.is_set() {
            write!(out, " (taken at {})", dates::short(snapshot.created_at))?;
        }
        if let Some(time) = expiry(snapshot) {
            write!(out, " (expires at {})", dates::short(time))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn describe_snapshot(out: &mut String, snapshot: &VolumeSnapshot) -> fmt::Result {
    writeln!(out, "Name: {}", snapshot.name)?;
    if !snapshot.description.is_empty() {
        writeln!(out, "Description: {}", snapshot.description)?;
    }
    if snapshot.created_at.is_set() {
        writeln!(out, "Created: {}", dates::short(snapshot.created_at))?;
    }
    let never = || "never".to_owned();
    writeln!(out, "Expires: {}", expiry(snapshot).map_or_else(never, dates::short))
}

fn expiry(snapshot: &VolumeSnapshot) -> Option<Time> {
    snapshot.expires_at.filter(|time| time.is_set())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_volume() {
        let known = Known {
            pool: "p".into(),
            volume: serde_json::from_value(
                json!({"name": "data", "type": "custom", "content_type": "filesystem",
                "description": "of the database", "used_by": ["/1.0/containers/c1"]}),
            )
            .unwrap(),
            state: serde_json::from_value(json!({"usage": {"used": 1024, "total": 1_048_576}})).unwrap(),
            snapshots: serde_json::from_value(json!([
                {"name": "data/snap0", "created_at": "2017-07-12T10:00:00Z"},
                {"name": "data/snap1", "expires_at": "2017-08-12T10:00:00Z"}]))
            .unwrap(),
        };
        let mut text = String::new();
        describe(&mut text, &known, false).unwrap();
        assert_eq!(
            text,
            "Name: data\nDescription: of the database\nPool: p\nType: custom\nContent type: filesystem\n\
             Usage: 1.00kB\nTotal: 1.00MB\nUsed by:\n  /1.0/containers/c1\nSnapshots:\n  \
             snap0 (taken at 2017/07/12 10:00 UTC)\n  snap1 (expires at 2017/08/12 10:00 UTC)\n"
        );
        let mut text = String::new();
        describe(&mut text, &known, true).unwrap();
        assert!(text.contains("Usage: 1024\nTotal: 1048576\n"), "{text}");
    }
}
