//! A storage pool: one driver, its volumes, and the links that lead to them.

use crate::config::{DriverKind, PoolConfig};
use crate::drivers::{self, Capabilities, Driver, Repaired, Resources, VolumeSource};
use crate::error::{EnsureError, Error, io_error};
use crate::image_slots::{Ensured, ImageSlots};
use crate::paths::PoolPaths;
use model::{Fingerprint, InstanceName, PoolName};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

mod receive;
mod snapshots;

/// The part of a pool that the containers are in.
const CONTAINERS: &str = "containers";

/// A pool. Cloning gives another handle to the same pool.
///
/// The caller sees to it that one container is not changed by two calls at once; images may be
/// asked for by any number of callers.
#[derive(Clone)]
pub struct Pool {
    inner: Arc<Inner>,
}

struct Inner {
    name: PoolName,
    kind: DriverKind,
    paths: PoolPaths,
    driver: Box<dyn Driver>,
    images: ImageSlots,
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
        let pool = Self::open(var, name, kind, config)?;
        let source = pool.inner.driver.create().await?;
        let mut recorded = config.clone();
        recorded.retain(|_, value| !value.is_empty());
        if let Some(given) = recorded.get("source").cloned() {
            recorded.insert("volatile.initial_source".into(), given);
        }
        recorded.insert("source".into(), source.display().to_string());
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
        Ok(Self { inner: Arc::new(Inner { name, kind, paths, driver, images: ImageSlots::default() }) })
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
        let known = [
            ("containers", self.inner.driver.containers().await?),
            ("snapshots", self.inner.driver.snapshotted().await?),
        ];
        let inner = self.inner.clone();
        blocking(move || {
            for (part, names) in known {
                inner.mend_links(part, &names, &mut repaired)?;
            }
            Ok(repaired)
        })
        .await
    }

    /// Removes the pool. Its images go with it.
    ///
    /// # Errors
    /// [`Error::PoolInUse`] while it has containers; others.
    pub async fn delete(&self) -> Result<(), Error> {
        if !self.inner.driver.containers().await?.is_empty() {
            return Err(Error::PoolInUse { pool: self.inner.name.clone(), what: "containers" });
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

    /// Sees to it that an image has its volume. If it has none, `fill` is called with a path that
    /// does not exist yet and makes a directory there; concurrent calls for the same image wait for
    /// the first one, and the next tries if that fails.
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
        let driver = &self.inner.driver;
        if driver.has_image(fingerprint).await? {
            return Ok(Ensured::Present);
        }
        let mut fill = Some(fill);
        loop {
            let make = async {
                // Between the look above and here another one may have finished.
                if driver.has_image(fingerprint).await? {
                    return Ok(());
                }
                let Some(fill) = fill.take() else { return Ok(()) };
                let staged = driver.stage_image(fingerprint).await?;
                if let Err(error) = fill(staged.clone()).await {
                    driver.discard_image(staged).await?;
                    return Err(EnsureError::Fill(error));
                }
                driver.commit_image(staged, fingerprint).await?;
                Ok::<(), EnsureError<E>>(())
            };
            self.inner.images.once(fingerprint, make).await?;
            // What was waited for may have been deleted since.
            if fill.is_none() || driver.has_image(fingerprint).await? {
                return Ok(Ensured::Made);
            }
        }
    }

    /// True if an image has its volume.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn has_image(&self, fingerprint: &Fingerprint) -> Result<bool, Error> {
        self.inner.driver.has_image(fingerprint).await
    }

    /// Images with volumes, sorted.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn images(&self) -> Result<Vec<Fingerprint>, Error> {
        self.inner.driver.images().await
    }

    /// Removes an image's volume. Containers made of it stay. False: it has none.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn delete_image(&self, fingerprint: &Fingerprint) -> Result<bool, Error> {
        self.inner.driver.delete_image(fingerprint).await
    }

    /// Containers with volumes, sorted: what is on disk, whatever the database says.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn containers(&self) -> Result<Vec<InstanceName>, Error> {
        self.inner.driver.containers().await
    }

    /// A container's volume: `metadata.yaml`, `templates/` and `rootfs/` are in it.
    #[must_use]
    pub fn container_path(&self, name: &InstanceName) -> PathBuf {
        self.inner.paths.container(name)
    }

    /// A container's root file system.
    #[must_use]
    pub fn rootfs_path(&self, name: &InstanceName) -> PathBuf {
        self.inner.paths.container(name).join("rootfs")
    }

    /// Makes a container's volume and its link.
    ///
    /// # Errors
    /// [`Error`]; nothing of it remains then.
    pub async fn create_container(&self, name: &InstanceName, source: VolumeSource) -> Result<(), Error> {
        self.inner.driver.create_container(name, source).await?;
        let (inner, of) = (self.inner.clone(), name.clone());
        if let Err(error) = blocking(move || inner.make_link(CONTAINERS, &of)).await {
            self.inner.driver.delete_container(name).await?;
            return Err(error);
        }
        Ok(())
    }

    /// Removes a container's volume and its link. False: it had none. The name is free at once;
    /// the space is freed in the background, see [`settle`](Self::settle).
    ///
    /// # Errors
    /// [`Error`].
    pub async fn delete_container(&self, name: &InstanceName) -> Result<bool, Error> {
        let (inner, of) = (self.inner.clone(), name.clone());
        blocking(move || inner.remove_link(CONTAINERS, &of)).await?;
        self.inner.driver.delete_container(name).await
    }

    /// Gives a container's volume another name.
    ///
    /// # Errors
    /// [`Error::NoContainer`], [`Error::ContainerExists`], others.
    pub async fn rename_container(&self, old: &InstanceName, new: &InstanceName) -> Result<(), Error> {
        self.inner.driver.rename_container(old, new).await?;
        let (inner, old, new) = (self.inner.clone(), old.clone(), new.clone());
        blocking(move || inner.make_link(CONTAINERS, &new).and_then(|()| inner.remove_link(CONTAINERS, &old)))
            .await
    }

    /// How many bytes a container takes on disk.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn container_usage(&self, name: &InstanceName) -> Result<u64, Error> {
        self.inner.driver.container_usage(name).await
    }
}

impl Inner {
    /// Makes `<var>/<part>/<c>`; a link of ours to elsewhere is replaced.
    fn make_link(&self, part: &str, name: &InstanceName) -> Result<(), Error> {
        let (link, target) = (self.paths.link(part, name), self.paths.part(part).join(name));
        if std::fs::read_link(&link).is_ok_and(|found| found == target) {
            return Ok(());
        }
        self.remove_link(part, name)?;
        std::os::unix::fs::symlink(&target, &link).map_err(io_error("make the link", link))
    }

    fn remove_link(&self, part: &str, name: &InstanceName) -> Result<(), Error> {
        let link = self.paths.link(part, name);
        match std::fs::read_link(&link) {
            Ok(_) => match std::fs::remove_file(&link) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    Err(io_error("remove the link", link)(error))
                }
                _ => Ok(()),
            },
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            // EINVAL: it is something else than a link.
            Err(error) if error.kind() == ErrorKind::InvalidInput => Err(Error::InTheWay { path: link }),
            Err(error) => Err(io_error("read the link", link)(error)),
        }
    }

    /// Every container has its link, and no link leads to nothing in this pool.
    fn mend_links(&self, part: &str, known: &[InstanceName], repaired: &mut Repaired) -> Result<(), Error> {
        let links = self.paths.links(part);
        let ours = self.paths.part(part);
        for entry in std::fs::read_dir(&links).map_err(io_error("read", &links))? {
            let path = entry.map_err(io_error("read", &links))?.path();
            let leads_to_nothing =
                std::fs::read_link(&path).is_ok_and(|to| to.parent() == Some(&ours) && !to.exists());
            if leads_to_nothing {
                match std::fs::remove_file(&path) {
                    Ok(()) => repaired.links.push(path),
                    Err(error) => {
                        repaired.failed.push((path.clone(), io_error("remove the link", path)(error)));
                    }
                }
            }
        }
        for name in known {
            let link = self.paths.link(part, name);
            if std::fs::read_link(&link).is_ok_and(|to| to == ours.join(name)) {
                continue;
            }
            match self.make_link(part, name) {
                Ok(()) => repaired.links.push(link),
                Err(error) => repaired.failed.push((link, error)),
            }
        }
        Ok(())
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
