//! Interfaces: those of this host, and those inside containers, which are read without going there.

mod host;
mod inside;

pub use host::{HostInterface, HostKind};
pub use inside::{Address, Counters, Flavour, Interface, Scope};

pub(crate) use host::list;
pub(crate) use inside::inside;
