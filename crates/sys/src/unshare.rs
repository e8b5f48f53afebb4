//! `unshare(2)` for the namespaces that a running process can leave without harm.

use rustix::io::Result;
use rustix::thread::{UnshareFlags, unshare_unsafe};

/// A namespace to leave for a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The group that the process is in becomes the root of what it sees.
    Cgroup,
    /// Queues, semaphores and shared memory.
    Ipc,
    /// A copy of all mounts.
    Mount,
    /// Interfaces, addresses and what belongs to them.
    Net,
}

/// Give the calling thread a namespace of its own.
///
/// # Errors
/// `EPERM` without `CAP_SYS_ADMIN`.
pub fn unshare(kind: Kind) -> Result<()> {
    let flags = match kind {
        Kind::Cgroup => UnshareFlags::NEWCGROUP,
        Kind::Ipc => UnshareFlags::NEWIPC,
        Kind::Mount => UnshareFlags::NEWNS,
        Kind::Net => UnshareFlags::NEWNET,
    };
    // SAFETY: the table of descriptors stays shared, which is all that the function warns of.
    unsafe { unshare_unsafe(flags) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clone3::{Namespaces, clone3};
    use crate::waitid::{Ended, wait};
    use std::os::fd::AsFd;

    #[test]
    fn every_kind() {
        let link = |name: &str| std::fs::read_link(format!("/proc/thread-self/ns/{name}"));
        let child = clone3(Namespaces::USER, None, || {
            let links = || ["cgroup", "ipc", "mnt", "net"].map(|name| link(name).ok());
            let before = links();
            if [Kind::Cgroup, Kind::Ipc, Kind::Mount, Kind::Net].into_iter().any(|k| unshare(k).is_err()) {
                return 1;
            }
            let after = links();
            if before.iter().zip(&after).all(|(before, after)| before != after) { 0 } else { 2 }
        })
        .unwrap();
        assert_eq!(wait(child.pidfd.as_fd()), Ok(Ended::Code(0)));
    }
}
