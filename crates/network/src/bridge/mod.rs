//! Managed bridges.

mod config;
mod defaults;
mod start;

pub use config::{BridgeConfig, ConfigError, Dhcp, Dhcp6, DnsMode, Ipv4, Ipv6, Range, Subnet};
pub use start::{StartError, Started, StopError, Warning};

pub(crate) use defaults::{Host, fill};
pub(crate) use start::{start, stop};

use model::names::NetworkName;
use std::path::PathBuf;

/// A managed bridge and where its files are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bridge {
    /// The network, and the interface.
    pub name: NetworkName,
    /// What it should be.
    pub config: BridgeConfig,
    /// `<var>/networks/<name>`, absolute.
    pub dir: PathBuf,
}
