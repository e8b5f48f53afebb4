//! `Exec`: a program inside a running container.

use super::start::descriptor;
use super::{Reply, not_running};
use crate::keeper::Keeper;
use container::exec::{Attacher, Pending};
use model::runtime::protocol::Failure;
use model::runtime::spec::ExecSpec;
use std::os::fd::{AsFd, OwnedFd};

const STEP: &str = "run a program";

impl Keeper {
    /// Answered when the program has been executed.
    pub(super) fn exec(
        &mut self,
        peer: u64,
        request: u64,
        name: &str,
        spec: &ExecSpec,
        fds: Vec<OwnedFd>,
    ) -> Reply {
        match self.spawn(name, spec, fds).and_then(|pending| self.await_report(peer, request, pending)) {
            Ok(()) => Reply::Later,
            Err(failure) => Reply::Now(Err(failure)),
        }
    }

    fn spawn(&mut self, name: &str, spec: &ExecSpec, fds: Vec<OwnedFd>) -> Result<Pending, Failure> {
        let Some(running) = self.running(name) else { return Err(not_running(STEP, name)) };
        let mut fds = fds.into_iter();
        let mut stream = || descriptor(STEP, &mut fds);
        let streams = [stream()?, stream()?, stream()?];
        let seccomp = if spec.seccomp { Some(stream()?) } else { None };
        let gate = if spec.held { Some(stream()?) } else { None };
        if running.attacher.is_none() {
            let attacher = Attacher::start(running.pid, running.pidfd.as_fd(), &running.cgroup)?;
            running.attacher = Some(attacher);
        }
        let Some(attacher) = &running.attacher else { return Err(not_running(STEP, name)) };
        let borrowed = [streams[0].as_fd(), streams[1].as_fd(), streams[2].as_fd()];
        Ok(attacher.spawn(spec, borrowed, seccomp, gate.as_ref().map(AsFd::as_fd))?)
    }

    fn await_report(&mut self, peer: u64, request: u64, pending: Pending) -> Result<(), Failure> {
        let number = self.number();
        self.watch_pending(number, pending, peer, request)
    }
}
