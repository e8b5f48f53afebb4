//! What belongs to the processes of a running container.

use crate::guest::OpenDoor;
use container::cgroup::Cgroup;
use model::IdMap;
use std::os::fd::OwnedFd;
use std::sync::Mutex;

/// Descriptors and facts that exist only while a container runs. Shared by everybody who looks
/// into it; closed with the last of them.
pub(crate) struct Live {
    /// Init's process id on the host.
    pub(crate) pid: i32,
    /// Init.
    pub(crate) pidfd: OwnedFd,
    /// Its network namespace.
    pub(crate) netns: OwnedFd,
    /// Root directory of its devpts.
    pub(crate) devpts: OwnedFd,
    /// Its control groups.
    pub(crate) cgroup: Cgroup,
    /// Its `/dev/lxd`, while that is open.
    pub(crate) door: Mutex<Option<OpenDoor>>,
    /// Its ids; `None`: privileged.
    pub(crate) idmap: Option<IdMap>,
}
