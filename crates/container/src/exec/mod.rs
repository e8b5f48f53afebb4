//! A program inside a running container.
//!
//! No process stands between the caller and the program: the caller clones it into the container's
//! pid namespace and unified control group, where it enters the groups of version 1 by itself (see
//! [`crate::cgroup::Cgroup::doors`]) and the other namespaces by one `setns(2)` on init's pidfd.
//!
//! Until the program is executed the process belongs to the host: it cannot be traced, and by the
//! time it has the container's ids it has no descriptor but its streams.

mod attacher;
mod child;
mod command;
#[cfg(test)]
mod tests;

pub use attacher::{Attacher, Pending, Progress, Spawned};
