//! Create: an empty volume, or a copy of another.

use super::catalog::Held;
use super::{Place, VolumeKind, VolumeWork, Volumes};
use crate::catalog::Stamp;
use crate::journal;
use crate::pools::Pools;
use crate::steps::Steps;
use crate::{Error, Work};
use api::storage::VolumesPost;
use api::{Config, Time};
use storage::{VolumeConfig, VolumeSource};
use store::journal::JournalId;
use store::volume_snapshots::Snapshot;
use store::volumes::{Volume as Record, VolumeKind as Number};

/// A new volume.
pub enum Creation {
    /// It is there.
    Made,
    /// It is a copy, which takes its time.
    Copy(Work),
}

/// What users may set, without what is not set.
pub(super) fn own_keys(mut config: Config) -> Config {
    config.retain(|key, value| !value.is_empty() && !key.starts_with("volatile."));
    config
}

/// Keys that only we set.
pub(super) fn volatile_keys(config: &Config) -> impl Iterator<Item = (String, String)> {
    config
        .iter()
        .filter(|(key, _)| key.starts_with("volatile."))
        .map(|(key, value)| (key.clone(), value.clone()))
}

impl Volumes {
    /// Makes a custom volume.
    ///
    /// # Errors
    /// Anything wrong with the request; the name is taken; no such pool or source.
    pub async fn create(&self, pool: &str, post: VolumesPost) -> Result<Creation, Error> {
        if !post.kind.is_empty() && VolumeKind::parse(&post.kind)? != VolumeKind::Custom {
            let hint = "containers and images have volumes of their own, which come and go with them";
            return Err(Error::NotCustom { kind: VolumeKind::parse(&post.kind)?.name(), hint });
        }
        if !matches!(post.content_type.as_str(), "" | "filesystem") {
            return Err(Error::Unsupported {
                subject: format!("A volume with the content type {:?}", post.content_type),
                feature: "volumes without a file system",
                hint: "use the content type filesystem",
            });
        }
        if post.name.is_empty() {
            return Err(Error::Missing { field: "name", hint: "give the volume one" });
        }
        let place = Place::parse(pool, &post.name)?;
        let usable = self.inner.pools.usable(&place.pool)?;
        self.inner.catalog.is_free(&place)?;
        match post.source.kind.as_str() {
            "" | "none" if post.source.name.is_empty() => {
                let config = own_keys(post.config);
                VolumeConfig::parse(usable.kind(), &config).map_err(storage::Error::from)?;
                let volumes = self.clone();
                let made = async move { volumes.create_empty(place, config, post.description).await };
                self.to_the_end(made).await?;
                Ok(Creation::Made)
            }
            "" | "copy" => self.copy(place, post).map(Creation::Copy),
            other => Err(Error::Unsupported {
                subject: format!("A volume from a source of the type {other:?}"),
                feature: "volumes from elsewhere",
                hint: "copy a volume of this server, or make an empty one",
            }),
        }
    }

    async fn create_empty(&self, place: Place, config: Config, description: String) -> Result<(), Error> {
        let _turn = self.inner.turns.alone(&place).await;
        self.inner.catalog.is_free(&place)?;
        let pool = self.inner.pools.usable(&place.pool)?;
        let parsed = VolumeConfig::parse(pool.kind(), &config).map_err(storage::Error::from)?;
        let mut steps = Steps::new(&place.to_string());
        let journal = self.begin_create(&place, &mut steps).await?;
        let volume = place.volume();
        let made = async { Ok(pool.make(&volume, VolumeSource::Empty, &parsed).await?) };
        steps.run("volume-create:volume", made).await?;
        let undo = pool.clone();
        steps.undo("volume-create:volume", async move { Pools::take_back(&undo, &volume).await });
        let held = new_held(place.clone(), description, config, Vec::new());
        steps.run("volume-create:record", self.record_new(held, Some(journal))).await?;
        steps.keep();
        self.tell("created", &place, None);
        Ok(())
    }

    /// Writes down that a volume is being made.
    pub(super) async fn begin_create(&self, place: &Place, steps: &mut Steps) -> Result<JournalId, Error> {
        let store = &self.inner.store;
        let work = VolumeWork::Create { pool: place.pool.clone(), volume: place.name.clone() };
        let journal = steps.run("volume-create:journal", journal::begin(store, work.into())).await?;
        steps.undo("volume-create:journal", journal::give_up(store.clone(), journal));
        Ok(journal)
    }

    /// Writes down that it is there.
    pub(super) async fn record_new(&self, held: Held, journal: Option<JournalId>) -> Result<(), Error> {
        let stored = held.clone();
        let write = self.inner.store.write(move |tx| {
            store::volumes::insert(tx, &stored.record)?;
            for snapshot in &stored.snapshots {
                store::volume_snapshots::insert(tx, stored.place.of(), snapshot)?;
            }
            if let Some(journal) = journal {
                store::journal::end(tx, journal)?;
            }
            Ok(Stamp::take())
        });
        let stamp = write.await?;
        self.inner.catalog.put(stamp, held);
        Ok(())
    }
}

/// What is known of a volume that is made now.
pub(super) fn new_held(place: Place, description: String, config: Config, snapshots: Vec<Snapshot>) -> Held {
    let record = Record {
        pool: place.pool.clone(),
        kind: Number::Custom,
        name: place.name.to_string(),
        description,
        config,
        created_at: Time::now(),
    };
    Held { place, record, snapshots }
}
