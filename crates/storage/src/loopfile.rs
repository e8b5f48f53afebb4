//! Files that take the place of a disk: `<var>/disks/<pool>.img`, attached to a loop device.
//!
//! They are sparse, so that a pool takes what is written to it only.

use crate::error::{Error, io_error};
use crate::paths::{PRIVATE, PoolPaths};
use crate::pool::blocking;
use model::PoolName;
use model::units::Bytes;
use rustix::fs::{CWD, Mode, OFlags, fstat, fsync, ftruncate, mkdirat, openat, statvfs};
use rustix::io::Errno;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use tools::losetup;

const GB: u64 = 1_000_000_000;

/// The loop file of one pool, whether it is there or not.
#[derive(Clone, Debug)]
pub(crate) struct LoopFile {
    path: PathBuf,
}

impl LoopFile {
    /// The place of a pool's own.
    pub(crate) fn of(paths: &PoolPaths, pool: &PoolName) -> Self {
        Self { path: paths.var.join("disks").join(format!("{pool}.img")) }
    }

    /// One that is somewhere else, too.
    pub(crate) fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The path, as pools record it in their `source`.
    pub(crate) fn source(&self) -> String {
        self.path.to_string_lossy().into_owned()
    }

    /// Makes the file, sparse and for root alone, with its directory. It is on disk then. A file that is
    /// there already is an error: it may be all that is left of another pool.
    pub(crate) async fn create(&self, size: Bytes) -> Result<(), Error> {
        let path = self.path.clone();
        blocking(move || create(&path, size)).await
    }

    /// True if it is there.
    pub(crate) fn exists(&self) -> bool {
        self.path.symlink_metadata().is_ok()
    }

    /// Attaches it, unless it is, and returns its device.
    pub(crate) async fn attach(&self) -> Result<PathBuf, Error> {
        let path = self.path.clone();
        // A better reason than the program's.
        blocking(move || open(&path).map(drop)).await?;
        Ok(losetup::attach(&self.path).await?)
    }

    /// The device that it is attached to; `None`: to none, or there is no file.
    pub(crate) async fn device(&self) -> Result<Option<PathBuf>, Error> {
        if self.exists() { Ok(losetup::device(&self.path).await?) } else { Ok(None) }
    }

    /// Detaches it; while its device is used, as soon as the last user is gone. So a driver that holds
    /// the device open by a mount may call this right after mounting: nothing remains attached after the
    /// unmounting then, whoever does that.
    pub(crate) async fn detach(&self) -> Result<(), Error> {
        if let Some(device) = self.device().await? {
            losetup::detach(&device).await?;
        }
        Ok(())
    }

    /// The size of the file.
    pub(crate) async fn size(&self) -> Result<Bytes, Error> {
        let path = self.path.clone();
        blocking(move || open(&path).and_then(|file| size_of(&file, &path))).await
    }

    /// Makes it larger, and its device if it is attached. Returns the device. A file that has this size
    /// already is fine, so that the call can be repeated; one that is larger is an error of the caller.
    pub(crate) async fn grow(&self, size: Bytes) -> Result<Option<PathBuf>, Error> {
        let path = self.path.clone();
        blocking(move || grow(&path, size)).await?;
        let device = self.device().await?;
        if let Some(device) = &device {
            losetup::update_size(device).await?;
        }
        Ok(device)
    }

    /// Detaches and removes it. One that is not there is fine.
    pub(crate) async fn remove(&self) -> Result<(), Error> {
        self.detach().await?;
        let path = self.path.clone();
        blocking(move || match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(io_error("remove", path)(error))
            }
            _ => Ok(()),
        })
        .await
    }
}

/// The size of a new pool's file when nobody asks for one: a fifth of the file system that it will be on,
/// in whole GB, at least 15 and at most 100. As it is recorded, and in bytes.
pub(crate) fn default_size(paths: &PoolPaths) -> Result<(String, Bytes), Error> {
    let stat = statvfs(&paths.var).map_err(io_error("look at the file system of", &paths.var))?;
    let number = share(stat.f_blocks.saturating_mul(stat.f_frsize));
    Ok((format!("{number}GB"), Bytes(number * GB)))
}

/// In GB.
fn share(total: u64) -> u64 {
    (total / 5 / GB).clamp(15, 100)
}

fn create(path: &Path, size: Bytes) -> Result<(), Error> {
    let Some(directory) = path.parent() else { return Err(io_error("make", path)(Errno::INVAL)) };
    match mkdirat(CWD, directory, PRIVATE) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(io_error("make", directory)(errno)),
    }
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(CWD, path, flags, Mode::RUSR | Mode::WUSR).map_err(io_error("make", path))?;
    let sized = ftruncate(&file, size.0)
        .map_err(io_error("set the size of", path))
        .and_then(|()| fsync(&file).map_err(io_error("write to disk", path)))
        .and_then(|()| sync_directory(directory));
    if sized.is_err() {
        // The reason matters more than this.
        let _ = std::fs::remove_file(path);
    }
    sized
}

fn grow(path: &Path, size: Bytes) -> Result<(), Error> {
    let file = open(path)?;
    let present = size_of(&file, path)?;
    if present == size {
        return Ok(());
    }
    if present > size {
        return Err(io_error("make smaller (a loop file only grows)", path)(Errno::INVAL));
    }
    ftruncate(&file, size.0).map_err(io_error("set the size of", path))?;
    fsync(&file).map_err(io_error("write to disk", path))
}

fn open(path: &Path) -> Result<OwnedFd, Error> {
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(CWD, path, flags, Mode::empty()).map_err(io_error("open the storage pool's file", path))
}

fn size_of(file: &OwnedFd, path: &Path) -> Result<Bytes, Error> {
    let stat = fstat(file).map_err(io_error("look at", path))?;
    Ok(Bytes(u64::try_from(stat.st_size).unwrap_or(0)))
}

fn sync_directory(path: &Path) -> Result<(), Error> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = openat(CWD, path, flags, Mode::empty()).map_err(io_error("open", path))?;
    fsync(directory).map_err(io_error("write to disk", path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    fn pool(temp: &Path) -> LoopFile {
        let name = PoolName::parse("p1").unwrap();
        LoopFile::of(&PoolPaths::new(temp, &name), &name)
    }

    #[test]
    fn a_fifth_of_the_disk_within_bounds() {
        assert_eq!(share(0), 15);
        assert_eq!(share(200 * GB), 40);
        assert_eq!(share(201 * GB + 5), 40);
        assert_eq!(share(u64::MAX), 100);
        let paths = PoolPaths::new(Path::new("/"), &PoolName::parse("p1").unwrap());
        let (text, bytes) = default_size(&paths).unwrap();
        assert_eq!(Bytes::parse(&text), Ok(bytes));
    }

    #[tokio::test]
    async fn files_are_sparse_private_and_never_replaced() {
        let temp = tempfile::tempdir().unwrap();
        let file = pool(temp.path());
        assert!(!file.exists() && file.device().await.unwrap().is_none());
        file.create(Bytes(GB)).await.unwrap();
        let metadata = file.path().metadata().unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
        assert_eq!((metadata.len(), metadata.blocks()), (GB, 0));
        assert_eq!(file.path().parent().unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o700);
        assert!(file.create(Bytes(GB)).await.is_err());
        file.grow(Bytes(2 * GB)).await.unwrap();
        file.grow(Bytes(2 * GB)).await.unwrap();
        assert!(file.grow(Bytes(GB)).await.is_err());
        assert_eq!(file.size().await.unwrap(), Bytes(2 * GB));
        file.remove().await.unwrap();
        file.remove().await.unwrap();
        assert!(!file.exists());
        let gone = file.attach().await.unwrap_err().to_string();
        assert!(gone.contains("p1.img"), "{gone}");
    }

    #[tokio::test]
    async fn devices_follow_their_file() {
        let name = "devices_follow_their_file";
        if !rustix::process::geteuid().is_root() || !Path::new("/dev/loop-control").exists() {
            eprintln!("SKIP {name}: no loop devices here");
            return;
        }
        let temp = tempfile::tempdir().unwrap();
        let file = pool(temp.path());
        file.create(Bytes(16 << 20)).await.unwrap();
        let result = follow(&file).await;
        file.remove().await.unwrap();
        result.unwrap();
    }

    async fn follow(file: &LoopFile) -> Result<(), Error> {
        let device = file.attach().await?;
        assert_eq!(file.attach().await?, device, "one device per file");
        assert_eq!(file.device().await?, Some(device.clone()));
        assert_eq!(file.grow(Bytes(32 << 20)).await?, Some(device.clone()));
        let sectors = Path::new("/sys/block").join(device.file_name().unwrap_or_default()).join("size");
        assert_eq!(std::fs::read_to_string(sectors).unwrap().trim(), "65536");
        file.detach().await?;
        file.detach().await?;
        assert_eq!(file.device().await?, None);
        Ok(())
    }
}
