//! Interfaces of the host that are lent to a container, and those that are made on top of them.

use crate::names::{InterfaceName, MacAddress};
use crate::netlink::{Link, LinkKind, NetlinkError, Settled, Socket};
use rustix::io::Errno;
use std::fs::File;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

/// What an interface is to be inside.
#[derive(Clone, Debug)]
pub struct Inside<'a> {
    /// Its name there.
    pub name: InterfaceName,
    /// Its address; `None`: as it is.
    pub hwaddr: Option<MacAddress>,
    /// In bytes; `None`: as it is.
    pub mtu: Option<u32>,
    /// The network namespace.
    pub netns: BorrowedFd<'a>,
}

/// What an interface of the host was like before it was lent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lent {
    /// Its name on the host.
    pub name: InterfaceName,
    /// Its address.
    pub hwaddr: Option<MacAddress>,
    /// In bytes.
    pub mtu: u32,
}

/// Why a container does not get an interface of the host, or one on top of it.
#[derive(Debug, thiserror::Error)]
pub enum LendError {
    /// There is none of that name.
    #[error("There is no interface {name} on this host")]
    Missing {
        /// Its name.
        name: InterfaceName,
    },
    /// The name is taken inside.
    #[error("There is an interface {name} in the container already")]
    NameTaken {
        /// The name.
        name: InterfaceName,
    },
    /// The namespace could not be kept open for the call.
    #[error("Cannot hold a network namespace")]
    Namespace {
        /// What the kernel said.
        source: std::io::Error,
    },
    /// The kernel did not do it.
    #[error("Cannot give the container the interface {name} by {parent}")]
    Kernel {
        /// Its name inside.
        name: InterfaceName,
        /// The host's interface.
        parent: InterfaceName,
        /// What the kernel said.
        source: NetlinkError,
    },
    /// The connection to the kernel is gone.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
}

/// An [`Inside`] that may travel to another thread.
pub(crate) struct Request {
    name: InterfaceName,
    hwaddr: Option<MacAddress>,
    mtu: Option<u32>,
    netns: OwnedFd,
}

impl TryFrom<Inside<'_>> for Request {
    type Error = LendError;
    fn try_from(inside: Inside<'_>) -> Result<Self, LendError> {
        let Inside { name, hwaddr, mtu, netns } = inside;
        let netns = netns.try_clone_to_owned().map_err(|source| LendError::Namespace { source })?;
        Ok(Self { name, hwaddr, mtu, netns })
    }
}

impl Request {
    fn settled(&self) -> Settled<'_> {
        Settled { name: &self.name, hwaddr: self.hwaddr, mtu: self.mtu, netns: self.netns.as_fd() }
    }

    fn failed(&self, parent: &InterfaceName) -> impl Fn(NetlinkError) -> LendError {
        move |source| {
            if source.is(Errno::EXIST) {
                LendError::NameTaken { name: self.name.clone() }
            } else {
                LendError::Kernel { name: self.name.clone(), parent: parent.clone(), source }
            }
        }
    }
}

fn find(socket: &mut Socket, name: &InterfaceName) -> Result<Link, LendError> {
    socket.link_named(name.as_str())?.ok_or_else(|| LendError::Missing { name: name.clone() })
}

fn hwaddr(link: &Link) -> Option<MacAddress> {
    <[u8; 6]>::try_from(link.hwaddr.as_slice()).ok().map(MacAddress)
}

/// What an interface is like now.
pub(crate) fn look(socket: &mut Socket, name: &InterfaceName) -> Result<Lent, LendError> {
    let link = find(socket, name)?;
    Ok(Lent { name: name.clone(), hwaddr: hwaddr(&link), mtu: link.mtu })
}

/// The interface of a VLAN on top of another. True: it was made just now.
pub(crate) fn vlan(
    socket: &mut Socket,
    parent: &InterfaceName,
    id: u16,
    name: &InterfaceName,
) -> Result<bool, LendError> {
    if socket.link_named(name.as_str())?.is_some() {
        return Ok(false);
    }
    let link = find(socket, parent)?;
    match socket.create_vlan(link.index, id, name) {
        Ok(()) => Ok(true),
        Err(error) if error.is(Errno::EXIST) => Ok(false),
        Err(source) => Err(LendError::Kernel { name: name.clone(), parent: parent.clone(), source }),
    }
}

/// Makes an interface of the container's own on top of one of the host's.
pub(crate) fn macvlan(
    socket: &mut Socket,
    parent: &InterfaceName,
    request: &Request,
) -> Result<(), LendError> {
    let link = find(socket, parent)?;
    socket.create_macvlan(link.index, &request.settled()).map_err(request.failed(parent))
}

/// Moves an interface of the host into a container, or leaves it as it was.
pub(crate) fn lend(socket: &mut Socket, parent: &InterfaceName, request: &Request) -> Result<(), LendError> {
    let link = find(socket, parent)?;
    let mut inside = Socket::open_in(request.netns.as_fd())?;
    if inside.link_named(request.name.as_str())?.is_some() {
        return Err(LendError::NameTaken { name: request.name.clone() });
    }
    let before = Lent { name: parent.clone(), hwaddr: hwaddr(&link), mtu: link.mtu };
    socket.switch(link.index, false).map_err(request.failed(parent))?;
    if let Err(error) = socket.move_link(link.index, &request.settled()) {
        // It may have got as far as the other namespace, under either name.
        for name in [&request.name, parent] {
            let _ = take_back(&mut inside, name, &before);
        }
        if let Ok(Some(back)) = socket.link_named(parent.as_str()) {
            let _ = socket.switch(back.index, true);
        }
        return Err(request.failed(parent)(error));
    }
    Ok(())
}

/// Deletes the interface of that name and address; another one of that name is somebody else's.
pub(crate) fn delete(
    inside: &mut Socket,
    name: &InterfaceName,
    address: MacAddress,
) -> Result<bool, LendError> {
    match inside.link_named(name.as_str())? {
        Some(link) if hwaddr(&link) == Some(address) => Ok(inside.delete_link(name)?),
        _ => Ok(false),
    }
}

/// Moves an interface out of a container, to be what it was before. `inside` is a socket there.
/// False: it is not there.
pub(crate) fn take_back(inside: &mut Socket, name: &InterfaceName, before: &Lent) -> Result<bool, LendError> {
    // The container may have given it another name.
    let link = match inside.link_named(name.as_str())? {
        Some(link) => Some(link),
        None => inside
            .links(None)?
            .into_iter()
            .find(|link| before.hwaddr.is_some() && hwaddr(link) == before.hwaddr),
    };
    let Some(link) = link else { return Ok(false) };
    settle(inside, &link, name, before)?;
    Ok(true)
}

/// Finds an interface that the kernel itself has given back, which it does when a namespace goes,
/// and makes it what it was before. `inside_hwaddr`: its address while it was lent.
pub(crate) fn restore(
    host: &mut Socket,
    before: &Lent,
    inside_hwaddr: Option<MacAddress>,
) -> Result<bool, LendError> {
    if host.link_named(before.name.as_str())?.is_some() {
        return Ok(true);
    }
    let is_it = |link: &Link| {
        let address = hwaddr(link);
        link.kind == LinkKind::Unnamed
            && address.is_some()
            && (address == before.hwaddr || address == inside_hwaddr)
    };
    let Some(link) = host.links(None)?.into_iter().find(is_it) else { return Ok(false) };
    settle(host, &link, &before.name, before)?;
    Ok(true)
}

/// Makes an interface, wherever it is, one of this host, as it was before.
fn settle(socket: &mut Socket, link: &Link, name: &InterfaceName, before: &Lent) -> Result<(), LendError> {
    let host = File::open("/proc/thread-self/ns/net").map_err(|source| LendError::Namespace { source })?;
    let settled =
        Settled { name: &before.name, hwaddr: before.hwaddr, mtu: Some(before.mtu), netns: host.as_fd() };
    let failed = |source| LendError::Kernel { name: name.clone(), parent: before.name.clone(), source };
    socket.switch(link.index, false).map_err(failed)?;
    socket.move_link(link.index, &settled).map_err(failed)
}
