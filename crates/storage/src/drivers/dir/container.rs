//! Volumes of containers.

use super::{State, Temporary, rename_new, set_mode, temporary, volumes};
use crate::drivers::VolumeSource;
use crate::error::{Error, io_error};
use crate::paths::PRIVATE;
use crate::tree::{self, CopyOptions};
use model::InstanceName;
use rustix::fs::{CWD, Mode, mkdirat};
use rustix::io::Errno;
use std::path::Path;

/// Mode of the root directory of an empty container.
const ROOTFS: Mode = Mode::from_raw_mode(0o755);

impl State {
    pub(super) fn containers(&self) -> Result<Vec<InstanceName>, Error> {
        volumes(&self.paths.part("containers"), |name| InstanceName::parse(name).ok())
    }

    pub(super) fn create_container(&self, name: &InstanceName, source: &VolumeSource) -> Result<(), Error> {
        let path = self.paths.container(name);
        let exists = || Error::ContainerExists { pool: self.pool.clone(), container: name.clone() };
        if path.symlink_metadata().is_ok() {
            return Err(exists());
        }
        let volume = Temporary::make(temporary(&self.paths.part("containers"), name.as_str()))?;
        self.fill(&volume.path, source)?;
        set_mode(&volume.path, PRIVATE)?;
        match volume.name(&path) {
            Ok(()) => Ok(()),
            Err(Errno::EXIST | Errno::NOTEMPTY) => Err(exists()),
            Err(errno) => Err(io_error("make", path)(errno)),
        }
    }

    /// Fills an empty directory with what a volume is made of.
    pub(super) fn fill(&self, path: &Path, source: &VolumeSource) -> Result<(), Error> {
        match source {
            VolumeSource::Empty => make_rootfs(path),
            VolumeSource::Image(fingerprint) => {
                if !self.has_image(fingerprint)? {
                    return Err(Error::NoImage { pool: self.pool.clone(), fingerprint: fingerprint.clone() });
                }
                self.copy(&self.paths.image(fingerprint), path, false)
            }
            VolumeSource::Container { name, running } => {
                self.expect_container(name)?;
                self.copy(&self.paths.container(name), path, *running)
            }
            VolumeSource::Snapshot { container, name } => {
                self.expect_snapshot(container, name)?;
                self.copy(&self.paths.snapshot(container, name), path, false)
            }
            VolumeSource::Received { from, stays } => {
                super::receive::tidy(from)?;
                if *stays { self.copy(from, path, false) } else { super::receive::take(from, path) }
            }
        }
    }

    fn copy(&self, from: &Path, to: &Path, live: bool) -> Result<(), Error> {
        tree::copy_tree(from, to, CopyOptions { live, reflink: &self.reflink })?;
        Ok(())
    }

    fn expect_container(&self, name: &InstanceName) -> Result<(), Error> {
        if self.paths.container(name).is_dir() {
            Ok(())
        } else {
            Err(Error::NoContainer { pool: self.pool.clone(), container: name.clone() })
        }
    }

    pub(super) fn delete_container(&self, name: &InstanceName) -> Result<bool, Error> {
        self.trash.take(&self.paths.part("containers"), &self.paths.container(name), name.as_str())
    }

    pub(super) fn rename_container(&self, old: &InstanceName, new: &InstanceName) -> Result<(), Error> {
        self.expect_container(old)?;
        let path = self.paths.container(new);
        match rename_new(&self.paths.container(old), &path) {
            Ok(()) => Ok(()),
            Err(Errno::EXIST | Errno::NOTEMPTY) => {
                Err(Error::ContainerExists { pool: self.pool.clone(), container: new.clone() })
            }
            Err(errno) => Err(io_error("rename a volume to", path)(errno)),
        }
    }

    pub(super) fn container_usage(&self, name: &InstanceName) -> Result<u64, Error> {
        self.expect_container(name)?;
        Ok(tree::usage(&self.paths.container(name))?)
    }
}

fn make_rootfs(volume: &Path) -> Result<(), Error> {
    let rootfs = volume.join("rootfs");
    mkdirat(CWD, &rootfs, Mode::RWXU).map_err(io_error("make", &rootfs))?;
    set_mode(&rootfs, ROOTFS)
}
