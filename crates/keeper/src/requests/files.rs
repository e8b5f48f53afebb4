//! `Files`, `FilesOf`: a file server.

use super::not_running;
use crate::events::programs::failed;
use crate::keeper::{Answer, Keeper, Server, Watched};
use crate::poller::{EventFlags, Source};
use container::{enter, files};
use model::IdMap;
use model::runtime::protocol::{Failure, MAX_PACKET, ReplyBody};
use model::runtime::spec::Rootfs;
use std::os::fd::{AsFd, OwnedFd};

const STEP: &str = "run a file server";

/// Two ends of a file server's socket: the daemon's and its own.
fn sockets() -> Result<(OwnedFd, OwnedFd), Failure> {
    sys::seqpacket::pair(MAX_PACKET).map_err(failed("make a socket for the file server"))
}

impl Keeper {
    /// For a running container.
    pub(super) fn files(&mut self, name: &str) -> Answer {
        let Some(running) = self.running(name) else { return Err(not_running(STEP, name)) };
        let (theirs, ours) = sockets()?;
        let child = enter::running(running.pid, running.pidfd.as_fd(), ours, files::serve)?;
        self.watch_server(child, Some(name.to_owned()))?;
        Ok((ReplyBody::Files, vec![theirs]))
    }

    /// For the file system of a container that does not run.
    pub(super) fn files_of(&mut self, rootfs: &Rootfs, idmap: Option<&IdMap>) -> Answer {
        let (theirs, ours) = sockets()?;
        let child = enter::stopped(rootfs, idmap, ours, files::serve)?;
        self.watch_server(child, None)?;
        Ok((ReplyBody::Files, vec![theirs]))
    }

    /// Watches a process of ours that works in a container.
    pub(super) fn watch_server(
        &mut self,
        child: enter::Child,
        container: Option<String>,
    ) -> Result<(), Failure> {
        let number = self.number();
        let watched = self.poller.add(&child.pidfd, EventFlags::IN, Source::Server(number));
        let token = watched.map_err(failed("poll the file server"))?;
        let child = Watched { pidfd: child.pidfd, token };
        self.servers.insert(number, Server { child, container });
        Ok(())
    }
}
