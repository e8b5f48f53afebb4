//! What keeps a keeper from running.

use rustix::io::Errno;
use std::path::PathBuf;

/// Why the keeper does not start, or stops.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Error {
    /// The forwarder does not start, or stops.
    #[error(transparent)]
    Forwarder(#[from] forwarder::Error),
    /// The program cannot make a copy of itself that nobody can change.
    #[error("cannot make a sealed copy of the program: {action}")]
    Seal { action: &'static str, source: Errno },
    /// The copy cannot be executed, or gave up.
    #[error("cannot run the sealed copy of the program")]
    Spawn { source: std::io::Error },
    /// The copy gave up and said why.
    #[error("the keeper gave up before it listened")]
    GaveUp,
    /// Something in the daemon's directory.
    #[error("cannot {action} {path}", path = path.display())]
    Home { action: &'static str, path: PathBuf, source: Errno },
    /// A lock that is held although nobody listens.
    #[error("another keeper holds the lock {path} and does not listen; is it stopped?", path = path.display())]
    Locked { path: PathBuf },
    /// A system call of the loop or of becoming a background process.
    #[error("cannot {action}")]
    System { action: &'static str, source: Errno },
    /// The host has no control groups.
    #[error("cannot read the layout of the control groups")]
    Cgroup(#[from] container::cgroup::Error),
    /// What the program before this one left is not understood.
    #[error("cannot go on from the state of the keeper before: {reason}")]
    State { reason: String },
}
