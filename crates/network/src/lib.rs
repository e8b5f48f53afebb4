//! Bridges, veth pairs, leases, firewall.
//!
//! Everything is done through [`Networks`]. This crate knows neither the database nor the API:
//! callers pass typed values and store what comes back.

pub mod bridge;
pub mod dnsmasq;
pub mod firewall;
pub mod interfaces;
mod limits;
pub mod names;
pub mod netlink;
mod networks;
mod physical;
pub mod subnet;
mod sysctl;
pub mod veth;

pub use bridge::{Bridge, BridgeConfig, ConfigError, StartError, Started, StopError, Warning};
pub use dnsmasq::{DnsmasqError, Host, Lease, LeaseError, Reservation};
pub use limits::{LimitError, Limits};
pub use names::{InterfaceName, InterfaceNameError, MacAddress, MacError};
pub use netlink::NetlinkError;
pub use networks::{Error, Networks};
pub use physical::{Inside, LendError, Lent};
pub use subnet::NoFreeSubnet;
pub use sysctl::SysctlError;
pub use veth::{Plug, PlugError};
