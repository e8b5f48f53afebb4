//! Addresses for an interface of another network namespace.

use crate::names::InterfaceName;
use crate::netlink::{Changes, NetlinkError, Socket};
use ipnet::IpNet;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::net::IpAddr;
use std::os::fd::{AsFd as _, OwnedFd};

/// Why an interface has no addresses.
#[derive(Debug, thiserror::Error)]
pub enum ConfigureError {
    /// The namespace cannot be entered.
    #[error("Cannot enter the network namespace for {name}")]
    Enter {
        /// The interface.
        name: InterfaceName,
        /// What the kernel said.
        source: rustix::io::Errno,
    },
    /// The kernel refuses an address or a route.
    #[error("Cannot configure {name} in the container")]
    Kernel {
        /// The interface.
        name: InterfaceName,
        /// What it said.
        source: NetlinkError,
    },
    /// There is no such interface.
    #[error("There is no interface {name} in the container")]
    Missing {
        /// Its name.
        name: InterfaceName,
    },
}

/// Sets an interface up and gives it addresses and default routes. Blocks: a thread of its own goes
/// there, and ends.
///
/// # Errors
/// What the kernel refused; what came before stays, as the namespace is on its way out then.
pub fn configure(
    netns: &OwnedFd,
    name: &InterfaceName,
    addresses: &[(IpAddr, u8)],
    gateways: &[IpAddr],
) -> Result<(), ConfigureError> {
    std::thread::scope(|scope| {
        let work = scope.spawn(|| {
            move_into_link_name_space(netns.as_fd(), Some(LinkNameSpaceType::Network))
                .map_err(|source| ConfigureError::Enter { name: name.clone(), source })?;
            let failed = |source| ConfigureError::Kernel { name: name.clone(), source };
            let mut socket = Socket::open().map_err(failed)?;
            let link = socket.link_named(name.as_str()).map_err(failed)?;
            let index = link.ok_or_else(|| ConfigureError::Missing { name: name.clone() })?.index;
            let up = Changes { up: true, ..Changes::default() };
            socket.set_link(name, up).map_err(failed)?;
            for (address, prefix) in addresses {
                if let Ok(net) = IpNet::new(*address, *prefix) {
                    socket.add_address(index, net).map_err(failed)?;
                }
            }
            gateways.iter().try_for_each(|gateway| socket.add_gateway(index, *gateway)).map_err(failed)
        });
        work.join().unwrap_or_else(|_| Err(ConfigureError::Missing { name: name.clone() }))
    })
}
