//! States of a container, and what may be done in which.
//!
//! ```text
//!                  create                     start                init running
//!    (absent) ───────────────▶ Stopped ─────────────▶ Starting ─────────────────▶ Running ◀──┐
//!                                ▲  ▲                     │ failed: undo            │  │     │ unfreeze
//!                                │  └─────────────────────┘         freeze: Freezing│  │     │
//!                   exit: clean  │                                                  ▼  │   Frozen
//!                                │◀───────────── Stopping ◀── stop ────────────────────┘
//!                                │                  │ init asked for a reboot, or restart
//!                                │                  ▼
//!                                └──────────── Restarting ──▶ Starting
//!    Error: init lost or clean-up failed; ended by a forced stop or a delete.
//! ```

use api::StatusCode;

/// The state of a container, with what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InstanceState {
    /// No process.
    Stopped,
    /// On its way up.
    Starting,
    /// Init runs.
    Running {
        /// Init's process id on the host.
        pid: i32,
    },
    /// Every process is being frozen.
    Freezing {
        /// Init's process id on the host.
        pid: i32,
    },
    /// Every process is frozen.
    Frozen {
        /// Init's process id on the host.
        pid: i32,
    },
    /// Asked to end, or being killed, or being cleaned up after.
    Stopping {
        /// Init's process id on the host, while there is one.
        pid: Option<i32>,
        /// Init was killed rather than asked.
        forced: bool,
    },
    /// Stopped in order to start again.
    Restarting,
    /// What it does cannot be told or could not be finished.
    Error {
        /// Why, as a sentence for the user.
        reason: String,
    },
}

impl InstanceState {
    /// The status on the wire.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Stopped => StatusCode::Stopped,
            Self::Starting | Self::Restarting => StatusCode::Starting,
            Self::Running { .. } => StatusCode::Running,
            Self::Freezing { .. } => StatusCode::Freezing,
            Self::Frozen { .. } => StatusCode::Frozen,
            Self::Stopping { .. } => StatusCode::Stopping,
            Self::Error { .. } => StatusCode::Error,
        }
    }

    /// Init's process id on the host, if there is an init to be seen.
    #[must_use]
    pub const fn pid(&self) -> Option<i32> {
        match self {
            Self::Running { pid } | Self::Freezing { pid } | Self::Frozen { pid } => Some(*pid),
            Self::Stopping { pid, .. } => *pid,
            Self::Stopped | Self::Starting | Self::Restarting | Self::Error { .. } => None,
        }
    }

    /// False when there surely is no process: only then may its files be taken away.
    #[must_use]
    pub const fn is_alive(&self) -> bool {
        !matches!(self, Self::Stopped)
    }

    /// The name of the operation that is under way, as messages name it.
    const fn busy_with(&self) -> Option<&'static str> {
        match self {
            Self::Starting => Some("start"),
            Self::Stopping { .. } => Some("stop"),
            Self::Restarting => Some("restart"),
            Self::Freezing { .. } => Some("freeze"),
            Self::Stopped | Self::Running { .. } | Self::Frozen { .. } | Self::Error { .. } => None,
        }
    }
}

/// What a client wants to do with a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Start it.
    Start,
    /// Stop it.
    Stop {
        /// Kill instead of asking.
        force: bool,
    },
    /// Stop it and start it.
    Restart {
        /// Kill instead of asking.
        force: bool,
    },
    /// Freeze its processes.
    Freeze,
    /// Let them go on.
    Unfreeze,
    /// Remove it with its files.
    Delete,
    /// Give it another name.
    Rename,
    /// Take a snapshot.
    Snapshot,
    /// Make it what a snapshot is.
    Restore,
    /// Make an image of it.
    Publish,
    /// Run a program in it.
    Exec,
    /// Attach to its console.
    Console,
}

/// What becomes of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Do it.
    Accept,
    /// Do this other thing, which is what was meant.
    Instead(Action),
    /// It is being done already: wait for that and take its result.
    Join,
    /// Don't; say why.
    Refuse(Refusal),
}

/// Why an action is refused, in words for the user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Another operation has to end first.
    #[error("Container is busy running a {operation} operation")]
    Busy {
        /// `start`, `stop`, `restart` or `freeze`.
        operation: &'static str,
    },
    /// Start of what runs.
    #[error("The container is already running")]
    AlreadyRunning,
    /// Stop of what is stopped.
    #[error("The container is already stopped")]
    AlreadyStopped,
    /// Freeze of what is frozen.
    #[error("The container is already frozen")]
    AlreadyFrozen,
    /// Restart, freeze or unfreeze of what does not run.
    #[error("The container isn't running")]
    IsNotRunning,
    /// Unfreeze of what is not frozen.
    #[error("The container isn't frozen")]
    IsNotFrozen,
    /// Delete of what runs.
    #[error("container is running: stop it first, or delete it with --force")]
    DeleteRunning,
    /// Rename of what runs.
    #[error("renaming of running container not allowed: stop it first")]
    RenameRunning,
    /// Restore of what runs.
    #[error("The container is running: stop it first")]
    RestoreRunning,
    /// Publish of what runs.
    #[error("The container is running: stop it first, or publish it with --force")]
    PublishRunning,
    /// Orderly restart of what is frozen.
    #[error("The container is frozen and can't be restarted in an orderly way: unfreeze it, or use --force")]
    RestartFrozen,
    /// Exec in what does not run.
    #[error("Container is not running.")]
    ExecNotRunning,
    /// Exec in what is frozen.
    #[error("Container is frozen.")]
    ExecFrozen,
    /// Console of what does not run.
    #[error("Container is not running")]
    ConsoleNotRunning,
    /// Console of what is frozen.
    #[error("Container is frozen")]
    ConsoleFrozen,
    /// Anything that needs a container whose state is known.
    #[error("The container is in an error state ({reason}): stop it with --force first")]
    Broken {
        /// Why it is in that state.
        reason: String,
    },
}

/// What becomes of `action` for a container in `state`.
#[must_use]
pub fn decide(state: &InstanceState, action: Action) -> Decision {
    match action {
        Action::Start => start(state),
        Action::Stop { force } => stop(state, force),
        Action::Restart { force } => restart(state, force),
        Action::Freeze => freeze(state),
        Action::Unfreeze => unfreeze(state),
        Action::Delete => delete(state),
        Action::Rename => rename(state),
        Action::Snapshot => snapshot(state),
        Action::Restore => restore(state),
        Action::Publish => publish(state),
        Action::Exec => attach(state, Refusal::ExecNotRunning, Refusal::ExecFrozen),
        Action::Console => attach(state, Refusal::ConsoleNotRunning, Refusal::ConsoleFrozen),
    }
}

use Decision::{Accept, Instead, Join, Refuse};
use InstanceState as S;

/// For the states in which something is under way, and for broken containers.
fn not_now(state: &InstanceState) -> Decision {
    match (state.busy_with(), state) {
        (Some(operation), _) => Refuse(Refusal::Busy { operation }),
        (None, S::Error { reason }) => Refuse(Refusal::Broken { reason: reason.clone() }),
        (None, _) => Refuse(Refusal::IsNotRunning),
    }
}

fn start(state: &InstanceState) -> Decision {
    match state {
        S::Stopped => Accept,
        S::Frozen { .. } => Instead(Action::Unfreeze),
        S::Running { .. } => Refuse(Refusal::AlreadyRunning),
        S::Starting | S::Freezing { .. } | S::Stopping { .. } | S::Restarting | S::Error { .. } => {
            not_now(state)
        }
    }
}

fn stop(state: &InstanceState, force: bool) -> Decision {
    match state {
        S::Stopped => Refuse(Refusal::AlreadyStopped),
        S::Running { .. } | S::Frozen { .. } => Accept,
        // A container that does not react to an orderly stop can be killed meanwhile.
        S::Stopping { forced, .. } if force && !forced => Accept,
        S::Stopping { .. } => Join,
        // Whatever is left is killed and cleaned up.
        S::Error { .. } if force => Accept,
        S::Starting | S::Freezing { .. } | S::Restarting | S::Error { .. } => not_now(state),
    }
}

fn restart(state: &InstanceState, force: bool) -> Decision {
    match state {
        S::Running { .. } => Accept,
        S::Frozen { .. } if force => Accept,
        S::Frozen { .. } => Refuse(Refusal::RestartFrozen),
        S::Restarting => Join,
        S::Error { .. } if force => Accept,
        S::Stopped | S::Starting | S::Freezing { .. } | S::Stopping { .. } | S::Error { .. } => {
            not_now(state)
        }
    }
}

fn freeze(state: &InstanceState) -> Decision {
    match state {
        S::Running { .. } => Accept,
        S::Frozen { .. } => Refuse(Refusal::AlreadyFrozen),
        S::Freezing { .. } => Join,
        S::Stopped | S::Starting | S::Stopping { .. } | S::Restarting | S::Error { .. } => not_now(state),
    }
}

fn unfreeze(state: &InstanceState) -> Decision {
    match state {
        S::Frozen { .. } => Accept,
        S::Running { .. } => Refuse(Refusal::IsNotFrozen),
        S::Stopped
        | S::Starting
        | S::Freezing { .. }
        | S::Stopping { .. }
        | S::Restarting
        | S::Error { .. } => not_now(state),
    }
}

fn delete(state: &InstanceState) -> Decision {
    match state {
        S::Stopped => Accept,
        S::Running { .. } | S::Frozen { .. } => Refuse(Refusal::DeleteRunning),
        S::Starting | S::Freezing { .. } | S::Stopping { .. } | S::Restarting | S::Error { .. } => {
            not_now(state)
        }
    }
}

fn rename(state: &InstanceState) -> Decision {
    match state {
        S::Stopped => Accept,
        S::Running { .. } | S::Frozen { .. } => Refuse(Refusal::RenameRunning),
        S::Starting | S::Freezing { .. } | S::Stopping { .. } | S::Restarting | S::Error { .. } => {
            not_now(state)
        }
    }
}

fn snapshot(state: &InstanceState) -> Decision {
    match state {
        S::Stopped | S::Running { .. } | S::Frozen { .. } | S::Stopping { .. } => Accept,
        S::Starting | S::Freezing { .. } | S::Restarting | S::Error { .. } => not_now(state),
    }
}

fn restore(state: &InstanceState) -> Decision {
    match state {
        S::Stopped => Accept,
        S::Running { .. } | S::Frozen { .. } => Refuse(Refusal::RestoreRunning),
        S::Starting | S::Freezing { .. } | S::Stopping { .. } | S::Restarting | S::Error { .. } => {
            not_now(state)
        }
    }
}

fn publish(state: &InstanceState) -> Decision {
    match state {
        S::Stopped => Accept,
        S::Running { .. } | S::Frozen { .. } => Refuse(Refusal::PublishRunning),
        S::Starting | S::Freezing { .. } | S::Stopping { .. } | S::Restarting | S::Error { .. } => {
            not_now(state)
        }
    }
}

fn attach(state: &InstanceState, not_running: Refusal, frozen: Refusal) -> Decision {
    match state {
        // A container on its way down still has an init to be looked at.
        S::Running { .. } | S::Stopping { pid: Some(_), forced: false } => Accept,
        S::Freezing { .. } | S::Frozen { .. } => Refuse(frozen),
        S::Stopped | S::Starting | S::Stopping { .. } | S::Restarting | S::Error { .. } => {
            Refuse(not_running)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states() -> Vec<InstanceState> {
        vec![
            S::Stopped,
            S::Starting,
            S::Running { pid: 7 },
            S::Freezing { pid: 7 },
            S::Frozen { pid: 7 },
            S::Stopping { pid: Some(7), forced: false },
            S::Stopping { pid: Some(7), forced: true },
            S::Restarting,
            S::Error { reason: "init is lost".into() },
        ]
    }

    fn letter(decision: &Decision) -> char {
        match decision {
            Accept => 'A',
            Instead(_) => 'I',
            Join => 'J',
            Refuse(_) => '-',
        }
    }

    #[test]
    fn the_whole_table() {
        // Columns: stopped, starting, running, freezing, frozen, stopping, being killed,
        // restarting, error.
        let table = [
            (Action::Start, "A---I----"),
            (Action::Stop { force: false }, "--A-AJJ--"),
            (Action::Stop { force: true }, "--A-AAJ-A"),
            (Action::Restart { force: false }, "--A----J-"),
            (Action::Restart { force: true }, "--A-A--JA"),
            (Action::Freeze, "--AJ-----"),
            (Action::Unfreeze, "----A----"),
            (Action::Delete, "A--------"),
            (Action::Rename, "A--------"),
            (Action::Snapshot, "A-A-AAA--"),
            (Action::Restore, "A--------"),
            (Action::Publish, "A--------"),
            (Action::Exec, "--A--A---"),
            (Action::Console, "--A--A---"),
        ];
        for (action, expected) in table {
            let got: String = states().iter().map(|s| letter(&decide(s, action))).collect();
            assert_eq!(got, expected, "{action:?}");
        }
    }

    #[test]
    fn refusals_say_what_the_specification_says() {
        let text = |state: &InstanceState, action| match decide(state, action) {
            Refuse(refusal) => refusal.to_string(),
            other => format!("{other:?}"),
        };
        assert_eq!(text(&S::Starting, Action::Start), "Container is busy running a start operation");
        assert_eq!(text(&S::Stopped, Action::Exec), "Container is not running.");
        assert_eq!(text(&S::Frozen { pid: 7 }, Action::Exec), "Container is frozen.");
        assert_eq!(text(&S::Stopped, Action::Console), "Container is not running");
        assert!(text(&S::Running { pid: 7 }, Action::Delete).starts_with("container is running"));
        assert!(
            text(&S::Running { pid: 7 }, Action::Rename)
                .starts_with("renaming of running container not allowed")
        );
        assert!(text(&S::Error { reason: "init is lost".into() }, Action::Start).contains("init is lost"));
    }

    #[test]
    fn statuses_on_the_wire() {
        let codes: Vec<u16> = states().iter().map(|s| s.status().code()).collect();
        assert_eq!(codes, [102, 106, 103, 109, 110, 107, 107, 106, 112]);
        assert_eq!(states().iter().filter(|s| s.pid().is_some()).count(), 5);
        assert_eq!(states().iter().filter(|s| !s.is_alive()).count(), 1);
    }
}
