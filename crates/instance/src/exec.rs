//! Running programs in containers.

use crate::Error;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use tokio::sync::oneshot;

/// A program that may be run; nothing has happened yet.
pub struct ExecPlan {}

/// A program that runs.
pub struct Running {
    /// Its streams, the daemon's ends, non-blocking.
    pub streams: Streams,
    /// Window size and signals.
    pub control: Control,
    /// Its exit code, or 128 and the signal's number; an error when it was lost.
    pub status: oneshot::Receiver<i32>,
}

/// The daemon's ends.
pub enum Streams {
    /// The master of a terminal.
    Terminal(OwnedFd),
    /// Three pipes.
    Pipes {
        /// Write end.
        stdin: OwnedFd,
        /// Read end.
        stdout: OwnedFd,
        /// Read end.
        stderr: OwnedFd,
    },
    /// `/dev/null`, or files that record the output.
    Detached,
}

/// Window size and signals. Cheap to clone.
#[derive(Clone)]
pub struct Control {
    resize: Arc<dyn Fn(u16, u16) + Send + Sync>,
    signal: Arc<dyn Fn(i32) + Send + Sync>,
}

impl Control {
    /// Tells the terminal its size; nothing happens without a terminal.
    pub fn resize(&self, width: u16, height: u16) {
        (self.resize)(width, height);
    }

    /// Sends a signal to the program alone. A program that has ended is not an error.
    pub fn signal(&self, number: i32) {
        (self.signal)(number);
    }
}

impl ExecPlan {
    /// Runs it, with streams for a client.
    ///
    /// # Errors
    /// The container stopped meanwhile; no descriptors left.
    pub async fn start(self) -> Result<Running, Error> {
        unimplemented!()
    }

    /// Runs it without a client; its output goes to the two files if given, else nowhere.
    ///
    /// # Errors
    /// As for `start`.
    pub async fn start_detached(
        self,
        record: Option<(std::fs::File, std::fs::File)>,
    ) -> Result<Running, Error> {
        let _ = record;
        unimplemented!()
    }
}
