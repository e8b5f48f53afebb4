//! The runtime library: a specification becomes a running container; attach, files, cgroups.
//!
//! Everything here is synchronous. What clones processes ([`start`], [`exec`], [`enter`]) is meant
//! to be called from a single-threaded process; [`cgroup`] and [`idmap::probe`] may be called from
//! any thread.

pub mod cgroup;
pub mod console;
pub mod enter;
pub mod exec;
mod failure;
pub mod files;
pub mod idmap;
pub mod start;

pub use failure::Error;
