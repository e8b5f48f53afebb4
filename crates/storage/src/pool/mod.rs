//! A storage pool: one driver, its volumes, and the links that lead to them.

use crate::config::{DriverKind, PoolConfig, VolumeConfig};
use crate::drivers::{self, Capabilities, Driver, Repaired, Resources};
use crate::error::{EnsureError, Error};
use crate::image_slots::{Ensured, ImageSlots};
use crate::paths::PoolPaths;
use crate::turns::Turns;
use crate::volume::{Kind, Volume};
use model::{Fingerprint, InstanceName, PoolName};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

mod drafts;
mod links;
mod mounted;
mod room;
mod transfer;
mod volumes;

pub use mounted::Mounted;
pub use transfer::Parcel;

/// A pool. Cloning gives another handle to the same pool.
///
/// Changes of one volume wait for each other; those of different volumes do not.
#[derive(Clone)]
pub struct Pool {
    inner: Arc<Inner>,
}

struct Inner {
    name: PoolName,
    kind: DriverKind,
    config: PoolConfig,
    paths: PoolPaths,
    driver: Box<dyn Driver>,
    images: ImageSlots,
    turns: Turns,
    users: mounted::Users,
}

impl Pool {
    /// Makes a new pool below `var`, and mounts it. Returns it with the configuration to record.
    ///
    /// # Errors
    /// [`Error`]; nothing remains of the pool then.
    pub async fn create(
        var: &Path,
        name: PoolName,
        kind: DriverKind,
        config: &BTreeMap<String, String>,
    ) -> Result<(Self, BTreeMap<String, String>), Error> {
        let made = Self::open(var, name.clone(), kind, config)?.inner.driver.create().await?;
        let mut recorded = config.clone();
        recorded.retain(|_, value| !value.is_empty());
        if let Some(given) = recorded.get("source").cloned() {
            recorded.insert("volatile.initial_source".into(), given);
        }
        recorded.extend(made);
        recorded.retain(|_, value| !value.is_empty());
        // What was recorded tells the driver more than what was given.
        let pool = Self::open(var, name, kind, &recorded)?;
        Ok((pool, recorded))
    }

    /// A handle to a pool that was made before. Touches nothing.
    ///
    /// # Errors
    /// [`Error::Config`].
    pub fn open(
        var: &Path,
        name: PoolName,
        kind: DriverKind,
        config: &BTreeMap<String, String>,
    ) -> Result<Self, Error> {
        let config = PoolConfig::parse(kind, config)?;
        let paths = PoolPaths::new(var, &name);
        let driver = drivers::driver(kind, &name, &config, paths.clone());
        let (images, turns) = (ImageSlots::default(), Turns::default());
        let users = mounted::Users::default();
        Ok(Self { inner: Arc::new(Inner { name, kind, config, paths, driver, images, turns, users }) })
    }

    /// Makes another configuration take effect. Returns the pool as it is from now on, and what is to be
    /// recorded.
    ///
    /// # Errors
    /// [`Error::Config`]: wrong, or it changes what must stay; others. The pool is as it was then.
    pub async fn update(
        &self,
        old: &BTreeMap<String, String>,
        new: &BTreeMap<String, String>,
    ) -> Result<(Self, BTreeMap<String, String>), Error> {
        let inner = &self.inner;
        let config = PoolConfig::check_update(inner.kind, old, new)?;
        inner.driver.update(&config).await?;
        let mut recorded = new.clone();
        recorded.retain(|_, value| !value.is_empty());
        let driver = drivers::driver(inner.kind, &inner.name, &config, inner.paths.clone());
        let pool = Inner {
            name: inner.name.clone(),
            kind: inner.kind,
            config,
            paths: inner.paths.clone(),
            driver,
            images: ImageSlots::default(),
            turns: inner.turns.clone(),
            users: inner.users.clone(),
        };
        Ok((Self { inner: Arc::new(pool) }, recorded))
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &PoolName {
        &self.inner.name
    }

    /// Its driver.
    #[must_use]
    pub fn kind(&self) -> DriverKind {
        self.inner.kind
    }

    /// Its configuration.
    #[must_use]
    pub fn config(&self) -> &PoolConfig {
        &self.inner.config
    }

    /// What its driver can do by itself.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        self.inner.driver.capabilities()
    }

    /// Where it is: `<var>/storage-pools/<pool>`.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.inner.paths.mount
    }

    /// Makes it usable, at every start of the daemon. False: it was.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn mount(&self) -> Result<bool, Error> {
        self.inner.driver.mount().await
    }

    /// Reverses [`mount`](Self::mount). False: it was not mounted.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn unmount(&self) -> Result<bool, Error> {
        self.inner.driver.unmount().await
    }

    /// Removes what a crash left behind, and mends the links to its containers. To be called after
    /// [`mount`](Self::mount), before anything else.
    ///
    /// # Errors
    /// [`Error`]: the pool cannot be read. Single things that cannot be mended are in the result.
    pub async fn repair(&self) -> Result<Repaired, Error> {
        let mut repaired = self.inner.driver.repair().await?;
        let mut known: [Vec<InstanceName>; 2] = [Vec::new(), Vec::new()];
        for (names, kind) in known.iter_mut().zip([Kind::Container, Kind::ContainerSnapshot]) {
            names.extend(self.inner.driver.volumes(kind).await?.into_iter().filter_map(
                |volume| match volume {
                    Volume::Container(name) | Volume::ContainerSnapshot(name, _) => Some(name),
                    Volume::Image(_) | Volume::Custom(_) | Volume::CustomSnapshot(..) => None,
                },
            ));
            names.dedup();
        }
        let inner = self.inner.clone();
        blocking(move || {
            for (kind, names) in [Kind::Container, Kind::ContainerSnapshot].into_iter().zip(known) {
                inner.mend_links(kind.part(), &names, &mut repaired)?;
            }
            Ok(repaired)
        })
        .await
    }

    /// Removes the pool. Its images go with it.
    ///
    /// # Errors
    /// [`Error::PoolInUse`] while it has containers or custom volumes; others.
    pub async fn delete(&self) -> Result<(), Error> {
        for (kind, what) in [(Kind::Container, "containers"), (Kind::Custom, "custom volumes")] {
            if !self.inner.driver.volumes(kind).await?.is_empty() {
                return Err(Error::PoolInUse { pool: self.inner.name.clone(), what });
            }
        }
        self.inner.driver.settle().await?;
        self.inner.driver.delete().await
    }

    /// How full the file system under it is.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn resources(&self) -> Result<Resources, Error> {
        self.inner.driver.resources().await
    }

    /// Waits until everything that was deleted is gone from disk.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn settle(&self) -> Result<(), Error> {
        self.inner.driver.settle().await
    }

    /// Sees to it that an image has its volume. If it has none, `fill` is called with an empty directory;
    /// concurrent calls for the same image wait for the first one, and the next tries if that fails.
    ///
    /// # Errors
    /// [`EnsureError`]; no volume remains then.
    pub async fn ensure_image<E, F>(
        &self,
        fingerprint: &Fingerprint,
        fill: impl FnOnce(PathBuf) -> F + Send,
    ) -> Result<Ensured, EnsureError<E>>
    where
        E: std::error::Error + Send + 'static,
        F: Future<Output = Result<(), E>> + Send,
    {
        let image = Volume::Image(fingerprint.clone());
        if self.has(&image).await? {
            return Ok(Ensured::Present);
        }
        let mut fill = Some(fill);
        loop {
            let make = async {
                // Between the look above and here another one may have finished.
                if self.has(&image).await? {
                    return Ok(());
                }
                let Some(fill) = fill.take() else { return Ok(()) };
                let draft = self.draft(crate::VolumeSource::Empty, &VolumeConfig::default()).await?;
                if let Err(error) = fill(draft.path().to_owned()).await {
                    self.discard(draft).await?;
                    return Err(EnsureError::Fill(error));
                }
                self.finish(draft, &image).await?;
                Ok::<(), EnsureError<E>>(())
            };
            self.inner.images.once(fingerprint, make).await?;
            // What was waited for may have been deleted since.
            if fill.is_none() || self.has(&image).await? {
                return Ok(Ensured::Made);
            }
        }
    }
}

/// Runs blocking work where it may block.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    // A blocking task ends without a result only when the runtime is shut down.
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::ShuttingDown)?
}

#[cfg(test)]
mod tests;
