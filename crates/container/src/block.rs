//! File systems on block devices of the host, mounted nowhere.

use crate::Error;
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_flag, fsconfig_set_string,
    fsmount, fsopen,
};
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Most bytes of what the kernel has to say.
const SENTENCE: usize = 512;

/// Mount the file system of a block device, attached nowhere: it is gone with the descriptor, or
/// with the last place that it is attached to. Device nodes on it cannot be opened. Reads the
/// device, so it blocks for as long as that takes.
///
/// # Errors
/// The kernel does not know the kind of file system, or cannot mount it.
pub fn filesystem(device: &Path, kind: &str, read_only: bool) -> Result<OwnedFd, Error> {
    let step = format!("mount the {kind} file system of {}", device.display());
    let text = |bytes: &[u8]| CString::new(bytes).map_err(|e| Error::refused(step.clone(), e.to_string()));
    let (kind, path) = (text(kind.as_bytes())?, text(device.as_os_str().as_bytes())?);
    let context = fsopen(&kind, FsOpenFlags::FSOPEN_CLOEXEC).map_err(|errno| match errno {
        Errno::NODEV => Error::refused(step.clone(), "the kernel does not know this kind of file system"),
        errno => Error::system(step.clone(), errno),
    })?;
    let made = (|| {
        fsconfig_set_string(context.as_fd(), c"source", &path)?;
        if read_only {
            fsconfig_set_flag(context.as_fd(), c"ro")?;
        }
        fsconfig_create(context.as_fd())?;
        let attributes = MountAttrFlags::MOUNT_ATTR_NODEV;
        fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)
    })();
    made.map_err(|errno| match sentence(context.as_fd()) {
        Some(why) => Error { reason: why, ..Error::system(step.clone(), errno) },
        None => Error::system(step.clone(), errno),
    })
}

/// The kernel's own explanation, see `fsopen(2)`: lines that begin with `e `, `w ` or `i `.
fn sentence(context: BorrowedFd<'_>) -> Option<String> {
    let mut buffer = [0_u8; SENTENCE];
    let length = rustix::io::read(context, &mut buffer).ok()?;
    let line = String::from_utf8_lossy(&buffer[..length]).trim().to_owned();
    let why = line.strip_prefix("e ").unwrap_or(&line).to_owned();
    (!why.is_empty()).then_some(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_mounted_is_told() {
        let unknown = filesystem(Path::new("/dev/null"), "teapotfs", false).unwrap_err();
        assert!(unknown.step.contains("teapotfs") && unknown.step.contains("/dev/null"), "{unknown}");
        let missing = filesystem(Path::new("/no/such/device"), "ext4", true).unwrap_err();
        assert!(!missing.reason.is_empty());
    }
}
