//! A place inside a root file system that something is mounted on.
//!
//! The container writes its file system, so links in it point wherever it likes. The kernel keeps
//! the look-up inside the root (`openat2(2)`), and what was looked up is what is mounted on: the
//! descriptor, never the path.

use model::runtime::spec::Create;
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, makedev, mkdirat, mknodat, openat2};
use rustix::io::{Errno, Result as IoResult};
use rustix::mount::{MoveMountFlags, move_mount};
use std::ffi::{CString, NulError};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Component, Path};

/// Whether links may be followed on the way (never out of the root).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Links {
    Inside,
    Refused,
}

/// A path inside the root, cut into pieces before the clone.
#[derive(Debug)]
pub(crate) struct Place {
    /// Each prefix of the path, and its last name.
    steps: Vec<(CString, CString)>,
    links: Links,
}

/// Why a path is none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadPlace {
    #[error("the path is empty or has `..` in it")]
    NotPlain,
    #[error("the path has a zero byte in it")]
    Zero(#[from] NulError),
}

impl Place {
    pub(crate) fn new(path: &str, links: Links) -> Result<Self, BadPlace> {
        let mut steps = Vec::new();
        let mut prefix = String::new();
        for component in Path::new(path).components() {
            match component {
                Component::RootDir | Component::CurDir => {}
                Component::Normal(name) => {
                    let name = name.to_str().unwrap_or_default();
                    if !prefix.is_empty() {
                        prefix.push('/');
                    }
                    prefix.push_str(name);
                    steps.push((CString::new(prefix.as_str())?, CString::new(name)?));
                }
                _ => return Err(BadPlace::NotPlain),
            }
        }
        if steps.is_empty() {
            return Err(BadPlace::NotPlain);
        }
        Ok(Self { steps, links })
    }

    fn look(&self, root: BorrowedFd<'_>, path: &CString) -> IoResult<OwnedFd> {
        let mut resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        if self.links == Links::Refused {
            resolve |= ResolveFlags::NO_SYMLINKS;
        }
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let mut tries = 0;
        loop {
            // Somebody renamed something meanwhile: the kernel asks to try again.
            match openat2(root, path, flags, Mode::empty(), resolve) {
                Err(Errno::AGAIN) if tries < 16 => tries += 1,
                other => return other,
            }
        }
    }

    /// Look the place up.
    pub(crate) fn open(&self, root: BorrowedFd<'_>) -> IoResult<OwnedFd> {
        let (path, _) = self.steps.last().ok_or(Errno::INVAL)?;
        self.look(root, path)
    }

    /// Look up the directory that the place is in, and its name there.
    pub(crate) fn parent(&self, root: BorrowedFd<'_>) -> IoResult<(OwnedFd, &CString)> {
        let (_, name) = self.steps.last().ok_or(Errno::INVAL)?;
        let above = match self.steps.len().checked_sub(2).and_then(|n| self.steps.get(n)) {
            Some((path, _)) => self.look(root, path)?,
            None => rustix::io::fcntl_dupfd_cloexec(root, 3)?,
        };
        Ok((above, name))
    }

    /// Look the place up; make what is missing of it.
    pub(crate) fn open_or_make(&self, root: BorrowedFd<'_>, what: Create) -> IoResult<OwnedFd> {
        match self.open(root) {
            Err(Errno::NOENT) => {}
            other => return other,
        }
        let mut above: Option<OwnedFd> = None;
        for (n, (path, name)) in self.steps.iter().enumerate() {
            let here = match self.look(root, path) {
                Err(Errno::NOENT) => {
                    use std::os::fd::AsFd;
                    let dir = above.as_ref().map_or(root, AsFd::as_fd);
                    let last = n + 1 == self.steps.len();
                    let made = if last && what == Create::File {
                        mknodat(dir, name, FileType::RegularFile, Mode::from(0o644), makedev(0, 0))
                    } else {
                        mkdirat(dir, name, Mode::from(0o755))
                    };
                    match made {
                        // A link that leads nowhere, or somebody else was faster.
                        Ok(()) | Err(Errno::EXIST) => self.look(root, path)?,
                        Err(errno) => return Err(errno),
                    }
                }
                other => other?,
            };
            above = Some(here);
        }
        above.ok_or(Errno::INVAL)
    }
}

/// Attach a detached mount to a place that was looked up.
pub(crate) fn attach(mount: BorrowedFd<'_>, place: BorrowedFd<'_>) -> IoResult<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(mount, c"", place, c"", flags)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;
    use std::os::unix::fs::symlink;

    fn place(path: &str, links: Links) -> Place {
        Place::new(path, links).unwrap()
    }

    #[test]
    fn missing_parts_are_made_inside() {
        let dir = tempfile::tempdir().unwrap();
        let root = std::fs::File::open(dir.path()).unwrap();
        let file = place("a/b/c", Links::Inside);
        assert_eq!(file.open(root.as_fd()).unwrap_err(), Errno::NOENT);
        file.open_or_make(root.as_fd(), Create::File).unwrap();
        assert!(dir.path().join("a/b/c").is_file());
        place("/a/d/", Links::Inside).open_or_make(root.as_fd(), Create::Dir).unwrap();
        assert!(dir.path().join("a/d").is_dir());
    }

    #[test]
    fn links_lead_to_places_inside_only() {
        let outside = tempfile::tempdir().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let root = std::fs::File::open(dir.path()).unwrap();
        symlink(outside.path(), dir.path().join("absolute")).unwrap();
        symlink("../../../../../../../../etc", dir.path().join("upwards")).unwrap();
        for name in ["absolute/x", "upwards/x"] {
            let made = place(name, Links::Inside).open_or_make(root.as_fd(), Create::Dir);
            assert!(made.is_err(), "{name}");
        }
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
        std::fs::create_dir(dir.path().join("etc")).unwrap();
        place("upwards/x", Links::Inside).open_or_make(root.as_fd(), Create::Dir).unwrap();
        assert!(dir.path().join("etc/x").is_dir());
        let refused = place("upwards/x", Links::Refused).open(root.as_fd());
        assert_eq!(refused.unwrap_err(), Errno::LOOP);
        symlink("/proc/self/root/etc", dir.path().join("magic")).unwrap();
        assert!(place("magic", Links::Inside).open(root.as_fd()).is_err());
    }

    #[test]
    fn paths_that_are_none() {
        for path in ["", "/", "a/../b", "..", "a\0"] {
            assert!(Place::new(path, Links::Inside).is_err(), "{path:?}");
        }
    }
}
