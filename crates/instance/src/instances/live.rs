//! What belongs to the processes of a running container.

use crate::guest::OpenDoor;
use crate::volumes::Attached;
use container::cgroup::Cgroup;
use model::IdMap;
use network::interfaces::Seen;
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use storage::Mounted;

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
    /// What its interfaces were when they were last listed.
    pub(crate) interfaces: Mutex<Option<Arc<Seen>>>,
    /// Its ids; `None`: privileged.
    pub(crate) idmap: Option<IdMap>,
    /// The volumes that it has, by the names of its devices.
    pub(crate) volumes: Mutex<BTreeMap<String, Attached>>,
    /// Its volume, which stays mounted.
    #[expect(dead_code, reason = "held for what happens when it goes")]
    pub(crate) volume: Mounted,
}

impl Live {
    /// The volumes that it has, by the names of its devices.
    pub(crate) fn volumes(&self) -> MutexGuard<'_, BTreeMap<String, Attached>> {
        self.volumes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What its interfaces were when they were last listed.
    pub(crate) fn seen(&self) -> Option<Arc<Seen>> {
        self.interfaces.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps what its interfaces are.
    pub(crate) fn saw(&self, seen: Seen) -> Arc<Seen> {
        let seen = Arc::new(seen);
        *self.interfaces.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen.clone());
        seen
    }
}
