//! What can go wrong between the daemon and the keeper.

use model::runtime::protocol::Failure;
use std::path::PathBuf;
use std::time::Duration;

/// Why a request to the keeper failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The program cannot be read or executed.
    #[error("cannot run the keeper {program}: is it installed beside the daemon?", program = program.display())]
    Run {
        /// Which program.
        program: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The program ran and gave up.
    #[error("the keeper {program} did not start: {output}", program = program.display())]
    NotStarted {
        /// Which program.
        program: PathBuf,
        /// What it printed.
        output: String,
    },
    /// Its socket cannot be connected to.
    #[error("cannot connect to the keeper's socket {socket}", socket = socket.display())]
    Connect {
        /// Which socket.
        socket: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The keeper went away before it answered; what was asked may or may not have happened.
    #[error("the keeper went away during \"{request}\"")]
    Lost {
        /// What was asked.
        request: &'static str,
    },
    /// No answer in time; what was asked may still happen.
    #[error("the keeper did not answer \"{request}\" within {} s", after.as_secs())]
    Deadline {
        /// What was asked.
        request: &'static str,
        /// How long was waited.
        after: Duration,
    },
    /// The keeper tried and failed, or refused.
    #[error("{}: {}", .0.step, .0.reason)]
    Refused(Failure),
    /// The answer does not fit the question.
    #[error("the keeper's answer to \"{request}\" is not one to it; do daemon and keeper belong together?")]
    Answer {
        /// What was asked.
        request: &'static str,
    },
    /// The request is too large for one packet.
    #[error("the request \"{request}\" is {size} bytes, more than the {max} that the keeper takes", max = model::runtime::protocol::MAX_PACKET)]
    TooLarge {
        /// What was asked.
        request: &'static str,
        /// Its size in bytes.
        size: usize,
    },
    /// A socket error that is none of the above.
    #[error("cannot talk to the keeper")]
    Socket(#[from] std::io::Error),
}

impl Error {
    /// What the keeper said, if it was the keeper that refused.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Refused(failure) => Some(failure),
            _ => None,
        }
    }
}
