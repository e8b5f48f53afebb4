//! Interfaces: those of this host, and those inside containers, which are read without going there.

mod addresses;
mod configure;
mod host;
mod inside;
mod seen;

pub use addresses::reachable;
pub use configure::{ConfigureError, configure};
pub use host::{HostInterface, HostKind};
pub use inside::{Address, Counters, Flavour, Interface, Scope};
pub use seen::{HostEnd, Seen};

pub(crate) use host::list;
pub(crate) use inside::{here, inside};
pub(crate) use seen::{current, host_ends, look};
