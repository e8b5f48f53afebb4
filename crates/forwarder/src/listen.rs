//! Sockets that listen.

use crate::identity::{AS_ROOT, become_user};
use crate::place::{Place, open_below};
use model::runtime::forward::{Address, Forward};
use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Uid, chmodat, chownat, fchmod, fstat, statat, unlinkat,
};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, bind, connect, listen as listen_on, sockopt};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;

/// A socket that listens.
#[derive(Debug)]
pub(crate) struct Listening {
    pub(crate) socket: OwnedFd,
    /// What has to be removed when it goes.
    pub(crate) file: Option<SocketFile>,
}

/// The file of a unix socket.
#[derive(Debug)]
pub(crate) struct SocketFile {
    directory: OwnedFd,
    name: String,
    identity: (u64, u64),
    /// Who may remove it; `None`: this process as it is.
    owner: Option<(u32, u32)>,
}

/// Listens at an address. For a thread of its own: it may wait for file systems of the container,
/// and who it is changes.
pub(crate) fn listen(place: &Place, forward: &Forward, address: &Address) -> Result<Listening, Errno> {
    let inside = forward.from_inside;
    match address {
        Address::Tcp(address) => {
            let socket = internet(place, inside, *address, SocketType::STREAM)?;
            listen_on(&socket, BACKLOG)?;
            Ok(Listening { socket, file: None })
        }
        Address::Udp(address) => {
            Ok(Listening { socket: internet(place, inside, *address, SocketType::DGRAM)?, file: None })
        }
        Address::Abstract(name) => {
            let socket = place.socket(inside, AddressFamily::UNIX, SocketType::STREAM)?;
            bind(&socket, &SocketAddrUnix::new_abstract_name(name.as_bytes())?)?;
            listen_on(&socket, BACKLOG)?;
            Ok(Listening { socket, file: None })
        }
        Address::Unix(path) => at_path(place, forward, path),
    }
}

fn internet(place: &Place, inside: bool, address: SocketAddr, kind: SocketType) -> Result<OwnedFd, Errno> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = place.socket(inside, family, kind)?;
    if kind == SocketType::STREAM {
        sockopt::set_socket_reuseaddr(&socket, true)?;
    }
    if inside {
        // A container that is just starting gets its addresses later.
        sockopt::set_ip_freebind(&socket, true)?;
    }
    bind(&socket, &address)?;
    Ok(socket)
}

/// At a path of the host or, from inside, below the container's root.
fn at_path(place: &Place, forward: &Forward, path: &str) -> Result<Listening, Errno> {
    let (parent, name) = path.rsplit_once('/').ok_or(Errno::INVAL)?;
    if matches!(name, "" | "." | "..") {
        return Err(Errno::INVAL);
    }
    let parent = if parent.is_empty() { "/" } else { parent };
    let (directory, owner) = if forward.from_inside {
        let directory = open_below(place.root()?, parent, OFlags::DIRECTORY)?;
        become_user(forward.root, AS_ROOT)?;
        (directory, Some(forward.root))
    } else {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        (rustix::fs::open(parent, flags, Mode::empty())?, None)
    };
    let socket = place.socket(false, AddressFamily::UNIX, SocketType::STREAM)?;
    // Nobody connects before it has its owner and mode.
    fchmod(&socket, Mode::empty())?;
    let address = SocketAddrUnix::new(format!("/proc/self/fd/{}/{name}", directory.as_raw_fd()))?;
    match bind(&socket, &address) {
        Err(Errno::ADDRINUSE) if is_stale(&directory, name)? => {
            unlinkat(&directory, name, AtFlags::empty())?;
            bind(&socket, &address)?;
        }
        result => result?,
    }
    let identity = settle(&directory, name, forward)?;
    listen_on(&socket, BACKLOG)?;
    Ok(Listening { socket, file: Some(SocketFile { directory, name: name.to_owned(), identity, owner }) })
}

/// A socket that nobody listens at any more.
fn is_stale(directory: &OwnedFd, name: &str) -> Result<bool, Errno> {
    let file = open_below(directory, name, OFlags::NOFOLLOW)?;
    if FileType::from_raw_mode(fstat(&file)?.st_mode) != FileType::Socket {
        return Ok(false);
    }
    let flags = rustix::net::SocketFlags::CLOEXEC | rustix::net::SocketFlags::NONBLOCK;
    let probe = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    let address = SocketAddrUnix::new(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    Ok(connect(&probe, &address) == Err(Errno::CONNREFUSED))
}

/// Gives the new socket its owner and mode, through a descriptor: the container can put something
/// else in its place at any time.
fn settle(directory: &OwnedFd, name: &str, forward: &Forward) -> Result<(u64, u64), Errno> {
    let file = open_below(directory, name, OFlags::NOFOLLOW)?;
    let stat = fstat(&file)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::Socket {
        return Err(Errno::STALE);
    }
    let (uid, gid) = (Uid::from_raw(forward.owner.0), Gid::from_raw(forward.owner.1));
    chownat(&file, "", Some(uid), Some(gid), AtFlags::EMPTY_PATH)?;
    let this = format!("/proc/self/fd/{}", file.as_raw_fd());
    chmodat(rustix::fs::CWD, this, Mode::from_raw_mode(forward.mode), AtFlags::empty())?;
    Ok((stat.st_dev, stat.st_ino))
}

impl SocketFile {
    /// Removes it, if it is still the same. For a thread of its own.
    pub(crate) fn remove(self) {
        if let Some(owner) = self.owner
            && become_user(owner, AS_ROOT).is_err()
        {
            return;
        }
        let same = statat(self.directory.as_fd(), &self.name, AtFlags::SYMLINK_NOFOLLOW)
            .is_ok_and(|stat| (stat.st_dev, stat.st_ino) == self.identity);
        if same {
            // Whoever listens there next removes what stays.
            let _ = unlinkat(&self.directory, &self.name, AtFlags::empty());
        }
    }

    /// Whether removing it touches a file system of the container.
    pub(crate) fn is_inside(&self) -> bool {
        self.owner.is_some()
    }
}
