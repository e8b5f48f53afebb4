//! What is known of one container.
//!
//! ```text
//!   Cloned ──proceed──▶ Released ──init executed──▶ Running ──init ended──▶ Ended ──forget──▶ (gone)
//!      └────abort, lost connection, failure──────▶ (gone)        ▲
//!                                                    adopt ──────┘
//! ```

use crate::poller::{EventFlags, Token};
use crate::record::{Facts, Record, this_boot};
use container::cgroup::Cgroup;
use container::console::Console;
use container::exec::Attacher;
use container::start::{Embryo, Released};
use model::runtime::protocol::{Exit, Kept};
use std::os::fd::OwnedFd;
use std::time::Instant;

/// A container.
pub(crate) struct Container {
    pub(crate) facts: Facts,
    pub(crate) stage: Stage,
}

/// How far it is.
pub(crate) enum Stage {
    /// Namespaces are there, init waits for the second step.
    Cloned { embryo: Embryo, peer: u64 },
    /// Init is being executed.
    Released { released: Box<Released>, token: Token, peer: u64, request: u64 },
    /// Init runs.
    Running(Box<Running>),
    /// Every process is gone.
    Ended(Ended),
}

/// A container whose init runs.
pub(crate) struct Running {
    pub(crate) pid: i32,
    pub(crate) start_time: u64,
    pub(crate) pidfd: OwnedFd,
    pub(crate) token: Token,
    pub(crate) netns: OwnedFd,
    /// `None` when a keeper that took the container in could not get at it.
    pub(crate) devpts: Option<OwnedFd>,
    pub(crate) cgroup: Cgroup,
    pub(crate) console: Console,
    pub(crate) master_token: Option<Token>,
    /// Of the console's client, and what it is polled for.
    pub(crate) client: Option<(Token, EventFlags)>,
    pub(crate) attacher: Option<Attacher>,
    /// False when it was started by a keeper that was not this process: its end is somebody else's
    /// to reap.
    pub(crate) is_child: bool,
    /// Since when it has ended without having been reaped by whose child it is.
    pub(crate) unreaped: Option<Instant>,
}

/// A container that has ended.
pub(crate) struct Ended {
    pub(crate) exit: Exit,
    pub(crate) pid: i32,
    pub(crate) start_time: u64,
    pub(crate) console: Console,
    /// Kept when no daemon was there to take out what it lent the container.
    pub(crate) netns: Option<OwnedFd>,
}

impl Container {
    /// Init's process id and start time, where it is known.
    fn init(&self) -> (i32, u64) {
        match &self.stage {
            Stage::Cloned { embryo, .. } => (embryo.pid(), 0),
            Stage::Released { released, .. } => (released.pid(), 0),
            Stage::Running(running) => (running.pid, running.start_time),
            Stage::Ended(ended) => (ended.pid, ended.start_time),
        }
    }

    fn exit(&self) -> Option<Exit> {
        match &self.stage {
            Stage::Ended(ended) => Some(ended.exit),
            _ => None,
        }
    }

    /// In the protocol's words.
    pub(crate) fn kept(&self, name: &str) -> Kept {
        let (pid, start_time) = self.init();
        let starting = matches!(self.stage, Stage::Cloned { .. } | Stage::Released { .. });
        let cgroup = self.facts.cgroup.clone();
        Kept { name: name.to_owned(), pid, start_time, cgroup, exit: self.exit(), starting }
    }

    /// For the next keeper.
    pub(crate) fn record(&self, name: &str) -> Record {
        let (pid, start_time) = self.init();
        let facts = self.facts.clone();
        Record { name: name.to_owned(), boot: this_boot(), pid, start_time, facts, exit: self.exit() }
    }

    /// The console, once there is one.
    pub(crate) fn console(&mut self) -> Option<&mut Console> {
        match &mut self.stage {
            Stage::Running(running) => Some(&mut running.console),
            Stage::Ended(ended) => Some(&mut ended.console),
            Stage::Cloned { .. } | Stage::Released { .. } => None,
        }
    }
}
