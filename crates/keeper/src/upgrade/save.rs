//! From the state to a memory file.

use super::{Saved, SavedContainer, SavedRunning, SavedServer, SavedSession};
use crate::container::Stage;
use crate::keeper::Keeper;
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use sys::inherited::{keep, pass};

impl Keeper {
    /// Closes every connection.
    pub(super) fn hang_up(&mut self) {
        for number in self.peers.keys().copied().collect::<Vec<_>>() {
            self.drop_peer(number);
        }
    }

    /// Every descriptor that goes through.
    fn heirlooms(&self) -> Vec<BorrowedFd<'_>> {
        let mut all = vec![self.lock.as_fd(), self.listener.socket.as_fd()];
        for container in self.containers.values() {
            let Stage::Running(running) = &container.stage else { continue };
            all.extend([running.pidfd.as_fd(), running.netns.as_fd()]);
            all.extend(running.devpts.as_ref().map(AsFd::as_fd));
            all.extend(running.console.master());
            all.extend(running.console.client());
        }
        all.extend(self.sessions.values().map(|session| session.pidfd.as_fd()));
        all.extend(self.servers.values().map(|server| server.child.pidfd.as_fd()));
        all
    }
}

/// Writes the state down and lets its descriptors through.
pub(super) fn save(keeper: &Keeper) -> Result<OwnedFd, Errno> {
    let optional = |fd: Option<BorrowedFd<'_>>| fd.map(pass).transpose();
    let mut printed = Vec::new();
    let mut containers = Vec::new();
    for (name, container) in &keeper.containers {
        let (console, running) = match &container.stage {
            Stage::Running(running) => {
                let saved = SavedRunning {
                    pidfd: pass(&running.pidfd)?,
                    netns: pass(&running.netns)?,
                    devpts: optional(running.devpts.as_ref().map(AsFd::as_fd))?,
                    master: optional(running.console.master())?,
                    client: optional(running.console.client())?,
                    is_child: running.is_child,
                };
                (&running.console, Some(saved))
            }
            Stage::Ended(ended) => (&ended.console, None),
            Stage::Cloned { .. } | Stage::Released { .. } => continue,
        };
        let words = console.printed();
        containers.push(SavedContainer { record: container.record(name), running, printed: words.len() });
        printed.extend_from_slice(&words);
    }
    let session = |(number, session): (&u64, &crate::keeper::Watched)| {
        Ok::<_, Errno>(SavedSession { number: *number, pidfd: pass(&session.pidfd)? })
    };
    let server = |(number, server): (&u64, &crate::keeper::Server)| {
        let pidfd: RawFd = pass(&server.child.pidfd)?;
        Ok::<_, Errno>(SavedServer { number: *number, pidfd, container: server.container.clone() })
    };
    let saved = Saved {
        lock: pass(&keeper.lock)?,
        listener: pass(&keeper.listener.socket)?,
        next: keeper.next,
        containers,
        sessions: keeper.sessions.iter().map(session).collect::<Result<_, _>>()?,
        servers: keeper.servers.iter().map(server).collect::<Result<_, _>>()?,
        owed: keeper.owed.iter().cloned().collect(),
    };
    let mut content = serde_json::to_vec(&saved).map_err(|_| Errno::INVAL)?;
    content.push(b'\n');
    content.append(&mut printed);
    sys::memfd::sealed("lxd-keeper-state", &content)
}

/// Makes everything close-on-exec again, when nothing was executed after all.
pub(super) fn take_back(keeper: &Keeper) {
    for fd in keeper.heirlooms() {
        // It cannot fail for a descriptor that is open.
        let _ = keep(fd);
    }
}
