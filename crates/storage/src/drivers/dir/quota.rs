//! Sizes of volumes, where the file system counts by projects (ext4 with the feature `project`, XFS; mounted
//! with `prjquota`): every volume's directory is a project of its own.

use super::State;
use crate::error::{Error, io_error};
use crate::volume::Volume;
use model::units::Bytes;
use rustix::fs::{CWD, Mode, OFlags, fstat, openat};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::sync::PoisonError;
use std::time::Duration;

/// How many numbers are tried for a project that nothing has.
const TRIES: u32 = 1000;
/// How often and how long the file system is waited for that still counts removed files.
const WAITS: u32 = 20;
const WAIT: Duration = Duration::from_millis(50);

impl State {
    /// Finds out whether the file system that the pool is on keeps quotas. To be called when it is mounted.
    pub(super) fn look_for_quotas(&self) -> bool {
        let keeps = enforces(&self.paths.mount) && {
            let place = open(&self.paths.mount);
            place.is_ok_and(|place| sys::quotactl::project(place.as_fd(), 0).is_ok())
        };
        *self.quotas.lock().unwrap_or_else(PoisonError::into_inner) = Some(keeps);
        keeps
    }

    /// True if volumes can have sizes.
    pub(super) fn keeps_quotas(&self) -> bool {
        let known = *self.quotas.lock().unwrap_or_else(PoisonError::into_inner);
        known.unwrap_or_else(|| self.look_for_quotas())
    }

    /// Makes an empty directory a project of its own, with a limit if there is to be one.
    pub(super) fn begin_quota(&self, path: &Path, size: Option<Bytes>) -> Result<(), Error> {
        if !self.keeps_quotas() {
            return Ok(());
        }
        let directory = open(path)?;
        let failed = |errno| io_error("count the files in", path)(errno);
        // The number of its inode is free, unless it had to be cut short or somebody else counts too.
        let inode = fstat(&directory).map_err(io_error("look at", path))?.st_ino;
        let first = u32::try_from(inode & u64::from(u32::MAX)).unwrap_or_default();
        for number in (0..TRIES).map(|offset| first.wrapping_add(offset)) {
            if number == 0 || number == u32::MAX {
                continue;
            }
            let taken = sys::quotactl::project(directory.as_fd(), number);
            if taken.is_ok_and(|quota| quota.used > 0 || quota.limit > 0) {
                continue;
            }
            sys::fsxattr::set_project(directory.as_fd(), number).map_err(failed)?;
            if let Some(size) = size {
                sys::quotactl::set_project_limit(directory.as_fd(), number, size.0).map_err(failed)?;
            }
            return Ok(());
        }
        Err(failed(rustix::io::Errno::USERS))
    }

    /// Gives a volume another size.
    pub(super) fn resize(&self, volume: &Volume, size: Option<Bytes>) -> Result<(), Error> {
        self.expect(volume)?;
        if !self.keeps_quotas() {
            return Ok(());
        }
        let path = self.paths.volume(volume);
        let directory = open(&path)?;
        let failed = |errno| io_error("limit the size of", &path)(errno);
        let project = sys::fsxattr::project(directory.as_fd()).map_err(failed)?;
        let cannot = |why: String| Error::Cannot {
            pool: self.pool.clone(),
            driver: "dir",
            what: format!("change the size of the {volume}"),
            why,
        };
        if project == 0 {
            return match size {
                None => Ok(()),
                Some(_) => Err(cannot("it was made before its file system kept quotas; copy it".to_owned())),
            };
        }
        let wanted = size.map_or(0, |size| size.0);
        let mut used = sys::quotactl::project(directory.as_fd(), project).map_err(failed)?.used;
        for _ in 0..WAITS {
            if wanted == 0 || used <= wanted {
                break;
            }
            // XFS frees what was removed in the background, and sooner when it is asked how full it is.
            let _ = rustix::fs::fstatvfs(&directory);
            std::thread::sleep(WAIT);
            used = sys::quotactl::project(directory.as_fd(), project).map_err(failed)?.used;
        }
        if wanted > 0 && used > wanted {
            let used = Bytes(used).human_binary(2);
            return Err(cannot(format!("its files take {used}; remove some first")));
        }
        sys::quotactl::set_project_limit(directory.as_fd(), project, wanted).map_err(failed)
    }

    /// Bytes that a volume takes; `None`: nobody counts.
    pub(super) fn counted(&self, volume: &Volume) -> Result<Option<u64>, Error> {
        self.expect(volume)?;
        if !self.keeps_quotas() {
            return Ok(None);
        }
        let path = self.paths.volume(volume);
        let directory = open(&path)?;
        let failed = |errno| io_error("count the files in", &path)(errno);
        match sys::fsxattr::project(directory.as_fd()).map_err(failed)? {
            0 => Ok(None),
            project => Ok(Some(sys::quotactl::project(directory.as_fd(), project).map_err(failed)?.used)),
        }
    }

    /// Forgets the limit of a volume that goes. That it stays would only be in the way of another one.
    pub(super) fn end_quota(&self, path: &Path) {
        if !self.keeps_quotas() {
            return;
        }
        let Ok(directory) = open(path) else { return };
        if let Ok(project) = sys::fsxattr::project(directory.as_fd())
            && project != 0
            && let Err(errno) = sys::quotactl::set_project_limit(directory.as_fd(), project, 0)
        {
            tracing::warn!(path = %path.display(), %errno, "cannot forget the size of a volume");
        }
    }
}

fn open(path: &Path) -> Result<OwnedFd, Error> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(CWD, path, flags, Mode::empty()).map_err(io_error("open", path))
}

/// True if the file system that a directory is on was mounted to enforce limits of projects.
fn enforces(path: &Path) -> bool {
    let Ok(place) = open(path) else { return false };
    let Ok(stat) = fstat(&place) else { return false };
    let device = format!("{}:{}", rustix::fs::major(stat.st_dev), rustix::fs::minor(stat.st_dev));
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    says_so(&mounts, &device)
}

/// `proc_pid_mountinfo(5)`: the third field is the device, the last one the options of the file system.
fn says_so(mounts: &str, device: &str) -> bool {
    mounts.lines().any(|line| {
        line.split(' ').nth(2) == Some(device)
            && line.rsplit(' ').next().is_some_and(|options| {
                options.split(',').any(|option| matches!(option, "prjquota" | "pquota"))
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_that_enforce_limits_of_projects() {
        let mounts = "29 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard\n\
                      35 29 7:1 / /srv rw - xfs /dev/loop1 rw,attr2,prjquota\n";
        assert!(says_so(mounts, "7:1"));
        assert!(!says_so(mounts, "254:0") && !says_so(mounts, "7:10"));
    }
}
