//! Volumes as a whole: `lxc storage volume create`, `delete`, `rename` and `show`.

use super::place::{CUSTOM, Name, Place};
use crate::args::Format;
use crate::commands::finish;
use crate::output::{self, object};
use crate::pairs;
use crate::session::Session;
use anyhow::{bail, ensure};
use api::storage::{VolumePost, VolumesPost};

/// What a volume is made with.
pub(super) struct New {
    pub(super) config: Vec<String>,
    pub(super) description: Option<String>,
    pub(super) content_type: String,
}

pub(super) async fn create(session: &Session, pool: &str, volume: &str, new: New) -> anyhow::Result<()> {
    let place = Place::new(session, pool, volume)?;
    place.name.must_be_custom("created")?;
    place.name.must_be_whole("created")?;
    let name = place.name.volume.clone();
    let post = VolumesPost {
        name: name.clone(),
        kind: CUSTOM.to_owned(),
        config: pairs::parse(&new.config)?,
        description: new.description.unwrap_or_default(),
        content_type: new.content_type,
        ..VolumesPost::default()
    };
    let pending = place.client.create_volume(&place.pool, &post).await?;
    finish(session, pending, "Creating the volume").await?;
    Ok(output::line(format!("Storage volume {name} created"))?)
}

pub(super) async fn delete(session: &Session, pool: &str, volumes: &[String]) -> anyhow::Result<()> {
    let mut failed = false;
    for volume in volumes {
        match (delete_one(session, pool, volume).await, volumes.len()) {
            (Ok(()), _) => output::line(format!("Storage volume {volume} deleted"))?,
            (Err(error), 1) => return Err(error),
            (Err(error), _) => {
                eprintln!("{volume}: error: {error:#}");
                failed = true;
            }
        }
    }
    ensure!(!failed, "Some volumes could not be deleted");
    Ok(())
}

async fn delete_one(session: &Session, pool: &str, volume: &str) -> anyhow::Result<()> {
    let place = Place::new(session, pool, volume)?;
    let pending = match &place.name.snapshot {
        Some(snapshot) => place.client.delete_volume_snapshot(place.at(), snapshot).await?,
        None => place.client.delete_volume(place.at()).await?,
    };
    Ok(finish(session, pending, "Deleting").await?)
}

pub(super) async fn rename(session: &Session, place: &Place, new_name: &str) -> anyhow::Result<()> {
    let old = &place.name;
    let new = Name::parse(new_name)?;
    let pending = match (&old.snapshot, &new.snapshot) {
        (None, None) => {
            let post = VolumePost { name: new.volume.clone(), ..VolumePost::default() };
            place.client.move_volume(place.at(), &post).await?
        }
        (Some(snapshot), Some(new_snapshot)) if new.volume == old.volume => {
            place.client.rename_volume_snapshot(place.at(), snapshot, new_snapshot).await?
        }
        // What is no volume's name can only be the snapshot's.
        (Some(snapshot), None) => {
            place.client.rename_volume_snapshot(place.at(), snapshot, &new.volume).await?
        }
        (Some(_), Some(_)) => bail!(
            "A snapshot stays with its volume {}; to make a volume of it, use: lxc storage volume copy",
            old.volume
        ),
        (None, Some(_)) => {
            bail!("A volume cannot become a snapshot; to take one, use: lxc storage volume snapshot")
        }
    };
    finish(session, pending, "Renaming").await?;
    Ok(output::line(format!("Renamed storage volume from \"{old}\" to \"{new}\""))?)
}

pub(super) async fn show(place: &Place, format: Format) -> anyhow::Result<()> {
    if let Some(snapshot) = &place.name.snapshot {
        return object::show(format, &place.client.volume_snapshot(place.at(), snapshot).await?.value);
    }
    let mut volume = place.client.volume(place.at()).await?.value;
    volume.used_by.sort_unstable();
    object::show(format, &volume)
}
