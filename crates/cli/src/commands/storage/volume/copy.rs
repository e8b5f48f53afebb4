//! `lxc storage volume copy` and `move`.

use super::place::{CUSTOM, Place};
use crate::args::{VolumeCopyArgs, VolumeMoveArgs};
use crate::commands::finish;
use crate::output;
use crate::session::Session;
use anyhow::ensure;
use api::storage::{VolumePost, VolumeSource, VolumesPost};

pub(super) async fn copy(session: &Session, args: &VolumeCopyArgs) -> anyhow::Result<()> {
    let (source, target) = places(session, &args.source, &args.target, "copied")?;
    let (mut config, description) = match &source.name.snapshot {
        Some(snapshot) => {
            let original = source.client.volume_snapshot(source.at(), snapshot).await?.value;
            (original.config, original.description)
        }
        None => {
            let original = source.client.volume(source.at()).await?.value;
            (original.config, original.description)
        }
    };
    // What the server keeps there is about the original.
    config.retain(|key, _| !key.starts_with("volatile."));
    let post = VolumesPost {
        name: target.name.volume.clone(),
        kind: CUSTOM.to_owned(),
        config,
        description,
        source: VolumeSource {
            kind: "copy".to_owned(),
            name: source.name.to_string(),
            pool: source.pool.clone(),
            volume_only: args.volume_only,
            refresh: args.refresh,
            ..VolumeSource::default()
        },
        ..VolumesPost::default()
    };
    let pending = target.client.create_volume(&target.pool, &post).await?;
    finish(session, pending, "Copying the storage volume").await?;
    Ok(output::line("Storage volume copied successfully!")?)
}

pub(super) async fn relocate(session: &Session, args: &VolumeMoveArgs) -> anyhow::Result<()> {
    let (source, target) = places(session, &args.source, &args.target, "moved")?;
    source.name.must_be_whole("moved")?;
    ensure!(
        (&source.pool, &source.name) != (&target.pool, &target.name),
        "{}/{} is there already",
        target.pool,
        target.name
    );
    let pool = if source.pool == target.pool { String::new() } else { target.pool };
    let post = VolumePost { name: target.name.volume, pool, ..VolumePost::default() };
    let pending = source.client.move_volume(source.at(), &post).await?;
    finish(session, pending, "Moving the storage volume").await?;
    Ok(output::line("Storage volume moved successfully!")?)
}

/// From where to where.
fn places(session: &Session, source: &str, target: &str, what: &str) -> anyhow::Result<(Place, Place)> {
    let source = Place::joined(session, source, None)?;
    let target = Place::joined(session, target, Some(&source.remote))?;
    source.name.must_be_custom(what)?;
    target.name.must_be_custom(what)?;
    ensure!(target.name.snapshot.is_none(), "\"{}\" is no name of a volume", target.name);
    ensure!(
        session.same_server(&source.remote, &target.remote),
        "\"{}\" and \"{}\" are different servers, and volumes can be {what} on one server only",
        source.remote,
        target.remote
    );
    Ok((source, target))
}
