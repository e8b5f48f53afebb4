//! Sockets that connect.

use crate::identity::{AS_ROOT, become_user};
use crate::place::{Place, open_below};
use model::runtime::forward::{Address, Forward};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, connect};
use rustix::thread::CapabilitySet;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

/// How long a connection to a unix socket may wait for its turn.
const TURN: Duration = Duration::from_secs(30);

/// Begins to connect; the socket is writable when that is done.
pub(crate) fn internet(
    place: &Place,
    inside: bool,
    address: SocketAddr,
    kind: SocketType,
) -> Result<OwnedFd, Errno> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = place.socket(inside, family, kind)?;
    match connect(&socket, &address) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
        Err(errno) => Err(errno),
    }
}

/// Connects to a unix socket. For a thread of its own: it may wait for whoever listens there or for
/// a file system of the container, and who it is changes.
pub(crate) fn unix(place: &Place, forward: &Forward, address: &Address) -> Result<OwnedFd, Errno> {
    let inside = !forward.from_inside;
    let socket = place.socket(inside, AddressFamily::UNIX, SocketType::STREAM)?;
    let root = if inside { Some(place.root()?) } else { None };
    match forward.identity {
        Some(identity) => become_user(identity, CapabilitySet::empty())?,
        None if inside => become_user(forward.root, AS_ROOT)?,
        None => {}
    }
    let (file, address) = match (address, root) {
        (Address::Abstract(name), _) => (None, SocketAddrUnix::new_abstract_name(name.as_bytes())?),
        (Address::Unix(path), Some(root)) => {
            let file = open_below(root, path, OFlags::empty())?;
            let address = SocketAddrUnix::new(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
            (Some(file), address)
        }
        (Address::Unix(path), None) => (None, SocketAddrUnix::new(path.as_str())?),
        _ => return Err(Errno::AFNOSUPPORT),
    };
    rustix::io::ioctl_fionbio(&socket, false)?;
    set_socket_timeout(&socket, Timeout::Send, Some(TURN))?;
    connect(&socket, &address)?;
    drop(file);
    rustix::io::ioctl_fionbio(&socket, true)?;
    Ok(socket)
}
