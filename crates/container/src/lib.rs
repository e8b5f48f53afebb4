//! The runtime library: a specification becomes a running container; attach, files, cgroups.
//!
//! Everything here is synchronous. What clones processes ([`start`], [`exec`], [`enter`]) is meant
//! to be called from a single-threaded process; [`cgroup`] and [`idmap::probe`] may be called from
//! any thread.

pub mod block;
pub mod cgroup;
pub mod console;
pub mod enter;
mod entry;
pub mod exec;
mod failure;
mod fault;
pub mod files;
pub mod idmap;
pub mod inject;
mod place;
mod report;
pub mod start;
#[cfg(test)]
mod testbed;
mod tree;

pub use failure::Error;
