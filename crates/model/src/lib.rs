//! What things are and what is allowed: names, configuration keys, devices, id maps, units, and
//! the runtime specification. No I/O, no clock, no threads: everything here is a function of its
//! arguments and is tested that way.

pub mod idmap;
pub mod runtime;

pub use idmap::{IdMap, IdRange};
