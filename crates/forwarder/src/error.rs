//! Why there is no forwarder.

use rustix::io::Errno;
use std::path::PathBuf;

/// Why there is no forwarder.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The daemon's directory.
    #[error("cannot {action} {}", path.display())]
    Home {
        /// What was tried.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// What the kernel said.
        source: Errno,
    },
    /// Somebody holds the lock and serves nobody.
    #[error("{} is locked by a forwarder that does not answer; end that process", path.display())]
    Locked {
        /// The lock.
        path: PathBuf,
    },
    /// The kernel.
    #[error("cannot {action}")]
    System {
        /// What was tried.
        action: &'static str,
        /// What the kernel said.
        source: Errno,
    },
}

pub(crate) fn system(action: &'static str) -> impl Fn(Errno) -> Error {
    move |source| Error::System { action, source }
}
