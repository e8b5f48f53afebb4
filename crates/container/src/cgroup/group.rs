//! The groups of one container.

use super::layout::{Hierarchy, Version};
use super::{Error, Layout, files, memory};
use model::runtime::spec::CgroupSetting;
use rustix::fs::{CWD, Mode, OFlags, openat};
use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// The groups of one container, one in each hierarchy. Holds no descriptors.
#[derive(Clone, Debug)]
pub struct Cgroup {
    pub(super) layout: Layout,
    pub(super) path: String,
}

/// Below a container's group of version 2, where programs are put that come from outside: a group
/// that has controllers enabled for its children takes no processes itself.
pub(super) const LEAF: &str = ".lxc";

impl Cgroup {
    /// The groups at a path, relative to the root of each hierarchy. Whether they exist is not
    /// looked at: what is done with groups that are gone fails then, or succeeds for removing.
    ///
    /// # Errors
    /// [`Error::BadPath`].
    pub fn open(layout: &Layout, path: &str) -> Result<Self, Error> {
        let plain = Path::new(path).components().all(|c| matches!(c, Component::Normal(_)));
        if path.is_empty() || !plain || path.contains('\0') {
            return Err(Error::BadPath(path.to_owned()));
        }
        Ok(Self { layout: layout.clone(), path: path.to_owned() })
    }

    /// The path, relative to the root of each hierarchy.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether any of the groups exists.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.layout.hierarchies.iter().any(|h| self.dir(h).is_dir())
    }

    pub(super) fn dir(&self, hierarchy: &Hierarchy) -> PathBuf {
        hierarchy.dir.join(&self.path)
    }

    /// The directory of the group that has a controller.
    pub(super) fn dir_with(&self, controller: &str) -> Option<(Version, PathBuf)> {
        let hierarchy = self.layout.with(controller)?;
        Some((hierarchy.version, self.dir(hierarchy)))
    }

    /// The directory of the group of version 2.
    pub(super) fn unified_dir(&self) -> Option<PathBuf> {
        self.layout.unified().map(|hierarchy| self.dir(hierarchy))
    }

    /// The directory of the unified group, to clone into. `None`: the host has only version 1.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn unified(&self) -> Result<Option<OwnedFd>, Error> {
        self.unified_dir().map(|dir| open_dir(&dir)).transpose()
    }

    /// The same for a leaf below it, which is made if it is missing.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn unified_leaf(&self) -> Result<Option<OwnedFd>, Error> {
        let Some(dir) = self.unified_dir() else {
            return Ok(None);
        };
        let leaf = dir.join(LEAF);
        match std::fs::create_dir(&leaf) {
            Err(source) if source.kind() != std::io::ErrorKind::AlreadyExists => {
                Err(files::failed("make", &leaf, source))
            }
            _ => open_dir(&leaf).map(Some),
        }
    }

    /// The files of version 1 that a process with one thread writes `0` to in order to enter.
    ///
    /// A thread that moves itself waits for nobody; moving a process from outside, or through
    /// `cgroup.procs`, takes a lock that costs a grace period of several milliseconds.
    #[must_use]
    pub fn doors(&self) -> Vec<CString> {
        self.layout
            .hierarchies
            .iter()
            .filter(|hierarchy| hierarchy.version == Version::V1)
            .filter_map(|h| CString::new(self.dir(h).join("tasks").as_os_str().as_bytes()).ok())
            .collect()
    }

    /// Move a process into every group. Costs several milliseconds.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn attach(&self, pid: i32) -> Result<(), Error> {
        for hierarchy in self.layout.hierarchies.iter() {
            files::write(&self.dir(hierarchy).join("cgroup.procs"), &pid.to_string())?;
        }
        Ok(())
    }

    /// Whether its group that has a controller has a file.
    #[must_use]
    pub fn has(&self, controller: &str, file: &str) -> bool {
        self.dir_with(controller).is_some_and(|(_, dir)| dir.join(file).exists())
    }

    /// Write one setting where its controller is. False: this host lacks the controller, or that
    /// version of it has no such file.
    ///
    /// # Errors
    /// [`Error::File`], when the kernel refuses the value; [`Error::MemoryInUse`].
    pub fn set(&self, setting: &CgroupSetting) -> Result<bool, Error> {
        // A name with a slash would be another group's file.
        if setting.file.contains('/') {
            return Err(Error::BadPath(setting.file.clone()));
        }
        let Some((_, dir)) = self.dir_with(&setting.controller) else {
            return Ok(false);
        };
        memory::write_limit(&dir, &setting.file, &setting.value)
    }
}

fn open_dir(path: &Path) -> Result<OwnedFd, Error> {
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(CWD, path, flags, Mode::empty()).map_err(|error| files::failed("open", path, error.into()))
}
