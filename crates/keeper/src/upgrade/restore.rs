//! From the memory file to the state.

use super::{Saved, SavedContainer, SavedRunning};
use crate::birth;
use crate::container::{Container, Ended, Running, Stage};
use crate::error::Error;
use crate::events::consoles::{watch_client, watch_master};
use crate::home::Home;
use crate::keeper::{Keeper, Server, Watched};
use crate::poller::{EventFlags, Source};
use crate::record::Facts;
use container::cgroup::Cgroup;
use container::console::{Console, Parts};
use model::runtime::protocol::Exit;
use std::io::Read;
use std::os::fd::{OwnedFd, RawFd};
use std::path::Path;
use sys::inherited::take;

fn wrong<E: std::fmt::Display>(reason: E) -> Error {
    Error::State { reason: format!("{reason}") }
}

fn descriptor(what: &str, number: RawFd) -> Result<OwnedFd, Error> {
    take(number).map_err(|errno| wrong(format!("{what} is not descriptor {number}: {errno}")))
}

/// Goes on with what the program before this one left.
pub(crate) fn resume(var: &Path, number: &str) -> Result<Keeper, Error> {
    birth::take_name(birth::KEEPER);
    let number = number.parse().map_err(wrong)?;
    let mut content = Vec::new();
    std::fs::File::from(descriptor("the state", number)?).read_to_end(&mut content).map_err(wrong)?;
    let end = content.iter().position(|byte| *byte == b'\n').ok_or_else(|| wrong("it has no end"))?;
    let (json, printed) = content.split_at(end);
    let mut printed = printed.get(1..).unwrap_or_default();
    let saved: Saved = serde_json::from_slice(json).map_err(wrong)?;

    let lock = descriptor("the lock", saved.lock)?;
    let listener = descriptor("the socket", saved.listener)?;
    let mut keeper = Keeper::new(Home::open(var)?, lock, listener)?;
    keeper.next = saved.next;
    keeper.owed = saved.owed.into();
    for container in saved.containers {
        let (words, rest) =
            printed.split_at_checked(container.printed).ok_or_else(|| wrong("it is too short"))?;
        printed = rest;
        let name = container.record.name.clone();
        // One container that is not understood must not take the others with it.
        if let Err(error) = keeper.put_back(container, words) {
            keeper.journal.say(&format!("{name}: lost in the upgrade: {error}"));
        }
    }
    for session in saved.sessions {
        let child = keeper.watch(session.pidfd, Source::Session(session.number))?;
        keeper.sessions.insert(session.number, child);
    }
    for server in saved.servers {
        let child = keeper.watch(server.pidfd, Source::Server(server.number))?;
        keeper.servers.insert(server.number, Server { child, container: server.container });
    }
    keeper.journal.say(&format!("upgraded, {} containers", keeper.containers.len()));
    Ok(keeper)
}

impl Keeper {
    fn watch(&mut self, number: RawFd, source: Source) -> Result<Watched, Error> {
        let pidfd = descriptor("a process", number)?;
        let token = self.poller.add(&pidfd, EventFlags::IN, source).map_err(wrong)?;
        Ok(Watched { pidfd, token })
    }

    fn put_back(&mut self, saved: SavedContainer, words: &[u8]) -> Result<(), Error> {
        let SavedContainer { record, running, .. } = saved;
        let (name, facts) = (record.name, record.facts);
        let stage = match running {
            Some(running) => {
                let init = (record.pid, record.start_time);
                Stage::Running(Box::new(self.put_back_running(&name, &facts, init, &running, words)?))
            }
            None => {
                let parts = Parts { master: None, client: None, printed: words.to_vec() };
                let console = Console::from_parts(parts, &facts.console).map_err(wrong)?;
                let exit = record.exit.unwrap_or(Exit::Unknown);
                let (pid, start_time) = (record.pid, record.start_time);
                Stage::Ended(Ended { exit, pid, start_time, console, netns: None })
            }
        };
        self.containers.insert(name, Container { facts, stage });
        Ok(())
    }

    fn put_back_running(
        &mut self,
        name: &str,
        facts: &Facts,
        (pid, start_time): (i32, u64),
        saved: &SavedRunning,
        words: &[u8],
    ) -> Result<Running, Error> {
        let optional =
            |what, number: Option<RawFd>| number.map(|number| descriptor(what, number)).transpose();
        let netns = descriptor("the network namespace", saved.netns)?;
        let devpts = optional("the terminals", saved.devpts)?;
        let master = optional("the console", saved.master)?;
        let client = optional("the console's client", saved.client)?;
        let parts = Parts { master, client, printed: words.to_vec() };
        let console = Console::from_parts(parts, &facts.console).map_err(wrong)?;
        let cgroup = Cgroup::open(&self.layout, &facts.cgroup)?;
        let master_token = watch_master(&mut self.poller, name, &console).map_err(wrong)?;
        let init = self.watch(saved.pidfd, Source::Init(name.to_owned()))?;
        let mut running = Running {
            pid,
            start_time,
            pidfd: init.pidfd,
            token: init.token,
            netns,
            devpts,
            cgroup,
            console,
            master_token,
            client: None,
            attacher: None,
            is_child: saved.is_child,
            unreaped: None,
        };
        watch_client(&mut self.poller, name, &mut running).map_err(wrong)?;
        Ok(running)
    }
}
