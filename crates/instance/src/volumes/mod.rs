//! Storage volumes: custom ones with all that can be done to them, and a look at those of containers
//! and images.
//!
//! | file | what |
//! |---|---|
//! | [`catalog`] | what is known of custom volumes, in memory |
//! | [`turns`] | who may do something to a volume, and who waits |
//! | [`attach`], [`ids`] | volumes in running containers, and whose files are in them |
//! | [`users`] | who names a volume among its devices |
//! | [`view`], [`state`] | what clients see |
//! | `create`, `copy`, `update`, `rename`, `relocate`, `delete` | one verb each |
//! | [`snapshots`] | what volumes were |
//! | `adopt` | volumes that are in a pool and not in the database |
//! | [`work`], [`repair`] | what an interrupted daemon leaves, and what the next one does about it |
//!
//! A verb takes its turn at the volume, writes into the journal what it begins, changes the files and
//! then the record; a crash in between is finished or undone by the next daemon.

mod adopt;
mod attach;
mod catalog;
mod copy;
mod create;
mod delete;
mod ids;
mod relocate;
mod rename;
mod repair;
mod snapshots;
mod state;
mod turns;
mod update;
mod users;
mod view;
mod work;

pub(crate) use attach::Attached;
pub(crate) use catalog::{Catalog, Place};
pub use create::Creation;
pub use view::VolumeKind;
pub(crate) use work::VolumeWork;

use crate::catalog::Stamp;
use crate::instances::Registry;
use crate::platform::Platform;
use crate::pools::Pools;
use crate::{Error, Work, full_disk, profiles};
use api::events::Lifecycle;
use attach::Attachments;
use catalog::Held;
use std::path::PathBuf;
use std::sync::Arc;
use store::Store;
use tokio::sync::mpsc::UnboundedSender;
use turns::Turns;

/// All volumes. Cheap to clone.
#[derive(Clone)]
pub struct Volumes {
    inner: Arc<Inner>,
}

/// The handles that verbs on volumes need.
pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) pools: Pools,
    pub(crate) registry: Registry,
    pub(crate) profiles: profiles::Catalog,
    pub(crate) platform: Platform,
    pub(crate) catalog: Catalog,
    pub(crate) lifecycle: UnboundedSender<Lifecycle>,
    pub(crate) turns: Turns,
    pub(crate) attachments: Attachments,
}

/// What volumes are made of.
pub(crate) struct Handles {
    pub(crate) store: Store,
    pub(crate) pools: Pools,
    pub(crate) registry: Registry,
    pub(crate) profiles: profiles::Catalog,
    pub(crate) platform: Platform,
    pub(crate) lifecycle: UnboundedSender<Lifecycle>,
    pub(crate) catalog: Catalog,
}

impl Volumes {
    /// Puts the parts together.
    pub(crate) fn new(handles: Handles) -> Self {
        let Handles { store, pools, registry, profiles, platform, lifecycle, catalog } = handles;
        let (turns, attachments) = Default::default();
        let inner =
            Inner { store, pools, registry, profiles, platform, catalog, lifecycle, turns, attachments };
        Self { inner: Arc::new(inner) }
    }

    /// Refuses a volume that is not there.
    pub(crate) fn check(&self, place: &Place) -> Result<(), Error> {
        self.inner.pools.get(place.pool.as_str())?;
        self.inner.catalog.get(place).map(drop)
    }

    /// Does something to its end, whoever goes away meanwhile.
    async fn to_the_end<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let done = tokio::spawn(work).await.map_err(|_| Error::Shutdown)?;
        done.map_err(|error| full_disk::explain(error, self.places()))
    }

    /// The same for what is done in the background.
    fn in_background(&self, work: impl Future<Output = Result<(), Error>> + Send + 'static) -> Work {
        let volumes = self.clone();
        let work = Box::pin(async move { work.await.map(|()| None) });
        full_disk::explained(work, move || volumes.places())
    }

    /// Directories on every disk that a volume can fill.
    fn places(&self) -> Vec<PathBuf> {
        self.inner.pools.all_usable().iter().map(|pool| pool.path().to_owned()).collect()
    }

    /// Tells listeners that something happened to a volume.
    fn tell(&self, action: &str, place: &Place, detail: Option<(&str, &str)>) {
        self.tell_of(action, place.url(), detail);
    }

    /// The same for what belongs to one.
    fn tell_of(&self, action: &str, source: String, detail: Option<(&str, &str)>) {
        let details = |(key, value): (&str, &str)| {
            serde_json::Map::from_iter([(key.to_owned(), serde_json::Value::from(value))])
        };
        let action = format!("storage-volume-{action}");
        let event = Lifecycle { action, source, context: detail.map(details) };
        // Nobody listens any more once the daemon is on its way down.
        let _ = self.inner.lifecycle.send(event);
    }

    /// Writes a changed record, and ends the work of the journal that it belongs to.
    async fn save(&self, new: Held, journal: Option<store::journal::JournalId>) -> Result<(), Error> {
        let record = new.record.clone();
        let write = self.inner.store.write(move |tx| {
            store::volumes::update(tx, &record)?;
            if let Some(journal) = journal {
                store::journal::end(tx, journal)?;
            }
            Ok(Stamp::take())
        });
        let stamp = write.await?;
        self.inner.catalog.put(stamp, new);
        Ok(())
    }
}
