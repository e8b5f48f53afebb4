//! Bytes between consoles and who is attached to them.

use crate::container::{Running, Stage};
use crate::keeper::Keeper;
use crate::poller::{EventFlags, Poller, Source, Token};
use container::console::Turn;
use rustix::event::PollFlags;
use rustix::io::Errno;

/// How a console's master is polled: for changes, because a terminal that nobody inside has open
/// hangs up all the time.
const MASTER: EventFlags = EventFlags::IN.union(EventFlags::OUT).union(EventFlags::ET);

/// Polls the master of a console, if it has one.
pub(crate) fn watch_master(
    poller: &mut Poller,
    name: &str,
    console: &container::console::Console,
) -> Result<Option<Token>, Errno> {
    let Some(master) = console.master() else { return Ok(None) };
    poller.add(master, MASTER, Source::Console(name.to_owned())).map(Some)
}

/// Polls the client of a console for what can be done with it now.
pub(crate) fn watch_client(poller: &mut Poller, name: &str, running: &mut Running) -> Result<(), Errno> {
    if let (Some(gone), Some((token, _))) = (running.console.take_departed(), running.client) {
        poller.remove(gone, token);
        running.client = None;
    }
    let Some(client) = running.console.client() else { return Ok(()) };
    let interest = running.console.client_interest();
    let mut flags = EventFlags::empty();
    flags.set(EventFlags::IN, interest.contains(PollFlags::IN));
    flags.set(EventFlags::OUT, interest.contains(PollFlags::OUT));
    match running.client {
        Some((_, current)) if current == flags => {}
        Some((token, _)) => {
            poller.change(client, token, flags)?;
            running.client = Some((token, flags));
        }
        None => {
            let token = poller.add(client, flags, Source::ConsoleClient(name.to_owned()))?;
            running.client = Some((token, flags));
        }
    }
    Ok(())
}

impl Keeper {
    pub(crate) fn console_ready(&mut self, name: &str) {
        let Some(container) = self.containers.get_mut(name) else { return };
        let Stage::Running(running) = &mut container.stage else { return };
        if running.console.master_ready() == Turn::More {
            let (master, token) = (running.console.master(), running.master_token);
            if let (Some(master), Some(token)) = (master, token) {
                // Asking anew reports what is still there, after the others had their turn.
                let _ = self.poller.change(master, token, MASTER);
            }
        }
        self.follow_client(name);
    }

    pub(crate) fn console_client_ready(&mut self, name: &str) {
        let Some(running) = self.running(name) else { return };
        running.console.client_ready();
        self.follow_client(name);
    }

    pub(crate) fn follow_client(&mut self, name: &str) {
        let Some(container) = self.containers.get_mut(name) else { return };
        let Stage::Running(running) = &mut container.stage else { return };
        if let Err(errno) = watch_client(&mut self.poller, name, running) {
            self.journal.say(&format!("{name}: cannot poll the console's client: {errno}"));
        }
    }

    /// A container, if it runs.
    pub(crate) fn running(&mut self, name: &str) -> Option<&mut Running> {
        match self.containers.get_mut(name).map(|container| &mut container.stage) {
            Some(Stage::Running(running)) => Some(running),
            _ => None,
        }
    }
}
