//! Where things lie under the daemon's directory (`LXD_DIR`), and with which modes they are made.

use crate::Error;
use rustix::fs::{Mode, OFlags};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// The daemon's directory and its log directory.
#[derive(Clone, Debug)]
pub(crate) struct Var {
    root: PathBuf,
    logs: PathBuf,
}

impl Var {
    /// Makes the directories that are missing and corrects the modes of the others.
    pub(crate) fn prepare(root: &Path, logs: &Path) -> Result<Self, Error> {
        let var = Self { root: root.to_owned(), logs: logs.to_owned() };
        for (path, mode) in [
            (root.to_owned(), 0o711),
            (root.join("database"), 0o700),
            (root.join("containers"), 0o711),
            (root.join("images"), 0o700),
            (root.join("devices"), 0o711),
            (root.join("devlxd"), 0o700),
            (root.join("networks"), 0o711),
            (root.join("storage-pools"), 0o711),
            (root.join("snapshots"), 0o700),
            (root.join("security"), 0o700),
            (logs.to_owned(), 0o700),
        ] {
            directory(&path, mode)?;
        }
        Ok(var)
    }

    /// Directories on every disk that the daemon's own files may be on.
    pub(crate) fn places(&self) -> Vec<PathBuf> {
        vec![self.root.clone(), self.root.join("database"), self.images(), self.logs.clone()]
    }

    /// The directory itself.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The database file.
    pub(crate) fn database(&self) -> PathBuf {
        self.root.join("database/lxd.db")
    }

    /// Names the boot of the host in which containers were last brought up.
    pub(crate) fn host_boot(&self) -> PathBuf {
        self.root.join("host-boot")
    }

    /// Where image files are kept.
    pub(crate) fn images(&self) -> PathBuf {
        self.root.join("images")
    }

    /// What image servers list.
    pub(crate) fn streams(&self) -> PathBuf {
        self.root.join("cache/simplestreams")
    }

    /// A unified image, or the metadata of a split one.
    pub(crate) fn image(&self, fingerprint: &str) -> PathBuf {
        self.root.join("images").join(fingerprint)
    }

    /// The root file system of a split image.
    pub(crate) fn image_rootfs(&self, fingerprint: &str) -> PathBuf {
        self.root.join("images").join(format!("{fingerprint}.rootfs"))
    }

    /// What a network's programs keep.
    pub(crate) fn network(&self, name: &str) -> PathBuf {
        self.root.join("networks").join(name)
    }

    /// What containers have at `/dev/lxd`.
    pub(crate) fn guests(&self) -> PathBuf {
        self.root.join("devlxd")
    }

    /// What a container has at `/dev/lxd`.
    pub(crate) fn guest(&self, name: &str) -> PathBuf {
        self.guests().join(name)
    }

    /// Device nodes of a running container, and what it was given.
    pub(crate) fn devices(&self, name: &str) -> PathBuf {
        self.root.join("devices").join(name)
    }

    /// The log directory of a container.
    pub(crate) fn log_dir(&self, name: &str) -> PathBuf {
        self.logs.join(name)
    }

    /// First part of the path of all control groups: two daemons never share one.
    pub(crate) fn cgroup_base(&self) -> String {
        // FNV-1a: stable across versions and machines, which `DefaultHasher` does not promise.
        let mut hash: u32 = 0x811c_9dc5;
        for byte in self.root.as_os_str().as_encoded_bytes() {
            hash = (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
        }
        format!("lxd-{hash:08x}")
    }
}

/// Makes a directory with exactly this mode, or gives an existing one this mode.
pub(crate) fn directory(path: &Path, mode: u32) -> Result<(), Error> {
    let failed = |source| Error::Path { doing: "make the directory", path: path.to_owned(), source };
    match std::fs::DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if let Some(parent) = path.parent() {
                directory(parent, 0o711)?;
            }
            std::fs::DirBuilder::new().mode(0o700).create(path).map_err(failed)?;
        }
        Err(error) => return Err(failed(error)),
    }
    let now = std::fs::symlink_metadata(path).map_err(failed)?;
    if now.permissions().mode() & 0o7777 != mode {
        let dir =
            rustix::fs::open(path, OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
                .map_err(|e| failed(e.into()))?;
        rustix::fs::fchmod(dir, Mode::from_raw_mode(mode)).map_err(|e| failed(e.into()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_what_the_layout_says_whatever_the_umask_was() {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().join("var");
        std::fs::create_dir(&root).unwrap();
        std::fs::set_permissions(&root, std::fs::Permissions::from_mode(0o777)).unwrap();
        Var::prepare(&root, &root.join("logs")).unwrap();
        let mode = |p: &str| std::fs::metadata(root.join(p)).unwrap().permissions().mode() & 0o7777;
        assert_eq!(
            (mode(""), mode("database"), mode("containers"), mode("logs")),
            (0o711, 0o700, 0o711, 0o700)
        );
    }

    #[test]
    fn two_directories_have_two_control_group_trees() {
        let temp = tempfile::tempdir().unwrap();
        let a = Var { root: temp.path().join("a"), logs: PathBuf::new() };
        let b = Var { root: temp.path().join("b"), logs: PathBuf::new() };
        assert_ne!(a.cgroup_base(), b.cgroup_base());
        assert_eq!(a.cgroup_base().len(), "lxd-01234567".len());
    }
}
