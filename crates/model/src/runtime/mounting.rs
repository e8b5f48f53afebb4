//! What comes of a mount put into, or taken out of, a running container.
//!
//! The work is done by a process of its own, because a file system of the container can hold it for
//! as long as it likes. The daemon gets a `SOCK_SEQPACKET` socket; one packet comes back on it, the
//! JSON of [`MountResult`] or [`UnmountResult`], or it closes because the container has ended.

use super::protocol::Failure;
use serde::{Deserialize, Serialize};

/// How a mount is known again: device and inode of its root, see `stat(2)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountIdentity {
    /// `st_dev`.
    pub dev: u64,
    /// `st_ino`.
    pub ino: u64,
}

/// Something was mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mounted {
    /// What the place shows now.
    pub identity: MountIdentity,
    /// The mount point was not there before.
    pub made: bool,
}

/// What was found where something was to be taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unmounted {
    /// The mount, and it is gone.
    Done,
    /// Nothing: no such path, or nothing is mounted there.
    Absent,
    /// Another mount, which was left alone.
    Other,
}

/// To `Mount`.
pub type MountResult = Result<Mounted, Failure>;
/// To `Unmount`.
pub type UnmountResult = Result<Unmounted, Failure>;
