//! Pairs of interfaces: one end on a bridge of the host, the other inside a container.

use crate::names::{InterfaceName, MacAddress};
use crate::netlink::{Changes, LinkKind, NetlinkError, NewVeth, Socket};
use rustix::io::Errno;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

/// A pair to make.
#[derive(Clone, Debug)]
pub struct Plug<'a> {
    /// The host's end; see [`InterfaceName::veth`].
    pub host_name: InterfaceName,
    /// The bridge it becomes a port of.
    pub bridge: Option<InterfaceName>,
    /// The other end's name in its namespace.
    pub inside_name: InterfaceName,
    /// The other end's address.
    pub hwaddr: MacAddress,
    /// Of both ends, in bytes; `None`: the bridge's.
    pub mtu: Option<u32>,
    /// The network namespace of the other end.
    pub netns: BorrowedFd<'a>,
}

/// Why there is no pair.
#[derive(Debug, thiserror::Error)]
pub enum PlugError {
    /// The bridge is not there.
    #[error("The bridge {bridge} does not exist; create the network or start it")]
    NoBridge {
        /// Its name.
        bridge: InterfaceName,
    },
    /// The interface is there, but no bridge.
    #[error("{name} is no bridge, so nothing can be plugged into it")]
    NotABridge {
        /// Its name.
        name: InterfaceName,
    },
    /// One of the two names is taken.
    #[error("There is an interface {host_name} on the host or {inside_name} in the container already")]
    NameTaken {
        /// The host's end.
        host_name: InterfaceName,
        /// The other end.
        inside_name: InterfaceName,
    },
    /// The namespace could not be kept open for the call.
    #[error("Cannot hold the container's network namespace")]
    Namespace {
        /// What the kernel said.
        source: std::io::Error,
    },
    /// The kernel did not do it.
    #[error("Cannot make the interface {host_name} with {inside_name} in the container")]
    Kernel {
        /// The host's end.
        host_name: InterfaceName,
        /// The other end.
        inside_name: InterfaceName,
        /// What the kernel said.
        source: NetlinkError,
    },
    /// The connection to the kernel is gone.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
}

/// A [`Plug`] that may travel to another thread.
pub(crate) struct Request {
    host_name: InterfaceName,
    bridge: Option<InterfaceName>,
    inside_name: InterfaceName,
    hwaddr: MacAddress,
    mtu: Option<u32>,
    netns: OwnedFd,
}

impl TryFrom<Plug<'_>> for Request {
    type Error = PlugError;
    fn try_from(plug: Plug<'_>) -> Result<Self, PlugError> {
        let Plug { host_name, bridge, inside_name, hwaddr, mtu, netns } = plug;
        let netns = netns.try_clone_to_owned().map_err(|source| PlugError::Namespace { source })?;
        Ok(Self { host_name, bridge, inside_name, hwaddr, mtu, netns })
    }
}

/// Makes the pair, or nothing.
pub(crate) fn plug(socket: &mut Socket, request: &Request) -> Result<(), PlugError> {
    let mut mtu = request.mtu;
    let mut controller = None;
    if let Some(bridge) = &request.bridge {
        let link = socket
            .link_named(bridge.as_str())?
            .ok_or_else(|| PlugError::NoBridge { bridge: bridge.clone() })?;
        if link.kind != LinkKind::Bridge {
            return Err(PlugError::NotABridge { name: bridge.clone() });
        }
        controller = Some(link.index);
        mtu = mtu.or(Some(link.mtu));
    }
    let (host_name, inside_name) = (&request.host_name, &request.inside_name);
    let failed = |source: NetlinkError| {
        let (host_name, inside_name) = (host_name.clone(), inside_name.clone());
        if source.is(Errno::EXIST) {
            PlugError::NameTaken { host_name, inside_name }
        } else {
            PlugError::Kernel { host_name, inside_name, source }
        }
    };
    let netns = request.netns.as_fd();
    socket
        .create_veth(&NewVeth {
            name: host_name,
            controller,
            inside_name,
            hwaddr: request.hwaddr,
            mtu,
            netns,
        })
        .map_err(failed)?;
    // The kernel takes the IPv6 mode of existing interfaces only, so that is a second request. A
    // port of a bridge has no use for an address of its own.
    let changes = Changes { up: true, no_link_local: controller.is_some(), ..Changes::default() };
    let up = match socket.set_link(host_name, changes) {
        // A kernel without IPv6.
        Err(e) if changes.no_link_local && e.is(Errno::AFNOSUPPORT) => {
            socket.set_link(host_name, Changes { no_link_local: false, ..changes })
        }
        other => other,
    };
    if let Err(error) = up {
        if let Err(leftover) = socket.delete_link(host_name) {
            tracing::warn!(%host_name, error = %leftover, "cannot delete a half-made interface");
        }
        return Err(failed(error));
    }
    Ok(())
}
