//! Pools for scenarios, and what scenarios do with them again and again.

use crate::drivers::{Config, Driver};
use crate::host::Host;
use crate::tree::{self, Tree};
use model::{Fingerprint, InstanceName, PoolName, SnapshotName, VolumeName};
use std::cell::Cell;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use storage::{EnsureError, Ensured, Error, Kind, Pool, Staged, Volume, VolumeConfig, VolumeSource};

/// A host with one driver.
pub(crate) struct Site {
    pub(crate) host: Host,
    pub(crate) driver: &'static Driver,
    count: Cell<u32>,
}

impl Site {
    pub(crate) fn new(host: Host, driver: &'static Driver) -> Self {
        Self { host, driver, count: Cell::new(0) }
    }

    /// A name that no pool had.
    pub(crate) fn unused(&self) -> String {
        self.count.set(self.count.get() + 1);
        format!("{}{}", self.host.prefix, self.count.get())
    }

    /// A new pool.
    pub(crate) async fn pool(&self) -> TestPool {
        self.pool_of(self.driver).await
    }

    /// A new pool of any driver.
    pub(crate) async fn pool_of(&self, driver: &'static Driver) -> TestPool {
        let name = self.unused();
        let config = (driver.config)(&self.host, &name);
        self.create(driver, &name, &config).await.unwrap()
    }

    /// Makes a pool.
    pub(crate) async fn create(
        &self,
        driver: &'static Driver,
        name: &str,
        config: &Config,
    ) -> Result<TestPool, Error> {
        let name = PoolName::parse(name).unwrap();
        self.host.uses(driver);
        let (pool, recorded) = Pool::create(&self.host.var(), name, driver.kind, config).await?;
        Ok(TestPool { pool, recorded, var: self.host.var() })
    }
}

/// A pool, what is recorded of it, and shorter ways to use it.
pub(crate) struct TestPool {
    pub(crate) pool: Pool,
    pub(crate) recorded: Config,
    /// The daemon's directory.
    pub(crate) var: PathBuf,
}

impl Deref for TestPool {
    type Target = Pool;

    fn deref(&self) -> &Pool {
        &self.pool
    }
}

pub(crate) fn none() -> VolumeConfig {
    VolumeConfig::default()
}

pub(crate) fn size(megabytes: u64) -> VolumeConfig {
    VolumeConfig { size: Some(model::units::Bytes(megabytes * 1_000_000)), ..none() }
}

pub(crate) fn fingerprint(digit: char) -> Fingerprint {
    Fingerprint::parse(&digit.to_string().repeat(64)).unwrap()
}

pub(crate) fn image(digit: char) -> Volume {
    Volume::Image(fingerprint(digit))
}

pub(crate) fn container(name: &str) -> Volume {
    Volume::Container(InstanceName::parse(name).unwrap())
}

pub(crate) fn custom(name: &str) -> Volume {
    Volume::Custom(VolumeName::parse(name).unwrap())
}

pub(crate) fn snap(name: &str) -> SnapshotName {
    SnapshotName::parse(name).unwrap()
}

pub(crate) fn snapshot(of: &Volume, name: &str) -> Volume {
    of.snapshot(&snap(name)).unwrap()
}

pub(crate) fn still(volume: &Volume) -> VolumeSource {
    VolumeSource::still(volume.clone())
}

/// A volume with snapshots that come along.
pub(crate) fn with(volume: &Volume, snapshots: &[&str]) -> VolumeSource {
    let snapshots = snapshots.iter().map(|name| snap(name)).collect();
    VolumeSource::Volume { volume: volume.clone(), snapshots, running: false }
}

/// Why an image could not be filled.
#[derive(Debug, thiserror::Error)]
#[error("the image is broken")]
pub(crate) struct Broken;

impl TestPool {
    /// A pool that was made by another process.
    pub(crate) fn open(var: &Path, name: &str, driver: storage::DriverKind, recorded: Config) -> Self {
        let name = PoolName::parse(name).unwrap();
        let pool = Pool::open(var, name, driver, &recorded).unwrap();
        Self { pool, recorded, var: var.to_owned() }
    }

    /// The same pool as a new daemon has it after the old one died.
    pub(crate) async fn after_a_crash(&self) -> Self {
        // The old one is not really dead: it would go on removing what the new one finds.
        self.settle().await.unwrap();
        let again = Self::open(&self.var, self.name().as_str(), self.kind(), self.recorded.clone());
        again.mount().await.unwrap();
        let repaired = again.repair().await.unwrap();
        assert!(repaired.failed.is_empty(), "not repaired: {:?}", repaired.failed);
        again
    }

    /// Makes an image of a few files.
    pub(crate) async fn image(&self, digit: char) -> Volume {
        self.fill_image(digit, tree::small).await.unwrap();
        image(digit)
    }

    /// Makes an image that is filled by `fill`.
    pub(crate) async fn fill_image(
        &self,
        digit: char,
        fill: impl FnOnce(&Path) + Send + 'static,
    ) -> Result<Ensured, EnsureError<Broken>> {
        self.ensure_image(&fingerprint(digit), |path| async move {
            blocking(move || {
                std::fs::write(path.join("metadata.yaml"), "architecture: x86_64\n").unwrap();
                std::fs::create_dir(path.join("rootfs")).unwrap();
                fill(&path.join("rootfs"));
            })
            .await;
            Ok(())
        })
        .await
    }

    /// A container of an image.
    pub(crate) async fn launch(&self, name: &str, of: &Volume) -> Volume {
        let volume = container(name);
        self.make(&volume, still(of), &none()).await.unwrap();
        volume
    }

    /// A snapshot.
    pub(crate) async fn take(&self, of: &Volume, name: &str) -> Volume {
        let volume = snapshot(of, name);
        self.make(&volume, still(of), &none()).await.unwrap();
        volume
    }

    /// Does something with a volume's files.
    pub(crate) async fn inside<T: Send + 'static>(
        &self,
        volume: &Volume,
        work: impl FnOnce(&Path) -> T + Send + 'static,
    ) -> T {
        let mounted = self.mount_volume(volume, &none()).await.unwrap();
        let path = mounted.path().to_owned();
        let result = blocking(move || work(&path)).await;
        drop(mounted);
        self.unmount_unused(volume).await.unwrap();
        result
    }

    /// Writes a file; `None` removes it.
    pub(crate) async fn write(&self, volume: &Volume, file: &str, content: impl Into<Option<&str>>) {
        let (file, content) = (file.to_owned(), content.into().map(str::to_owned));
        self.inside(volume, move |path| match content {
            Some(content) => std::fs::write(path.join(file), content).unwrap(),
            None => std::fs::remove_file(path.join(file)).unwrap(),
        })
        .await;
    }

    /// What a file says; `None`: it is not there.
    pub(crate) async fn read(&self, volume: &Volume, file: &str) -> Option<String> {
        let file = file.to_owned();
        self.inside(volume, move |path| std::fs::read_to_string(path.join(file)).ok()).await
    }

    /// All that is in a volume.
    pub(crate) async fn tree(&self, volume: &Volume) -> Tree {
        self.inside(volume, Tree::of).await
    }

    /// Names of a volume's snapshots.
    pub(crate) async fn snapshot_names(&self, of: &Volume) -> Vec<String> {
        let names = self.snapshots(of).await.unwrap();
        names.iter().map(|name| name.as_str().to_owned()).collect()
    }

    /// All volumes, hidden ones left out.
    pub(crate) async fn all(&self) -> Vec<Volume> {
        let mut all = Vec::new();
        for kind in Kind::ALL {
            all.extend(self.volumes(kind).await.unwrap());
        }
        all
    }

    /// Puts something in the place of a volume's content.
    pub(crate) async fn restore(&self, volume: &Volume, from: &Volume) -> Staged {
        let staged = self.stage(volume, still(from), &none()).await.unwrap();
        self.commit_staged(volume, staged.clone()).await.unwrap();
        staged
    }

    /// Removes what must be there.
    pub(crate) async fn remove(&self, volume: &Volume) {
        assert!(self.delete_volume(volume).await.unwrap(), "{volume} was not there");
        assert!(!self.has(volume).await.unwrap(), "{volume} is there after it was deleted");
    }

    /// Removes the pool with everything in it.
    pub(crate) async fn end(self) {
        for kind in
            [Kind::Container, Kind::Custom, Kind::Image, Kind::ContainerSnapshot, Kind::CustomSnapshot]
        {
            for volume in self.volumes(kind).await.unwrap() {
                self.delete_volume(&volume).await.unwrap();
            }
        }
        self.settle().await.unwrap();
        assert_eq!(self.all().await, []);
        self.delete().await.unwrap();
    }
}

/// Runs what reads or writes files.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
