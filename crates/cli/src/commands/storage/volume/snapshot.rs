//! `lxc storage volume snapshot` and `restore`.

use super::place::Place;
use crate::commands::finish;
use crate::session::Session;
use api::Time;
use api::storage::{VolumePut, VolumeSnapshotsPost};

pub(super) async fn take(
    session: &Session,
    place: &Place,
    name: Option<String>,
    no_expiry: bool,
    reuse: bool,
) -> anyhow::Result<()> {
    let Place { client, name: volume, .. } = place;
    volume.must_be_custom("snapshotted here")?;
    volume.must_be_whole("snapshotted")?;
    let name = name.unwrap_or_default();
    if reuse && !name.is_empty() {
        match client.delete_volume_snapshot(place.at(), &name).await {
            Ok(pending) => finish(session, pending, "Deleting").await?,
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error.into()),
        }
    }
    let post = VolumeSnapshotsPost { name, expires_at: no_expiry.then_some(Time::UNSET) };
    let pending = client.take_volume_snapshot(place.at(), &post).await?;
    Ok(finish(session, pending, "Snapshotting").await?)
}

pub(super) async fn restore(session: &Session, place: &Place, snapshot: String) -> anyhow::Result<()> {
    place.name.must_be_custom("restored here")?;
    place.name.must_be_whole("restored")?;
    // `volume/snapshot` is what lists call it.
    let snapshot = match snapshot.split_once('/') {
        Some((volume, name)) if volume == place.name.volume => name.to_owned(),
        _ => snapshot,
    };
    let put = VolumePut { restore: snapshot, ..VolumePut::default() };
    let pending = place.client.put_volume(place.at(), &put, None).await?;
    Ok(finish(session, pending, "Restoring").await?)
}
