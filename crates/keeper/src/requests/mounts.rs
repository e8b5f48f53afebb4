//! `Mount`, `Unmount`: something appears in, or disappears from, a running container.

use super::not_running;
use crate::events::programs::failed;
use crate::keeper::{Answer, Keeper};
use container::enter::Child;
use container::inject::{self, Mark};
use model::runtime::protocol::{Failure, ReplyBody};
use model::runtime::spec::Mount;
use std::os::fd::{AsFd, OwnedFd};

/// Largest answer: a few words.
const PACKET: usize = 16 * 1024;

impl Keeper {
    /// Puts a mount in. Whoever asked hears from the process that does it.
    pub(super) fn mount(&mut self, name: &str, mount: &Mount, fds: Vec<OwnedFd>) -> Answer {
        let Some(running) = self.running(name) else { return Err(not_running("mount", name)) };
        let (theirs, ours) = sockets()?;
        let given = fds.into_iter().next();
        let child = inject::attach(running.pid, running.pidfd.as_fd(), mount, given, &ours)?;
        self.watch_mounter(child, name, theirs)
    }

    /// Takes a mount out.
    pub(super) fn unmount(&mut self, name: &str, mark: Mark<'_>) -> Answer {
        let Some(running) = self.running(name) else { return Err(not_running("unmount", name)) };
        let (theirs, ours) = sockets()?;
        let child = inject::detach(running.pid, running.pidfd.as_fd(), mark, &ours)?;
        self.watch_mounter(child, name, theirs)
    }

    fn watch_mounter(&mut self, child: Child, name: &str, theirs: OwnedFd) -> Answer {
        self.watch_server(child, Some(name.to_owned()))?;
        Ok((ReplyBody::Mounting, vec![theirs]))
    }
}

fn sockets() -> Result<(OwnedFd, OwnedFd), Failure> {
    sys::seqpacket::pair(PACKET).map_err(failed("make a socket for a mount"))
}
