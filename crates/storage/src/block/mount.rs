//! Mounting and unmounting, with patience: devices appear late, and something always looks at them.

use super::{BlockError, MountOptions, blocking, io_error, probe_async};
use crate::config::Filesystem;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, StatxAttributes, StatxFlags, fstatfs, openat, statx, syncfs};
use rustix::io::Errno;
use rustix::mount::UnmountFlags;
use std::path::Path;
use std::time::Duration;

/// How often something is tried that fails because of others.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(250);

/// How a file system was unmounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unmounted {
    /// It was not mounted.
    Already,
    /// Nobody uses it any more.
    Fully,
    /// It is out of sight. Somebody still uses it, and so its device, until they end.
    Lazily,
}

/// Mounts what is on a device; nothing happens if something is mounted there already. An ext4 in which the
/// kernel found something wrong is checked first.
pub(crate) async fn mount(
    device: &Path,
    target: &Path,
    options: Option<&str>,
    read_only: bool,
) -> Result<(), BlockError> {
    if is_mounted(target)? {
        return Ok(());
    }
    let found = patiently(device, || probe_async(device)).await?;
    let found = found.ok_or_else(|| BlockError::Unknown { device: device.to_owned() })?;
    let options = MountOptions::parse(found.filesystem, options)?;
    let options = if read_only { options.read_only() } else { options };
    let ext4 = found.filesystem == Filesystem::Ext4;
    if found.damaged && ext4 {
        tools::e2fsck::mend(device).await?;
    }
    let attempt = || attempt(device, target, found.filesystem, &options);
    match patiently(device, attempt).await {
        Err(BlockError::Io { source, .. }) if ext4 && is_damage(&source) => {
            tools::e2fsck::mend(device).await?;
            attempt().await
        }
        result => result,
    }
}

async fn attempt(
    device: &Path,
    target: &Path,
    filesystem: Filesystem,
    options: &MountOptions,
) -> Result<(), BlockError> {
    let (from, to, options) = (device.to_owned(), target.to_owned(), options.clone());
    blocking(target, move || {
        let data = options.data.as_c_str();
        tools::crash::step();
        rustix::mount::mount(&from, &to, filesystem.name(), options.flags, data)
            .map_err(io_error("mount a volume on", to))
    })
    .await
}

/// Tries again while others are in the way.
async fn patiently<T, F>(device: &Path, attempt: impl Fn() -> F) -> Result<T, BlockError>
where
    F: Future<Output = Result<T, BlockError>>,
{
    let mut tries = 1;
    loop {
        let result = attempt().await;
        let Err(BlockError::Io { source, .. }) = &result else { return result };
        let number = source.raw_os_error().map(Errno::from_raw_os_error);
        // udev makes and remakes links to devices.
        let passing = match number {
            Some(Errno::BUSY | Errno::AGAIN | Errno::INTR | Errno::NXIO) => true,
            Some(Errno::NOENT) => !device.exists(),
            _ => false,
        };
        if !passing || tries == TRIES {
            return result;
        }
        tries += 1;
        tokio::time::sleep(PAUSE).await;
    }
}

/// What the kernel says of file systems that need a check.
fn is_damage(error: &std::io::Error) -> bool {
    let number = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(number, Some(Errno::UCLEAN | Errno::INVAL | Errno::IO | Errno::FAULT))
}

/// Unmounts what is mounted on a directory. Who uses it gets some seconds to end; then it is taken out of
/// sight, and the device is free when they have ended.
pub(crate) async fn unmount(target: &Path) -> Result<Unmounted, BlockError> {
    for tries in 0..TRIES {
        match detach(target, UnmountFlags::NOFOLLOW).await {
            Ok(()) => return Ok(Unmounted::Fully),
            // EINVAL: nothing is mounted there.
            Err(Errno::INVAL | Errno::NOENT) => return Ok(Unmounted::Already),
            Err(Errno::BUSY | Errno::AGAIN | Errno::INTR) if tries + 1 < TRIES => {
                tokio::time::sleep(PAUSE).await;
            }
            Err(Errno::BUSY | Errno::AGAIN | Errno::INTR) => break,
            Err(errno) => return Err(io_error("unmount", target)(errno)),
        }
    }
    let flags = UnmountFlags::NOFOLLOW | UnmountFlags::DETACH;
    match detach(target, flags).await {
        Ok(()) => Ok(Unmounted::Lazily),
        Err(Errno::INVAL | Errno::NOENT) => Ok(Unmounted::Already),
        Err(errno) => Err(io_error("unmount", target)(errno)),
    }
}

/// Writing back what was changed can take long, so it does not block anything else.
async fn detach(target: &Path, flags: UnmountFlags) -> Result<(), Errno> {
    let path = target.to_owned();
    tools::crash::step();
    let work = tokio::task::spawn_blocking(move || rustix::mount::unmount(path, flags));
    work.await.unwrap_or(Err(Errno::INTR))
}

/// Writes what a mounted btrfs has in memory to its device, before that is copied. The kernel does so by
/// itself for the others when their device is held back, but does not know whose device this one is.
pub(crate) async fn flush_btrfs(target: &Path) -> Result<(), BlockError> {
    const BTRFS: i64 = 0x9123_683E;
    let path = target.to_owned();
    blocking(target, move || {
        if !is_mounted(&path)? {
            return Ok(());
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = openat(CWD, &path, flags, Mode::empty()).map_err(io_error("open", &path))?;
        if fstatfs(&directory).map_err(io_error("look at", &path))?.f_type != BTRFS {
            return Ok(());
        }
        syncfs(&directory).map_err(io_error("write to disk", &path))
    })
    .await
}

/// True if something is mounted on a path. One that is not there has nothing.
pub(crate) fn is_mounted(path: &Path) -> Result<bool, BlockError> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    match statx(CWD, path, flags, StatxFlags::empty()) {
        Ok(stat) => Ok(stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT)),
        Err(Errno::NOENT) => Ok(false),
        Err(errno) => Err(io_error("look at", path)(errno)),
    }
}

/// True if nobody has a device mounted, in whichever mount namespace, nor opened for himself alone. Who only
/// looks at it (udev, for one) is waited for.
pub(crate) async fn is_free(device: &Path) -> Result<bool, BlockError> {
    for _ in 1..TRIES {
        if open_alone(device)? {
            return Ok(true);
        }
        tokio::time::sleep(PAUSE / 5).await;
    }
    open_alone(device)
}

/// The kernel gives a device for exclusive use to one only, and a mount is such a use.
fn open_alone(device: &Path) -> Result<bool, BlockError> {
    let flags = OFlags::RDONLY | OFlags::EXCL | OFlags::CLOEXEC;
    match openat(CWD, device, flags, Mode::empty()) {
        Ok(_) => Ok(true),
        Err(Errno::BUSY) => Ok(false),
        Err(errno) => Err(io_error("open", device)(errno)),
    }
}
