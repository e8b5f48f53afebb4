//! The pool's own directory: made, mounted, measured, removed.

use super::State;
use crate::drivers::Resources;
use crate::error::{Error, io_error};
use crate::paths::{PARTS, PASSABLE};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, StatxFlags, fchmod, mkdirat, openat, statvfs, statx};
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use std::io;
use std::path::{Path, PathBuf};

/// How often a pool that is busy is tried to be unmounted.
const TRIES: u32 = 20;
/// How long is waited between them.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(250);

impl State {
    /// The directory that the pool is on; `None`: the one inside the daemon's own.
    fn source(&self) -> Result<Option<PathBuf>, Error> {
        let Some(text) = &self.source else { return Ok(None) };
        let path = Path::new(text);
        let goes_up = path.components().any(|part| part == std::path::Component::ParentDir);
        if path.is_absolute() && !goes_up {
            return Ok(Some(path.components().collect()));
        }
        Err(Error::Source {
            source_name: text.clone(),
            driver: "dir",
            why: "give the absolute path of a directory".to_owned(),
        })
    }

    pub(super) fn create(&self) -> Result<PathBuf, Error> {
        let source = self.source()?.unwrap_or_else(|| self.paths.mount.clone());
        if source.starts_with(&self.paths.var) && source != self.paths.mount {
            return Err(Error::SourceInside { path: source, allowed: self.paths.mount.clone() });
        }
        let mut undo = Undo::default();
        // The directory of all pools may be missing in an empty daemon directory.
        if let Some(pools) = self.paths.mount.parent() {
            make(pools)?;
        }
        if make(&self.paths.mount)? {
            undo.directories.push(self.paths.mount.clone());
        } else if !is_empty(&self.paths.mount)? {
            return Err(Error::PoolExists { pool: self.pool.clone(), path: self.paths.mount.clone() });
        }
        if source != self.paths.mount {
            if make(&source)? {
                undo.directories.push(source.clone());
            } else if !is_empty(&source)? {
                return Err(Error::SourceNotEmpty { path: source });
            }
            if self.mount_source()? {
                undo.mounted = Some(self.paths.mount.clone());
            }
        }
        self.make_parts(&mut undo)?;
        undo.done = true;
        self.look_for_quotas();
        Ok(source)
    }

    fn make_parts(&self, undo: &mut Undo) -> Result<(), Error> {
        for (part, mode) in PARTS {
            let path = self.paths.part(part);
            if make_with(&path, mode)? {
                undo.parts.push(path);
            }
        }
        Ok(())
    }

    pub(super) fn mount(&self) -> Result<bool, Error> {
        make(&self.paths.mount)?;
        let mounted = self.mount_source()?;
        // Pools of older versions may lack a part.
        for (part, mode) in PARTS {
            make_with(&self.paths.part(part), mode)?;
        }
        self.look_for_quotas();
        Ok(mounted)
    }

    /// Binds a source elsewhere to the pool's directory. False: there is none, or it is mounted.
    fn mount_source(&self) -> Result<bool, Error> {
        let Some(source) = self.source()?.filter(|source| *source != self.paths.mount) else {
            return Ok(false);
        };
        if is_mount_point(&self.paths.mount)? {
            return Ok(false);
        }
        mount(&source, &self.paths.mount, c"none", MountFlags::BIND, None)
            .map_err(io_error("mount the pool's source on", &self.paths.mount))?;
        Ok(true)
    }

    pub(super) fn unmount(&self) -> Result<bool, Error> {
        if !is_mount_point(&self.paths.mount)? {
            return Ok(false);
        }
        for _ in 1..TRIES {
            match unmount(&self.paths.mount, UnmountFlags::NOFOLLOW) {
                // Whoever looked in a moment ago may still be there.
                Err(Errno::BUSY) => std::thread::sleep(PAUSE),
                result => return result.map(|()| true).map_err(io_error("unmount", &self.paths.mount)),
            }
        }
        unmount(&self.paths.mount, UnmountFlags::NOFOLLOW).map_err(io_error("unmount", &self.paths.mount))?;
        Ok(true)
    }

    pub(super) fn delete(&self) -> Result<(), Error> {
        for (part, _) in PARTS {
            crate::tree::remove_tree(&self.paths.part(part))?;
            tools::crash::step();
        }
        self.unmount()?;
        tools::crash::step();
        remove(&self.paths.mount)?;
        match self.source()?.filter(|source| *source != self.paths.mount) {
            // A directory that has other things, or is a mount point, is not ours alone.
            Some(source) => match std::fs::remove_dir(&source) {
                Err(error)
                    if !matches!(
                        error.kind(),
                        io::ErrorKind::NotFound
                            | io::ErrorKind::DirectoryNotEmpty
                            | io::ErrorKind::ResourceBusy
                    ) =>
                {
                    Err(io_error("remove", source)(error))
                }
                _ => Ok(()),
            },
            None => Ok(()),
        }
    }

    pub(super) fn resources(&self) -> Result<Resources, Error> {
        let stat =
            statvfs(&self.paths.mount).map_err(io_error("ask for the free space of", &self.paths.mount))?;
        Ok(Resources {
            space_used: stat.f_blocks.saturating_sub(stat.f_bfree).saturating_mul(stat.f_frsize),
            space_total: stat.f_blocks.saturating_mul(stat.f_frsize),
            inodes_used: stat.f_files.saturating_sub(stat.f_ffree),
            inodes_total: stat.f_files,
        })
    }
}

/// What a failed creation takes away again.
#[derive(Default)]
struct Undo {
    directories: Vec<PathBuf>,
    mounted: Option<PathBuf>,
    parts: Vec<PathBuf>,
    done: bool,
}

impl Drop for Undo {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        let report = |path: &Path, error: io::Error| {
            tracing::warn!(path = %path.display(), %error, "cannot undo the creation of a storage pool");
        };
        for path in self.parts.iter().rev() {
            std::fs::remove_dir(path).unwrap_or_else(|error| report(path, error));
        }
        if let Some(path) = &self.mounted {
            unmount(path, UnmountFlags::NOFOLLOW).unwrap_or_else(|errno| report(path, errno.into()));
        }
        for path in self.directories.iter().rev() {
            std::fs::remove_dir(path).unwrap_or_else(|error| report(path, error));
        }
    }
}

fn make(path: &Path) -> Result<bool, Error> {
    make_with(path, PASSABLE)
}

/// Makes a directory with its mode, whatever the umask is. False: it was there.
fn make_with(path: &Path, mode: Mode) -> Result<bool, Error> {
    match mkdirat(CWD, path, Mode::RWXU) {
        Ok(()) => {}
        Err(Errno::EXIST) => return Ok(false),
        Err(errno) => return Err(io_error("make", path)(errno)),
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = openat(CWD, path, flags, Mode::empty()).map_err(io_error("open", path))?;
    fchmod(fd, mode).map_err(io_error("set the mode of", path))?;
    Ok(true)
}

fn is_empty(path: &Path) -> Result<bool, Error> {
    let mut entries = std::fs::read_dir(path).map_err(io_error("read", path))?;
    // A file system of its own brings a directory for what its check finds.
    Ok(entries.all(|entry| entry.is_ok_and(|entry| entry.file_name() == "lost+found")))
}

fn is_mount_point(path: &Path) -> Result<bool, Error> {
    let stat = statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT, StatxFlags::BASIC_STATS)
        .map_err(io_error("look at", path))?;
    Ok(stat.stx_attributes.contains(rustix::fs::StatxAttributes::MOUNT_ROOT))
}

fn remove(path: &Path) -> Result<(), Error> {
    match std::fs::remove_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error("remove", path)(error)),
        _ => Ok(()),
    }
}
