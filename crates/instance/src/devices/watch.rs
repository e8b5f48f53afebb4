//! Devices of the host that come and go: kernel events about USB devices, and paths that appear and
//! vanish.

use model::devices::{Device, Devices};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;
use rustix::net::netlink::{KOBJECT_UEVENT, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recvfrom, socket_with};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use tokio::io::Interest;
use tokio::net::UnixDatagram;

/// Events of the kernel itself; those of udev come in another group.
const KERNEL: u32 = 1;
/// Largest message of the kernel about a device.
const MESSAGE: usize = 8 * 1024;

/// A descriptor that is waited for. In truth no socket of this kind: tokio's type is used for its
/// readiness alone.
type Readable = UnixDatagram;

fn readable(fd: OwnedFd) -> io::Result<Readable> {
    UnixDatagram::from_std(std::os::unix::net::UnixDatagram::from(fd))
}

/// Waits for changes.
pub(crate) struct Watch {
    /// `None` where the kernel tells nothing, as in a user namespace.
    kernel: Option<Readable>,
}

impl Watch {
    /// Begins to listen.
    pub(crate) fn open() -> Self {
        let kernel = kernel_events().and_then(readable);
        if let Err(error) = &kernel {
            tracing::warn!(%error, "the kernel's device events cannot be heard: USB devices are found at start only");
        }
        Self { kernel: kernel.ok() }
    }

    /// Returns when a USB device came or went, or one of these paths may have.
    pub(crate) async fn changed(&self, paths: &Paths) {
        tokio::select! {
            () = self.usb() => {}
            () = paths.changed() => {}
        }
    }

    async fn usb(&self) {
        let Some(kernel) = &self.kernel else { return std::future::pending().await };
        loop {
            let heard = kernel.async_io(Interest::READABLE, || hear(kernel.as_fd())).await;
            match heard {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => {
                    // So much happened at once that messages were lost: look at everything.
                    tracing::debug!(%error, "device events were lost");
                    return;
                }
            }
        }
    }
}

fn kernel_events() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, Some(KOBJECT_UEVENT))?;
    bind(&socket, &SocketAddrNetlink::new(0, KERNEL))?;
    Ok(socket)
}

/// Whether the next message is the kernel's word about a USB device.
fn hear(socket: BorrowedFd<'_>) -> io::Result<bool> {
    let mut buffer = [0_u8; MESSAGE];
    let (length, _, from) = recvfrom(socket, &mut buffer, RecvFlags::empty())?;
    // Any program of root's may send to the group; only the kernel has the number 0.
    let from = from.and_then(|address| SocketAddrNetlink::try_from(address).ok());
    Ok(from.is_some_and(|address| address.pid() == 0) && is_about_usb(&buffer[..length]))
}

/// Whether a USB device (not one of its interfaces) was added or removed: words that end in a zero
/// byte, see `Documentation/ABI/testing/sysfs-uevent` of the kernel.
fn is_about_usb(message: &[u8]) -> bool {
    let words: BTreeSet<&[u8]> = message.split(|byte| *byte == 0).collect();
    let says = |word: &str| words.contains(word.as_bytes());
    says("SUBSYSTEM=usb") && says("DEVTYPE=usb_device") && (says("ACTION=add") || says("ACTION=remove"))
}

/// Paths of the host that running containers wait for, and what is watched for them.
pub(crate) struct Paths {
    events: Option<Readable>,
    /// Names that matter in the directories that are watched.
    names: BTreeSet<Vec<u8>>,
}

impl Paths {
    /// Watches these paths. They are to be looked at once more afterwards.
    pub(crate) fn watch(paths: &BTreeSet<PathBuf>) -> Self {
        let plan = plan(paths, Path::is_dir);
        let names = plan.values().flatten().cloned().collect();
        let events = if plan.is_empty() { None } else { watch_all(&plan) };
        Self { events, names }
    }

    async fn changed(&self) {
        let Some(events) = &self.events else { return std::future::pending().await };
        loop {
            match events.async_io(Interest::READABLE, || self.look(events.as_fd())).await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(%error, "paths of devices cannot be watched");
                    return std::future::pending().await;
                }
            }
        }
    }

    /// Whether anything that happened matters.
    fn look(&self, events: BorrowedFd<'_>) -> io::Result<bool> {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(events, &mut buffer);
        let mut matters = false;
        let mut any = false;
        loop {
            match reader.next() {
                Ok(event) => {
                    any = true;
                    let itself = ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF | ReadFlags::QUEUE_OVERFLOW;
                    let named = event.file_name().is_some_and(|name| self.names.contains(name.to_bytes()));
                    matters |= named || event.events().intersects(itself);
                }
                Err(Errno::AGAIN) if any => return Ok(matters),
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

/// The directories to watch, and the names in them that matter: for each path its parent, or the
/// closest directory above that is there.
fn plan(paths: &BTreeSet<PathBuf>, is_dir: impl Fn(&Path) -> bool) -> BTreeMap<PathBuf, BTreeSet<Vec<u8>>> {
    let mut plan: BTreeMap<PathBuf, BTreeSet<Vec<u8>>> = BTreeMap::new();
    for path in paths {
        let mut below = path.as_path();
        while let (Some(parent), Some(name)) = (below.parent(), below.file_name()) {
            if is_dir(parent) {
                plan.entry(parent.to_owned()).or_default().insert(name.as_encoded_bytes().to_vec());
                break;
            }
            below = parent;
        }
    }
    plan
}

fn watch_all(plan: &BTreeMap<PathBuf, BTreeSet<Vec<u8>>>) -> Option<Readable> {
    let flags = WatchFlags::CREATE
        | WatchFlags::DELETE
        | WatchFlags::MOVED_FROM
        | WatchFlags::MOVED_TO
        | WatchFlags::DELETE_SELF
        | WatchFlags::MOVE_SELF
        | WatchFlags::ONLYDIR;
    let events = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).map_err(io::Error::from);
    let watched = events.and_then(|events| {
        for directory in plan.keys() {
            match inotify::add_watch(&events, directory, flags) {
                // It went away just now, which the next look finds.
                Ok(_) | Err(Errno::NOENT | Errno::NOTDIR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        readable(events)
    });
    watched.inspect_err(|error| tracing::warn!(%error, "paths of devices cannot be watched")).ok()
}

/// The paths that devices wait for.
pub(crate) fn awaited(devices: &Devices) -> BTreeSet<PathBuf> {
    let parsed = devices.iter().filter_map(|(name, properties)| Device::parse(name, properties).ok());
    parsed
        .filter_map(|device| match device {
            Device::UnixChar(unix) | Device::UnixBlock(unix) if !unix.required => {
                Some(Path::new("/").join(unix.source.trim_start_matches('/')))
            }
            _ => None,
        })
        .collect()
}

/// Whether any device comes and goes with what the host has.
pub(crate) fn any_dynamic(devices: &Devices) -> bool {
    let mut parsed = devices.iter().filter_map(|(name, properties)| Device::parse(name, properties).ok());
    parsed.any(|device| super::part::is_dynamic(&device))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn usb_devices_are_told_from_the_rest() {
        let message = |words: &[&str]| words.join("\0").into_bytes();
        let add = ["add@/devices/pci/usb1/1-1", "ACTION=add", "SUBSYSTEM=usb", "DEVTYPE=usb_device"];
        assert!(is_about_usb(&message(&add)));
        assert!(!is_about_usb(&message(&["add@/x", "ACTION=add", "SUBSYSTEM=usb", "DEVTYPE=usb_interface"])));
        assert!(!is_about_usb(&message(&["bind@/x", "ACTION=bind", "SUBSYSTEM=usb", "DEVTYPE=usb_device"])));
        assert!(!is_about_usb(&message(&["add@/x", "ACTION=add", "SUBSYSTEM=net"])));
        assert!(!is_about_usb(b""));
    }

    #[test]
    fn the_closest_directory_that_is_there_is_watched() {
        let paths = ["/dev/a/b/c", "/dev/x", "/other/y"].map(PathBuf::from).into();
        let plan = plan(&paths, |path| ["/", "/dev"].iter().any(|there| path == Path::new(there)));
        let names = |dir: &str| -> Vec<_> {
            plan[Path::new(dir)].iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect()
        };
        assert_eq!(names("/dev"), ["a", "x"]);
        assert_eq!(names("/"), ["other"]);
        assert_eq!(plan.len(), 2);
    }

    #[tokio::test]
    async fn only_what_is_waited_for_matters() {
        let dir = tempfile::tempdir().unwrap();
        let wanted = dir.path().join("sub/node");
        let paths = Paths::watch(&BTreeSet::from([wanted]));
        std::fs::write(dir.path().join("other"), "").unwrap();
        let early = tokio::time::timeout(Duration::from_millis(200), paths.changed()).await;
        assert!(early.is_err(), "something else was made");
        std::fs::create_dir(dir.path().join("sub")).unwrap();
        tokio::time::timeout(Duration::from_secs(30), paths.changed()).await.unwrap();
        Watch::open();
    }
}
