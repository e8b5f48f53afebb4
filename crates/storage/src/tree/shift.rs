//! Changes every owner in a tree from one id map to another.
//!
//! A change of owner takes set-uid bits and capabilities away; they are put back. Each file is held
//! by a descriptor from the first look to the last change.

use super::TreeError;
use super::directory::{Position, WITHIN, list, open_child, open_root};
use super::workers;
use super::xattrs::Subject;
use model::IdMap;
use model::idmap::Change;
use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, OFlags, Stat, Uid, chmodat, chownat, fstat, openat2};
use rustix::io::Errno;
use std::collections::HashSet;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

const ACLS: [&CStr; 2] = [c"system.posix_acl_access", c"system.posix_acl_default"];
const CAPABILITY: &CStr = c"security.capability";

/// What a change of owners did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shifted {
    /// Files, directories and everything else that were looked at.
    pub entries: u64,
    /// Those that have other owners, lists or capabilities now.
    pub changed: u64,
}

/// Changes all owners in the directory `root`, itself included, from what they are by `from` to
/// what they are by `to`. `None` is "ids on disk are the container's own".
///
/// The container must not run. Ids that `from` does not have stay. A change that was interrupted
/// can be done again, if the ranges of the two maps do not overlap.
///
/// # Errors
/// [`TreeError`]; part of the tree is changed then.
pub fn shift(root: &Path, from: Option<&IdMap>, to: Option<&IdMap>) -> Result<Shifted, TreeError> {
    let shift = Shift {
        change: Change { from, to },
        seen: Mutex::default(),
        entries: AtomicU64::new(0),
        changed: AtomicU64::new(0),
    };
    let directory = (open_root(root)?, Position::root(root));
    workers::run(Job::Root(directory), |job, jobs| {
        let directory = match job {
            Job::Root(directory) => Arc::new(directory),
            Job::Below(parent, name) => match open_child(parent.0.as_fd(), &name, &parent.1)? {
                Some(fd) => Arc::new((fd, parent.1.child(&name)?)),
                None => return Ok(()),
            },
        };
        let (fd, position) = &*directory;
        shift.one(fd.as_fd()).map_err(|(step, errno)| position.own_error(step, errno))?;
        for (name, kind) in list(fd, position)? {
            if kind == FileType::Directory {
                jobs.add(Job::Below(directory.clone(), name));
                continue;
            }
            match openat2(fd, name.as_c_str(), HOLD, Mode::empty(), WITHIN) {
                Ok(file) => {
                    shift.one(file.as_fd()).map_err(|(step, errno)| position.error(step, &name, errno))?;
                }
                Err(Errno::NOENT) => {}
                Err(Errno::XDEV) => return Err(TreeError::MountPoint { path: position.path_of(&name) }),
                Err(errno) => return Err(position.error("open", &name, errno)),
            }
        }
        Ok(())
    })?;
    Ok(Shifted { entries: shift.entries.into_inner(), changed: shift.changed.into_inner() })
}

const HOLD: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

type Directory = (OwnedFd, Arc<Position>);

enum Job {
    Root(Directory),
    Below(Arc<Directory>, CString),
}

struct Shift<'a> {
    change: Change<'a>,
    /// Files with several names, which must change once.
    seen: Mutex<HashSet<(u64, u64)>>,
    entries: AtomicU64,
    changed: AtomicU64,
}

type StepResult = Result<(), (&'static str, Errno)>;

impl Shift<'_> {
    fn one(&self, file: BorrowedFd<'_>) -> StepResult {
        self.entries.fetch_add(1, Ordering::Relaxed);
        let stat = fstat(file).map_err(|errno| ("look at", errno))?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind != FileType::Directory
            && stat.st_nlink > 1
            && !self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert((stat.st_dev, stat.st_ino))
        {
            return Ok(());
        }
        // Links have neither lists nor capabilities.
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        let held = match kind {
            FileType::RegularFile | FileType::Directory => Subject::held(file),
            _ => None,
        };
        let capabilities = match (&held, kind) {
            (Some(held), FileType::RegularFile) => {
                held.get(CAPABILITY).map_err(|errno| ("read the capabilities of", errno))?
            }
            _ => None,
        };
        let mut changed = self.owner(file, &stat, &path)?;
        if let (Some(held), Some(old)) = (&held, capabilities) {
            // They are gone if the owner has changed.
            let new = self.change.capabilities(&old).unwrap_or_else(|| old.clone());
            if changed || new != old {
                held.set(CAPABILITY, &new).map_err(|errno| ("set the capabilities of", errno))?;
                changed = true;
            }
        }
        if let Some(held) = &held {
            for name in ACLS {
                let acl = held.get(name).map_err(|errno| ("read the access control list of", errno))?;
                if let Some(new) = acl.and_then(|acl| self.change.acl(&acl)) {
                    held.set(name, &new).map_err(|errno| ("set the access control list of", errno))?;
                    changed = true;
                }
            }
        }
        if changed {
            self.changed.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    fn owner(&self, file: BorrowedFd<'_>, stat: &Stat, path: &str) -> Result<bool, (&'static str, Errno)> {
        let (uid, gid) = (self.change.uid(stat.st_uid), self.change.gid(stat.st_gid));
        if uid.is_none() && gid.is_none() {
            return Ok(false);
        }
        chownat(file, "", uid.map(Uid::from_raw), gid.map(Gid::from_raw), AtFlags::EMPTY_PATH)
            .map_err(|errno| ("set the owner of", errno))?;
        if stat.st_mode & 0o6000 != 0 && FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
            chmodat(CWD, path, Mode::from_raw_mode(stat.st_mode & 0o7777), AtFlags::empty())
                .map_err(|errno| ("set the mode of", errno))?;
        }
        Ok(true)
    }
}
