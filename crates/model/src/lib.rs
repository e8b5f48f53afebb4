//! What things are and what is allowed: names, configuration keys, devices, id maps, units, and
//! the runtime specification. No I/O, no clock, no threads: everything here is a function of its
//! arguments and is tested that way.

pub mod arch;
pub mod compression;
pub mod config;
pub mod devices;
pub mod expand;
pub mod filter;
pub mod idmap;
pub mod names;
mod nearest;
pub mod power;
pub mod reference;
pub mod runtime;
pub mod snapshots;
pub mod state;
mod story;
pub mod units;

pub use arch::Architecture;
pub use compression::Compression;
pub use idmap::{IdMap, IdRange};
pub use names::{
    AliasName, DeviceName, Fingerprint, FingerprintPrefix, InstanceName, NameError, NetworkName, PoolName,
    ProfileName, SnapshotName, VolumeName,
};
pub use state::{Action, Decision, InstanceState, Refusal};
pub use story::story;
