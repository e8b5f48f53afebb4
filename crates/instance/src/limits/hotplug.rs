//! Processors and interfaces that come and go, as the kernel tells everybody.
//!
//! See `netlink(7)`, `NETLINK_KOBJECT_UEVENT`: each message is `action@path` and `KEY=value` fields,
//! with zero bytes between.

use rustix::io::Errno;
use rustix::net::netlink::{KOBJECT_UEVENT, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recvfrom, socket_with};
use std::io;
use tokio::io::Interest;
use tokio::net::UnixDatagram;

/// Largest message.
const MESSAGE: usize = 8 << 10;

/// What is of interest here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// A processor came or went.
    Processors,
    /// An interface came.
    Interface,
}

/// The kernel's messages. For the runtime it is a socket of datagrams as any other.
pub(super) struct Hotplug(UnixDatagram);

impl Hotplug {
    /// Listens from now on.
    pub(super) fn listen() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, Some(KOBJECT_UEVENT))?;
        // The kernel's own messages are group 1; others come from programs.
        bind(&socket, &SocketAddrNetlink::new(0, 1))?;
        Ok(Self(UnixDatagram::from_std(socket.into())?))
    }

    /// The next change. Messages that were lost because too many came count as processors.
    pub(super) async fn next(&self) -> Change {
        let mut buffer = [0; MESSAGE];
        loop {
            let received = self.0.async_io(Interest::READABLE, || {
                Ok(recvfrom(&self.0, &mut buffer[..], RecvFlags::DONTWAIT)?)
            });
            let (length, sender) = match received.await {
                Ok((_, length, sender)) => (length, sender),
                Err(error) if error.raw_os_error() == Some(Errno::NOBUFS.raw_os_error()) => {
                    return Change::Processors;
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot hear of processors that come and go any more");
                    return std::future::pending().await;
                }
            };
            let from_kernel = sender
                .and_then(|sender| SocketAddrNetlink::try_from(sender).ok())
                .is_some_and(|sender| sender.pid() == 0);
            if let Some(change) = buffer.get(..length).filter(|_| from_kernel).and_then(read) {
                return change;
            }
        }
    }
}

fn read(message: &[u8]) -> Option<Change> {
    let field = |name: &str| {
        message
            .split(|byte| *byte == 0)
            .find_map(|field| field.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
    };
    match (field("SUBSYSTEM")?, field("ACTION")?) {
        (b"cpu", b"online" | b"offline") => Some(Change::Processors),
        (b"net", b"add" | b"move") => Some(Change::Interface),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages() {
        let message = |text: &str| read(text.replace(' ', "\0").as_bytes());
        let cpu = "offline@/devices/system/cpu/cpu1 ACTION=offline SUBSYSTEM=cpu SEQNUM=1";
        assert_eq!(message(cpu), Some(Change::Processors));
        assert_eq!(message("add@/x ACTION=add SUBSYSTEM=net INTERFACE=eth0"), Some(Change::Interface));
        for other in ["", "libudev", "add@/x ACTION=add SUBSYSTEM=block", "ACTION=remove SUBSYSTEM=net"] {
            assert_eq!(message(other), None, "{other}");
        }
    }
}
