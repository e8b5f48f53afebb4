//! Threads for what may wait for a container. Their number is bounded for each container, so that
//! one whose file system never answers harms only itself.

use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

/// How many threads there may be for one container.
const MOST: usize = 64;
/// They do a few system calls.
pub(crate) const STACK: usize = 128 << 10;

/// Threads, and what came of them.
#[derive(Debug)]
pub(crate) struct Workers<T> {
    wake: Arc<OwnedFd>,
    sender: Sender<(String, T)>,
    done: Receiver<(String, T)>,
    busy: BTreeMap<String, usize>,
}

impl<T: Send + 'static> Workers<T> {
    pub(crate) fn new() -> Result<Self, Errno> {
        let wake = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let (sender, done) = channel();
        Ok(Self { wake, sender, done, busy: BTreeMap::new() })
    }

    /// Readable when something has been done.
    pub(crate) fn wake(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.busy.is_empty()
    }

    /// Has a thread do something for a container.
    pub(crate) fn begin(
        &mut self,
        container: &str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<(), Errno> {
        let busy = self.busy.entry(container.to_owned()).or_default();
        if *busy >= MOST {
            return Err(Errno::AGAIN);
        }
        let (sender, wake, name) = (self.sender.clone(), self.wake.clone(), container.to_owned());
        let thread = std::thread::Builder::new().stack_size(STACK).spawn(move || {
            // The loop ends after its workers.
            let _ = sender.send((name, work()));
            let _ = rustix::io::write(&wake, &1_u64.to_ne_bytes());
        });
        if thread.is_err() {
            if *busy == 0 {
                self.busy.remove(container);
            }
            return Err(Errno::AGAIN);
        }
        *busy += 1;
        Ok(())
    }

    /// What has been done.
    pub(crate) fn finished(&mut self) -> Vec<T> {
        let _ = rustix::io::read(&self.wake, &mut [0; 8]);
        let mut finished = Vec::new();
        while let Ok((container, result)) = self.done.try_recv() {
            if let Some(busy) = self.busy.get_mut(&container) {
                *busy -= 1;
                if *busy == 0 {
                    self.busy.remove(&container);
                }
            }
            finished.push(result);
        }
        finished
    }
}
