//! Take a snapshot of a volume, mounted or not.

use super::OF_CONTAINERS;
use crate::catalog::Stamp;
use crate::journal;
use crate::pools::Pools;
use crate::steps::Steps;
use crate::volumes::catalog::Held;
use crate::volumes::{Place, VolumeKind, VolumeWork, Volumes};
use crate::{Error, Work};
use api::Time;
use api::storage::VolumeSnapshotsPost;
use jiff::tz::TimeZone;
use model::names::SnapshotName;
use model::snapshots::Pattern;
use storage::VolumeSource;
use store::volume_snapshots::Snapshot;

/// What snapshots without a name are called.
const PATTERN: &str = "snap%d";

impl Volumes {
    /// Takes a snapshot.
    ///
    /// # Errors
    /// Not found; the name is bad or taken.
    pub fn take_snapshot(
        &self,
        pool: &str,
        kind: VolumeKind,
        name: &str,
        post: &VolumeSnapshotsPost,
    ) -> Result<Work, Error> {
        kind.must_be_custom(OF_CONTAINERS)?;
        let held = self.held(pool, name)?;
        let wanted = match post.name.as_str() {
            "" => None,
            name => Some(SnapshotName::parse(name)?),
        };
        if let Some(wanted) = &wanted {
            held.is_free(wanted)?;
        }
        let (volumes, place, expires_at) = (self.clone(), held.place.clone(), post.expires_at);
        Ok(self.in_background(async move { volumes.take_now(place, wanted, expires_at).await }))
    }

    async fn take_now(
        &self,
        place: Place,
        wanted: Option<SnapshotName>,
        expires_at: Option<Time>,
    ) -> Result<(), Error> {
        let _turn = self.inner.turns.alone(&place).await;
        let held = self.inner.catalog.get(&place)?;
        let record = plan(&held, wanted, expires_at)?;
        let pool = self.inner.pools.usable(&place.pool)?;
        let mut steps = Steps::new(&format!("{place}/{}", record.name));
        let store = &self.inner.store;
        let work = VolumeWork::Snapshot {
            pool: place.pool.clone(),
            volume: place.name.clone(),
            snapshot: record.name.clone(),
        };
        let journal = steps.run("volume-snapshot:journal", journal::begin(store, work.into())).await?;
        steps.undo("volume-snapshot:journal", journal::give_up(store.clone(), journal));
        let running = !self.inner.attachments.of(&place).is_empty();
        let source = VolumeSource::Volume { volume: place.volume(), snapshots: Vec::new(), running };
        let (made, config) = (place.snapshot(&record.name), held.config(&pool)?);
        let taken = async { Ok(pool.make(&made, source, &config).await?) };
        steps.run("volume-snapshot:volume", taken).await?;
        let undo = pool.clone();
        steps.undo("volume-snapshot:volume", async move { Pools::take_back(&undo, &made).await });
        let stamp = steps
            .run("volume-snapshot:record", async {
                let (of, record) = (place.clone(), record.clone());
                let done = store.write(move |tx| {
                    store::volume_snapshots::insert(tx, of.of(), &record)?;
                    store::journal::end(tx, journal)?;
                    Ok(Stamp::take())
                });
                Ok(done.await?)
            })
            .await?;
        steps.keep();
        let name = record.name.clone();
        let mut new = held.as_ref().clone();
        new.snapshots.push(record);
        self.inner.catalog.put(stamp, new);
        self.tell_snapshot("created", &place, name.as_str(), None);
        Ok(())
    }
}

/// The record: what the volume is now, under a name that is free.
fn plan(held: &Held, wanted: Option<SnapshotName>, expires_at: Option<Time>) -> Result<Snapshot, Error> {
    let created_at = Time::now();
    let name = match wanted {
        Some(name) => name,
        None => {
            let local = created_at.0.to_zoned(TimeZone::system()).datetime();
            let siblings = held.snapshots.iter().map(|snapshot| snapshot.name.to_string()).collect();
            let named = Pattern::parse(PATTERN).and_then(|pattern| pattern.name(local, &siblings));
            named.map_err(|error| {
                Error::Config(model::config::ConfigError::InvalidValue {
                    key: "snapshots.pattern".to_owned(),
                    value: PATTERN.to_owned(),
                    reason: error.to_string(),
                })
            })?
        }
    };
    held.is_free(&name)?;
    Ok(Snapshot {
        name,
        created_at,
        expires_at: expires_at.unwrap_or(Time::UNSET),
        description: held.record.description.clone(),
        config: held.record.config.clone(),
    })
}
