//! `GET /containers/<n>/state` (`rest-api` §7.6).

use crate::StatusCode;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a container is doing right now.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct State {
    pub status: String,
    pub status_code: StatusCode,
    /// `null` when stopped.
    pub disk: Option<BTreeMap<String, Disk>>,
    #[serde(default)]
    pub memory: Memory,
    /// `null` when stopped.
    pub network: Option<BTreeMap<String, Network>>,
    /// Init's process id on the host, 0 when stopped.
    #[serde(default)]
    pub pid: i64,
    #[serde(default)]
    pub processes: i64,
    #[serde(default)]
    pub cpu: Cpu,
}

/// Space used by a disk device, in bytes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Disk {
    pub usage: i64,
}

/// Memory in bytes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Memory {
    pub usage: i64,
    pub usage_peak: i64,
    pub swap_usage: i64,
    pub swap_usage_peak: i64,
}

/// Processor time in nanoseconds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Cpu {
    pub usage: i64,
}

/// One interface inside the container.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Network {
    #[serde(deserialize_with = "crate::null_default")]
    pub addresses: Vec<Address>,
    pub counters: Counters,
    pub hwaddr: String,
    /// The host's end of the pair, or empty.
    pub host_name: String,
    pub mtu: i64,
    /// `up` or `down`.
    pub state: String,
    /// `broadcast`, `loopback`, `point-to-point` or `unknown`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// An address of an interface.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Address {
    /// `inet` or `inet6`.
    pub family: String,
    pub address: String,
    /// Prefix length as text.
    pub netmask: String,
    /// `local`, `link` or `global`.
    pub scope: String,
}

/// Traffic since the interface was made.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Counters {
    pub bytes_received: i64,
    pub bytes_sent: i64,
    pub packets_received: i64,
    pub packets_sent: i64,
    #[serde(default)]
    pub errors_received: i64,
    #[serde(default)]
    pub errors_sent: i64,
    #[serde(default)]
    pub packets_dropped_outbound: i64,
    #[serde(default)]
    pub packets_dropped_inbound: i64,
}
