//! `raw.lxc`: lines of LXC's configuration, of which those have an effect that a container of ours
//! can follow. Everything else is refused when it is set, by line and key, with the reason.

mod error;
mod keys;
mod mount;
mod signal;
#[cfg(test)]
mod tests;

pub use error::{RawLxcError, Reason};
pub use mount::{Access, AutoMount, Entry, Flags};
pub use signal::parse as parse_signal;

use crate::idmap::RawMapping;
use crate::runtime::devices::DeviceRule;
use std::net::IpAddr;

/// What `raw.lxc` asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawLxc {
    /// `lxc.mount.entry`, in order.
    pub mounts: Vec<Entry>,
    /// `lxc.mount.auto`, in order: the last word about each tree counts.
    pub auto: Vec<AutoMount>,
    /// `lxc.cgroup.*`: file and value for version 1, in order.
    pub cgroup1: Vec<(String, String)>,
    /// `lxc.cgroup2.*`: the same for version 2.
    pub cgroup2: Vec<(String, String)>,
    /// `lxc.cgroup.devices.*` and `lxc.cgroup2.devices.*`, in order.
    pub devices: Vec<DeviceLine>,
    /// What is said about capabilities.
    pub capabilities: Capabilities,
    /// `lxc.apparmor.*`.
    pub apparmor: Apparmor,
    /// `lxc.seccomp.profile`: a file of the host with a policy.
    pub seccomp: Option<String>,
    /// `lxc.environment`, in order.
    pub environment: Vec<(String, String)>,
    /// `lxc.idmap`.
    pub idmap: Vec<RawMapping>,
    /// `lxc.sysctl.*`, in order.
    pub sysctls: Vec<(String, String)>,
    /// `lxc.proc.*`: files of init in `/proc`, in order.
    pub proc: Vec<(String, String)>,
    /// `lxc.init.cmd`: the program and its arguments.
    pub init: Option<Vec<String>>,
    /// `lxc.signal.halt`.
    pub halt: Option<i32>,
    /// `lxc.signal.stop`.
    pub stop: Option<i32>,
    /// `lxc.net.N.*`: addresses of the interfaces, by number.
    pub interfaces: Vec<Interface>,
}

/// What is said about devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceLine {
    /// `allow = a`: all of them.
    AllowAll,
    /// `deny = a`: none, but what is allowed later.
    DenyAll,
    /// `allow = c 10:200 rwm`.
    Allow(DeviceRule),
    /// `deny = c 10:200 rwm`: what was allowed in the same words.
    Deny(DeviceRule),
}

/// Which capabilities are left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// `lxc.cap.drop`, numbers of `capabilities(7)`.
    pub dropped: Vec<u32>,
    /// `lxc.cap.keep`: these and no others.
    pub kept: Option<Vec<u32>>,
    /// An empty `lxc.cap.drop` came first: nothing is dropped that would be otherwise.
    pub reset: bool,
}

impl Capabilities {
    /// What is dropped, of the numbers that Linux can have; `usual` are those dropped anyway.
    #[must_use]
    pub fn dropped(&self, usual: &[u32]) -> Vec<u32> {
        let usual = if self.reset { &[] } else { usual };
        let kept = self.kept.as_deref();
        (0..64)
            .filter(|number| {
                kept.is_some_and(|kept| !kept.contains(number))
                    || self.dropped.contains(number)
                    || usual.contains(number)
            })
            .collect()
    }
}

/// What is said about AppArmor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Apparmor {
    /// `lxc.apparmor.profile`.
    pub profile: ApparmorProfile,
    /// `lxc.apparmor.raw`, one line each.
    pub raw: Vec<String>,
    /// `lxc.apparmor.allow_nesting`.
    pub nesting: bool,
}

/// Whose profile confines the container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ApparmorProfile {
    /// The one that is made for it.
    #[default]
    Generated,
    /// A profile that the host has loaded, or `unconfined`.
    Named(String),
    /// That of the daemon.
    Unchanged,
}

/// Addresses of one interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// Which of the container's interfaces, counted from 0 in the order of its devices.
    pub number: usize,
    /// Addresses with the lengths of their prefixes.
    pub addresses: Vec<(IpAddr, u8)>,
    /// Default routes.
    pub gateways: Vec<IpAddr>,
}

/// Reads all lines; comments and empty lines are skipped.
///
/// # Errors
/// For the first line that is not `key = value`, whose key is not allowed or known, or whose value
/// is wrong.
pub fn parse(text: &str) -> Result<RawLxc, RawLxcError> {
    let mut read = RawLxc::default();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let at = |key: &str, reason| RawLxcError { line: number + 1, key: key.to_owned(), reason };
        let (key, value) = line.split_once('=').ok_or_else(|| at(line, Reason::NoValue))?;
        let key = key.trim().to_ascii_lowercase();
        read.apply(&key, value.trim()).map_err(|reason| at(&key, reason))?;
    }
    Ok(read)
}
