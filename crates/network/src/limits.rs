//! How much a container's interface may carry, enforced at the host's end of its pair.
//!
//! What the container receives is what the host's end sends: that is shaped by a token bucket. What
//! it sends arrives at the host's end, where nothing waits: what is too much is dropped ("policed").
//! A kernel without policing has it leave through an interface in between, which shapes.

use crate::names::InterfaceName;
use crate::netlink::{NetlinkError, Received, Socket};
use rustix::io::Errno;

/// Bounds in bits per second; none: unbounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Towards the container.
    pub ingress: Option<u64>,
    /// From the container.
    pub egress: Option<u64>,
}

/// Why a bound does not hold.
#[derive(Debug, thiserror::Error)]
pub enum LimitError {
    /// The host's end is not there.
    #[error("There is no interface {host_name} on the host to limit")]
    Missing {
        /// Its name.
        host_name: InterfaceName,
    },
    /// The kernel can shape nothing.
    #[error(
        "Cannot limit what passes {host_name}; the kernel needs sch_tbf, sch_ingress, cls_u32 and one of act_police and ifb"
    )]
    Kernel {
        /// The host's end.
        host_name: InterfaceName,
        /// What the kernel said.
        source: NetlinkError,
    },
    /// The connection to the kernel is gone.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
}

/// The interface between, for kernels that cannot police: named after the host's end, so that it is
/// found again when that is gone.
pub(crate) fn between(host_name: &InterfaceName) -> InterfaceName {
    // FNV-1a.
    let hash = host_name
        .as_str()
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    InterfaceName::between(hash)
}

/// Makes the bounds of an interface exactly these.
pub(crate) fn set(socket: &mut Socket, host_name: &InterfaceName, limits: Limits) -> Result<(), LimitError> {
    let link = socket
        .link_named(host_name.as_str())?
        .ok_or_else(|| LimitError::Missing { host_name: host_name.clone() })?;
    let failed = |source| LimitError::Kernel { host_name: host_name.clone(), source };
    match limits.ingress {
        Some(bits) => socket.shape(link.index, bytes(bits)),
        None => socket.unshape(link.index),
    }
    .map_err(failed)?;
    match limits.egress {
        Some(bits) => limit_received(socket, link.index, host_name, bytes(bits)),
        None => socket.unfilter_received(link.index).and_then(|()| forget(socket, host_name)),
    }
    .map_err(failed)
}

/// A rate of zero bytes would let nothing pass at all.
fn bytes(bits: u64) -> u64 {
    (bits / 8).max(1)
}

fn limit_received(
    socket: &mut Socket,
    index: u32,
    host_name: &InterfaceName,
    rate: u64,
) -> Result<(), NetlinkError> {
    match socket.filter_received(index, Received::Police(rate)) {
        // What the kernel lacks altogether is "not found" or "not supported".
        Err(error) if error.is(Errno::NOENT) || error.is(Errno::OPNOTSUPP) => {}
        other => return other,
    }
    let name = between(host_name);
    if socket.link_named(name.as_str())?.is_none() {
        socket.create_ifb(&name)?;
    }
    let done = match socket.link_named(name.as_str())? {
        Some(link) => socket
            .shape(link.index, rate)
            .and_then(|()| socket.filter_received(index, Received::Redirect(link.index))),
        None => Ok(()),
    };
    if done.is_err() {
        forget(socket, host_name)?;
    }
    done
}

/// Removes what the bounds of an interface have made besides it, also when it is gone itself.
pub(crate) fn forget(socket: &mut Socket, host_name: &InterfaceName) -> Result<(), NetlinkError> {
    socket.delete_link(&between(host_name)).map(drop)
}
