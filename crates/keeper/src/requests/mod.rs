//! What the daemon can ask, one file for each kind.

mod adopt;
mod console;
mod exec;
mod files;
mod known;
mod mounts;
mod start;

use crate::keeper::{Answer, Keeper};
use crate::upgrade;
use model::runtime::protocol::{Failure, ReplyBody, RequestBody, VERSION};
use std::os::fd::OwnedFd;

/// When a request is answered.
enum Reply {
    /// Now.
    Now(Answer),
    /// When something that was begun is done.
    Later,
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        Self::Now(answer)
    }
}

/// A request that is refused, in words.
fn refused(step: &str, reason: impl Into<String>) -> Failure {
    Failure { step: step.to_owned(), reason: reason.into(), errno: None }
}

/// A container that is not there, or not in the state that the request needs.
fn not_running(step: &str, name: &str) -> Failure {
    refused(step, format!("container {name} does not run"))
}

/// The answer to what has nothing to tell.
fn done() -> Answer {
    Ok((ReplyBody::Done, Vec::new()))
}

impl Keeper {
    /// Serves one request.
    pub(crate) fn request(&mut self, peer: u64, id: u64, body: RequestBody, fds: Vec<OwnedFd>) {
        let greeted = self.peers.get(&peer).is_some_and(|peer| peer.greeted);
        if !greeted && !matches!(body, RequestBody::Hello { .. }) {
            self.reply(peer, id, Err(refused("talk to the keeper", "the first message must be Hello")));
            return self.drop_peer(peer);
        }
        let reply: Reply = match body {
            RequestBody::Hello { .. } => return self.hello(peer, id),
            RequestBody::Upgrade { program } => return self.upgrade(peer, id, &program),
            RequestBody::Start { spec } => self.start(peer, spec, fds).into(),
            RequestBody::Proceed { name } => self.proceed(peer, id, &name),
            RequestBody::Abort { name } => self.abort(&name).into(),
            RequestBody::Exec { name, spec } => self.exec(peer, id, &name, &spec, fds),
            RequestBody::List => self.list().into(),
            RequestBody::Handles { name } => self.handles(&name).into(),
            RequestBody::LastNetwork { name } => self.last_network(&name).into(),
            RequestBody::Forget { name } => self.forget(&name).into(),
            RequestBody::Files { name } => self.files(&name).into(),
            RequestBody::FilesOf { rootfs, idmap } => self.files_of(&rootfs, idmap.as_ref()).into(),
            RequestBody::Mount { name, mount } => self.mount(&name, &mount, fds).into(),
            RequestBody::Unmount { name, target, identity, remove } => {
                let mark = container::inject::Mark { target: &target, identity, remove };
                self.unmount(&name, mark).into()
            }
            RequestBody::Console { name } => self.console(&name).into(),
            RequestBody::ConsoleResize { name, width, height } => {
                self.console_resize(&name, width, height).into()
            }
            RequestBody::ConsoleLog { name, clear } => self.console_log(&name, clear).into(),
            RequestBody::Adopt { name, pid, start_time, cgroup, idmap, console } => {
                self.adopt(&name, pid, start_time, crate::record::Facts { cgroup, idmap, console }).into()
            }
        };
        if let Reply::Now(answer) = reply {
            self.reply(peer, id, answer);
        }
    }

    fn hello(&mut self, peer: u64, id: u64) {
        let pid = rustix::process::getpid().as_raw_pid();
        let body = ReplyBody::Hello { version: VERSION, build: self.build.clone(), pid };
        self.reply(peer, id, Ok((body, Vec::new())));
        if let Some(peer) = self.peers.get_mut(&peer) {
            peer.greeted = true;
        }
        for event in std::mem::take(&mut self.owed) {
            self.tell(event);
        }
    }

    /// Executes another program in place; on success this does not return.
    fn upgrade(&mut self, peer: u64, id: u64, path: &std::path::Path) {
        let program = match upgrade::prepare(self, path) {
            Ok(program) => program,
            Err(failure) => return self.reply(peer, id, Err(failure)),
        };
        self.journal.say(&format!("executing {} in place", path.display()));
        self.reply(peer, id, done());
        let errno = upgrade::execute(self, &program);
        self.journal.say(&format!("cannot execute {}: {errno}; going on", path.display()));
    }
}
