//! The DHCP and DNS server of a bridge: one `dnsmasq` each, which outlives this daemon.

mod arguments;
mod hosts;
mod leases;
mod process;
mod release;

pub use hosts::{Host, Reservation};
pub use leases::{Lease, LeaseError, parse as parse_leases};
pub use process::DnsmasqError;

pub(crate) use hosts::{remove as remove_host, set as set_host, sync as sync_hosts};
pub(crate) use leases::list;
pub(crate) use process::{ensure, stop};
pub(crate) use release::forget;
