//! `lxc storage volume edit`.

use super::place::Place;
use crate::commands::finish;
use crate::editor;
use crate::session::Session;
use crate::yaml;
use api::storage::{VolumePut, VolumeSnapshotPut};

const HELP: &str = "\
### This is a yaml representation of a storage volume.
### Any line starting with a '#' will be ignored.
###
### A storage volume consists of a set of configuration items.
###
### An example would look like:
### config:
###   size: 20GB
### description: What the database keeps
###
### Its name and its pool cannot be changed here.

";

const SNAPSHOT_HELP: &str = "\
### This is a yaml representation of what can be changed of the snapshot.
### Any line starting with a '#' will be ignored.
###
### expires_at: null means that it is never removed by itself; a time looks like
### expires_at: 2030-01-31T12:00:00Z

";

pub(super) async fn run(session: &Session, place: &Place) -> anyhow::Result<()> {
    if let Some(snapshot) = &place.name.snapshot {
        return edit_snapshot(session, place, snapshot).await;
    }
    let put = async |text: String, etag: Option<&str>| -> anyhow::Result<()> {
        // What `lxc storage volume show` prints has more in it, and may be fed back.
        let put: VolumePut = yaml::from_str(&text)?;
        Ok(finish(session, place.client.put_volume(place.at(), &put, etag).await?, "Updating").await?)
    };
    if let Some(text) = editor::piped_text()? {
        return put(text, None).await;
    }
    let current = place.client.volume(place.at()).await?;
    let shown = VolumePut {
        config: current.value.config,
        description: current.value.description,
        ..VolumePut::default()
    };
    let text = format!("{HELP}{}", yaml::to_string(&shown)?);
    editor::edit(&text, async |text| put(text, current.etag.as_deref()).await).await
}

async fn edit_snapshot(session: &Session, place: &Place, snapshot: &str) -> anyhow::Result<()> {
    let put = async |text: String, etag: Option<&str>| -> anyhow::Result<()> {
        let put: VolumeSnapshotPut = yaml::from_str(&text)?;
        let pending = place.client.put_volume_snapshot(place.at(), snapshot, &put, etag).await?;
        Ok(finish(session, pending, "Updating").await?)
    };
    if let Some(text) = editor::piped_text()? {
        return put(text, None).await;
    }
    let current = place.client.volume_snapshot(place.at(), snapshot).await?;
    let shown = VolumeSnapshotPut {
        description: current.value.description,
        expires_at: current.value.expires_at.filter(|time| time.is_set()),
    };
    let text = format!("{SNAPSHOT_HELP}{}", yaml::to_string(&shown)?);
    editor::edit(&text, async |text| put(text, current.etag.as_deref()).await).await
}
