//! Starts, programs and file servers get somewhere, or end.

use crate::container::{Container, Running, Stage};
use crate::events::consoles::watch_master;
use crate::keeper::{Answer, Keeper, Report, Watched};
use crate::poller::{EventFlags, Source};
use crate::record::Facts;
use container::console::Console;
use container::exec::{Pending, Progress};
use container::start;
use model::runtime::protocol::{EventBody, Failure, ReplyBody};
use rustix::io::Errno;
use rustix::process::{Signal, pidfd_send_signal};
use std::os::fd::AsFd;

/// A system call of the keeper's own that failed.
pub(crate) fn failed(step: &'static str) -> impl Fn(Errno) -> Failure {
    move |errno| container::Error::system(step, errno).into()
}

/// A copy of a descriptor for the daemon.
pub(crate) fn copy(fd: impl AsFd) -> Result<std::os::fd::OwnedFd, Failure> {
    let copied = rustix::io::fcntl_dupfd_cloexec(fd, 3);
    copied.map_err(failed("copy a descriptor for the daemon"))
}

impl Keeper {
    /// A start has come to its end: init was executed, or failed.
    pub(crate) fn released_ready(&mut self, name: &str) {
        let Some(Container { facts, stage }) = self.containers.remove(name) else { return };
        let Stage::Released { released, token, peer, request } = stage else {
            self.containers.insert(name.to_owned(), Container { facts, stage });
            return;
        };
        // Looking at it may close what is polled, so it is polled anew if there is more to come.
        self.poller.remove(released.ready(), token);
        let watched = match released.advance() {
            Ok(start::Progress::Released(released)) => {
                match self.watch_released(name, facts, released, peer, request) {
                    Ok(()) => return,
                    Err(failure) => Err(failure),
                }
            }
            Ok(start::Progress::Running(started)) => {
                self.watch_started(name, started, &facts.console).map(|watched| (watched, facts))
            }
            Err(error) => Err(error.into()),
        };
        let answer: Answer = watched.map(|((running, devpts), facts)| {
            let (pid, start_time) = (running.pid, running.start_time);
            let stage = Stage::Running(Box::new(running));
            self.containers.insert(name.to_owned(), Container { facts, stage });
            self.save(name);
            (ReplyBody::Started { pid, start_time }, vec![devpts])
        });
        match &answer {
            Ok(_) => self.journal.say(&format!("{name}: started")),
            Err(failure) => {
                self.journal.say(&format!("{name}: {}: {}", failure.step, failure.reason));
            }
        }
        self.reply(peer, request, answer);
    }

    /// Polls a container that is on its way to executing init.
    pub(crate) fn watch_released(
        &mut self,
        name: &str,
        facts: Facts,
        released: start::Released,
        peer: u64,
        request: u64,
    ) -> Result<(), Failure> {
        let source = Source::Released(name.to_owned());
        let token =
            self.poller.add(released.ready(), EventFlags::IN, source).map_err(failed("poll the start"))?;
        let stage = Stage::Released { released: Box::new(released), token, peer, request };
        self.containers.insert(name.to_owned(), Container { facts, stage });
        Ok(())
    }

    /// Polls a program that is on its way to being executed.
    pub(crate) fn watch_pending(
        &mut self,
        number: u64,
        pending: Pending,
        peer: u64,
        request: u64,
    ) -> Result<(), Failure> {
        let watched = self.poller.add(pending.ready(), EventFlags::IN, Source::Report(number));
        let token = watched.map_err(failed("poll the program"))?;
        self.reports.insert(number, Report { pending, token, peer, request });
        Ok(())
    }

    /// Polls what a container that has just started consists of.
    fn watch_started(
        &mut self,
        name: &str,
        started: start::Running,
        spec: &model::runtime::spec::ConsoleSpec,
    ) -> Result<(Running, std::os::fd::OwnedFd), Failure> {
        let start::Running { pid, pidfd, netns, devpts, console, start_time, cgroup } = started;
        let watched = (|| {
            let for_daemon = copy(&devpts)?;
            let console = Console::new(console, spec)?;
            let master_token =
                watch_master(&mut self.poller, name, &console).map_err(failed("poll the console"))?;
            let source = Source::Init(name.to_owned());
            let token = self.poller.add(&pidfd, EventFlags::IN, source).map_err(failed("poll init"))?;
            Ok((for_daemon, console, master_token, token))
        })();
        let (for_daemon, console, master_token, token) = match watched {
            Ok(parts) => parts,
            Err(failure) => {
                // It runs, but could not be looked after.
                let _ = pidfd_send_signal(&pidfd, Signal::KILL);
                let _ = sys::waitid::wait(pidfd.as_fd());
                let _ = cgroup.remove(std::time::Duration::from_secs(1));
                return Err(failure);
            }
        };
        let running = Running {
            pid,
            start_time,
            pidfd,
            token,
            netns,
            devpts: Some(devpts),
            cgroup,
            console,
            master_token,
            client: None,
            attacher: None,
            is_child: true,
            unreaped: None,
        };
        Ok((running, for_daemon))
    }

    /// A program was executed, or could not be.
    pub(crate) fn report_ready(&mut self, number: u64) {
        let Some(Report { pending, token, peer, request }) = self.reports.remove(&number) else { return };
        self.poller.remove(pending.ready(), token);
        let answer = match pending.advance() {
            Ok(Progress::Pending(pending)) => match self.watch_pending(number, pending, peer, request) {
                Ok(()) => return,
                Err(failure) => Err(failure),
            },
            Ok(Progress::Spawned(spawned)) => self.watch_spawned(number, spawned),
            Err(error) => Err(error.into()),
        };
        self.reply(peer, request, answer);
    }

    fn watch_spawned(&mut self, number: u64, spawned: container::exec::Spawned) -> Answer {
        let container::exec::Spawned { pid, pidfd } = spawned;
        let watched = copy(&pidfd).and_then(|for_daemon| {
            let token = self.poller.add(&pidfd, EventFlags::IN, Source::Session(number));
            Ok((for_daemon, token.map_err(failed("poll the program"))?))
        });
        match watched {
            Ok((for_daemon, token)) => {
                self.sessions.insert(number, Watched { pidfd, token });
                Ok((ReplyBody::Spawned { session: number, pid }, vec![for_daemon]))
            }
            Err(failure) => {
                // It runs, but could not be looked after.
                let _ = pidfd_send_signal(&pidfd, Signal::KILL);
                let _ = sys::waitid::wait(pidfd.as_fd());
                Err(failure)
            }
        }
    }

    /// A program has ended.
    pub(crate) fn session_ready(&mut self, number: u64) {
        let Some(session) = self.sessions.get(&number) else { return };
        let status = match sys::waitid::try_wait(session.pidfd.as_fd()) {
            Ok(None) => return,
            Ok(Some(ended)) => ended.shell_status(),
            // Somebody else's by now, which cannot be: then at least nobody waits for it.
            Err(_) => -1,
        };
        if let Some(session) = self.sessions.remove(&number) {
            self.poller.remove(&session.pidfd, session.token);
        }
        self.tell(EventBody::ExecEnded { session: number, status });
    }

    /// A file server has ended.
    pub(crate) fn server_ready(&mut self, number: u64) {
        let Some(server) = self.servers.get(&number) else { return };
        if matches!(sys::waitid::try_wait(server.child.pidfd.as_fd()), Ok(None)) {
            return;
        }
        if let Some(server) = self.servers.remove(&number) {
            self.poller.remove(&server.child.pidfd, server.child.token);
        }
    }

    /// Ends the file servers of a container that has ended: they would hold its mounts.
    pub(crate) fn kill_servers(&mut self, name: &str) {
        for server in self.servers.values().filter(|server| server.container.as_deref() == Some(name)) {
            // One that has ended by itself needs no killing.
            let _ = pidfd_send_signal(&server.child.pidfd, Signal::KILL);
        }
    }
}
