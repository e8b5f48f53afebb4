//! A specification becomes a running container, in two steps.
//!
//! [`clone`] makes namespaces, control groups and id maps; the child goes on by itself to build its
//! file system and then waits. Meanwhile the caller may put network interfaces into the namespace
//! of the [`Embryo`]. [`Embryo::proceed`] lets it execute init.
//!
//! | step | who |
//! |---|---|
//! | open host files, make groups, clone | caller |
//! | enter the groups of version 1 | child |
//! | write id maps, map the ids of mounts, set resource limits | caller |
//! | become root, mounts, console, pivot, host name | child |
//! | interfaces up, sysctls, rights, filter, exec | child, after `proceed` |

mod boot_id;
mod child;
mod console;
mod dev;
mod embryo;
mod filesystem;
pub(crate) mod limits;
mod mounts;
mod plan;
mod proc_files;
mod staging;
#[cfg(test)]
mod tests;

pub use embryo::{Embryo, Progress, Released, Running, clone, start_time};
#[cfg(test)]
pub(crate) use filesystem::NewFilesystem;
pub(crate) use mounts::{attach_root, pivot};
pub(crate) use plan::read_seccomp;
pub(crate) use staging::staged_copy;
