//! `lxc storage volume get`, `set` and `unset`.

use super::place::Place;
use crate::commands::{finish, holder};
use crate::output;
use crate::pairs;
use crate::session::Session;
use anyhow::ensure;
use api::Config;
use api::storage::VolumePut;

pub(super) async fn get(place: &Place, key: &str) -> anyhow::Result<()> {
    let mut config = match &place.name.snapshot {
        Some(snapshot) => place.client.volume_snapshot(place.at(), snapshot).await?.value.config,
        None => place.client.volume(place.at()).await?.value.config,
    };
    Ok(output::line(config.remove(key).unwrap_or_default())?)
}

pub(super) async fn set(session: &Session, place: &Place, args: &[String]) -> anyhow::Result<()> {
    let pairs = pairs::parse_set(args)?;
    change(session, place, |config| {
        holder::set(config, pairs);
        Ok(())
    })
    .await
}

pub(super) async fn unset(session: &Session, place: &Place, key: &str) -> anyhow::Result<()> {
    change(session, place, |config| holder::unset(config, key)).await
}

async fn change(
    session: &Session,
    place: &Place,
    change: impl FnOnce(&mut Config) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    ensure!(
        place.name.snapshot.is_none(),
        "{} is a snapshot: its configuration stays what the volume's was; its description and expiry are changed with: lxc storage volume edit",
        place.name
    );
    let current = place.client.volume(place.at()).await?;
    let mut put = VolumePut {
        config: current.value.config,
        description: current.value.description,
        ..VolumePut::default()
    };
    change(&mut put.config)?;
    let pending = place.client.put_volume(place.at(), &put, current.etag.as_deref()).await?;
    Ok(finish(session, pending, "Updating").await?)
}
