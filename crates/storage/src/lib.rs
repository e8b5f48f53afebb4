//! Storage pools and the volumes in them: images that were unpacked, containers made of them.
//!
//! | module | blocking? |
//! |---|---|
//! | [`Pool`] | no: async functions that do their blocking work on the blocking pool |
//! | [`config`] | neither: pure functions |
//! | [`tree`] | yes: call it from `spawn_blocking` |
//!
//! Nothing here knows the database: callers bring typed values and keep the results.

mod block;
pub mod config;
mod drivers;
mod error;
mod host;
mod image_slots;
mod loopfile;
mod paths;
mod pool;
mod received;
pub mod tree;
mod turns;
mod volume;

pub use block::BlockError;
pub use config::{ConfigError, DriverKind, PoolConfig, VolumeConfig};
pub use drivers::{Capabilities, Repaired, Resources};
pub use error::{EnsureError, Error};
pub use host::{Available, available, with_versions};
pub use image_slots::Ensured;
pub use pool::{Mounted, Parcel, Pool};
pub use volume::{Draft, Kind, Resized, Staged, Volume, VolumeSource};
