//! The heart: what happens to containers, images, profiles, networks and pools, one verb per file.
//!
//! [`Host`] is everything at once; its parts are handles that are cheap to clone. Verbs that take
//! long come in two halves: the call checks what can be checked at once and refuses with a typed
//! reason, and gives back [`Work`], which an operation runs in the background.

mod apparmor;
mod catalog;
mod compose;
mod devices;
mod error;
mod forwarder;
mod full_disk;
mod host;
mod journal;
mod limits;
mod platform;
mod random;
mod raw_lxc;
mod seccomp;
mod steps;
mod var;
mod work;

pub mod certificates;
pub mod exec;
pub mod files;
pub mod guest;
pub mod images;
pub mod instances;
pub mod keeper;
pub mod networks;
pub mod pools;
pub mod profiles;
pub mod server;
pub mod settings;
pub mod volumes;

pub use error::{Error, Kind};
pub use forwarder::ForwardError;
pub use host::{Host, Options};
pub use storage::DriverKind;
pub use storage::config::{Key as StorageKey, POOL as POOL_KEYS, VOLUME as VOLUME_KEYS};
pub use work::{Outcome, Progress, Work};
