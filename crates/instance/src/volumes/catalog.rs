//! What is known of custom volumes, in memory, so that looking at them reads no database.

use crate::Error;
use crate::catalog::{Stamp, Table};
use model::names::{PoolName, SnapshotName, VolumeName};
use std::sync::Arc;
use storage::{Volume, VolumeConfig};
use store::Store;
use store::volume_snapshots::{Of, Snapshot};
use store::volumes::{Volume as Record, VolumeKind};

/// Where a custom volume is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    pub(crate) pool: PoolName,
    pub(crate) name: VolumeName,
}

impl Place {
    /// Reads both names.
    pub(crate) fn parse(pool: &str, name: &str) -> Result<Self, Error> {
        Ok(Self { pool: PoolName::parse(pool)?, name: VolumeName::parse(name)? })
    }

    /// The volume in its pool.
    pub(crate) fn volume(&self) -> Volume {
        Volume::Custom(self.name.clone())
    }

    /// A snapshot of it in its pool.
    pub(super) fn snapshot(&self, name: &SnapshotName) -> Volume {
        Volume::CustomSnapshot(self.name.clone(), name.clone())
    }

    /// The volume in the database.
    pub(super) fn of(&self) -> Of<'_> {
        Of { pool: &self.pool, volume: &self.name }
    }

    /// Where clients find it.
    pub(crate) fn url(&self) -> String {
        format!("/1.0/storage-pools/{}/volumes/custom/{}", self.pool, self.name)
    }

    /// No pool's name has a slash.
    fn key(&self) -> String {
        format!("{}/{}", self.pool, self.name)
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.pool, self.name)
    }
}

/// A volume and its snapshots, oldest first.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(super) place: Place,
    pub(super) record: Record,
    pub(super) snapshots: Vec<Snapshot>,
}

impl Held {
    /// One of its snapshots.
    pub(super) fn snapshot(&self, name: &str) -> Result<&Snapshot, Error> {
        let found = self.snapshots.iter().find(|snapshot| snapshot.name == *name);
        found.ok_or_else(|| Error::not_found("Snapshot", &format!("{}/{name}", self.place.name)))
    }

    /// Refuses a name that one of its snapshots has.
    pub(super) fn is_free(&self, name: &SnapshotName) -> Result<(), Error> {
        if self.snapshots.iter().all(|snapshot| snapshot.name != *name) {
            return Ok(());
        }
        Err(Error::Exists { what: "Snapshot", name: format!("{}/{name}", self.place.name) })
    }

    /// Names of its snapshots, oldest first.
    pub(super) fn snapshot_names(&self) -> Vec<SnapshotName> {
        self.snapshots.iter().map(|snapshot| snapshot.name.clone()).collect()
    }

    /// What is asked of it in its pool.
    pub(super) fn config(&self, pool: &storage::Pool) -> Result<VolumeConfig, Error> {
        Ok(VolumeConfig::parse(pool.kind(), &self.record.config).map_err(storage::Error::from)?)
    }
}

/// All custom volumes. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Catalog(Table<Held>);

impl Catalog {
    /// Reads all.
    pub(crate) async fn open(store: &Store) -> Result<Self, Error> {
        let read = |conn: &store::Conn<'_>| {
            let volumes = store::volumes::all(conn, VolumeKind::Custom)?;
            Ok::<_, store::Error>((volumes, store::volume_snapshots::list(conn)?))
        };
        let (records, mut snapshots) = store.read(read).await?;
        let catalog = Self::default();
        for record in records {
            let place = Place { pool: record.pool.clone(), name: VolumeName::parse(&record.name)? };
            let own;
            (own, snapshots) = snapshots
                .into_iter()
                .partition(|(pool, volume, _)| *pool == place.pool && *volume == place.name);
            let snapshots = own.into_iter().map(|(_, _, snapshot)| snapshot).collect();
            catalog.put(Stamp::take(), Held { place, record, snapshots });
        }
        Ok(catalog)
    }

    /// One.
    pub(super) fn get(&self, place: &Place) -> Result<Arc<Held>, Error> {
        self.0.get(&place.key()).ok_or_else(|| Error::not_found("Storage volume", &place.to_string()))
    }

    /// Refuses a name that is taken.
    pub(super) fn is_free(&self, place: &Place) -> Result<(), Error> {
        match self.0.get(&place.key()) {
            None => Ok(()),
            Some(_) => Err(Error::Exists { what: "Storage volume", name: place.to_string() }),
        }
    }

    /// Those of a pool, by name.
    pub(super) fn of_pool(&self, pool: &PoolName) -> Vec<Arc<Held>> {
        let mut all = self.all();
        all.retain(|held| held.place.pool == *pool);
        all.sort_by(|a, b| a.place.name.cmp(&b.place.name));
        all
    }

    /// Where clients find those of a pool.
    pub(crate) fn urls(&self, pool: &PoolName) -> Vec<String> {
        self.of_pool(pool).iter().map(|held| held.place.url()).collect()
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<Arc<Held>> {
        self.0.all()
    }

    /// Keeps one as it is now.
    pub(super) fn put(&self, stamp: Stamp, held: Held) {
        let key = held.place.key();
        self.0.insert(stamp, &key, held);
    }

    /// Forgets one.
    pub(super) fn remove(&self, stamp: Stamp, place: &Place) {
        self.0.remove(stamp, &place.key());
    }
}
