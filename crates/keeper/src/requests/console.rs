//! `Console`, `ConsoleResize`, `ConsoleLog`.

use super::{done, not_running, refused};
use crate::events::programs::failed;
use crate::keeper::{Answer, Keeper};
use model::runtime::protocol::ReplyBody;

impl Keeper {
    /// Attaches a client.
    pub(super) fn console(&mut self, name: &str) -> Answer {
        let Some(running) = self.running(name) else {
            return Err(not_running("attach to the console", name));
        };
        let client = running.console.attach()?;
        self.follow_client(name);
        Ok((ReplyBody::Console, vec![client]))
    }

    /// Sets the size of its terminal.
    pub(super) fn console_resize(&mut self, name: &str, width: u16, height: u16) -> Answer {
        let Some(running) = self.running(name) else {
            return Err(not_running("resize the console", name));
        };
        running.console.resize(width, height)?;
        done()
    }

    /// What was printed last.
    pub(super) fn console_log(&mut self, name: &str, clear: bool) -> Answer {
        const STEP: &str = "read the console's log";
        let console = self.containers.get_mut(name).and_then(|container| container.console());
        let Some(console) = console else {
            return Err(refused(STEP, format!("container {name} has no console here")));
        };
        let file = sys::memfd::sealed("console", &console.printed()).map_err(failed(STEP))?;
        if clear {
            console.clear();
        }
        Ok((ReplyBody::ConsoleLog, vec![file]))
    }
}
