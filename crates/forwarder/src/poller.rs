//! epoll: things that are polled have numbers.

use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

pub(crate) use rustix::event::epoll::EventFlags;

/// Everything that is polled. What is taken out is taken out before it is closed.
#[derive(Debug)]
pub(crate) struct Poller {
    epoll: OwnedFd,
}

impl Poller {
    pub(crate) fn new() -> Result<Self, Errno> {
        Ok(Self { epoll: epoll::create(epoll::CreateFlags::CLOEXEC)? })
    }

    pub(crate) fn add(&self, fd: impl AsFd, number: u64, flags: EventFlags) -> Result<(), Errno> {
        epoll::add(&self.epoll, fd, epoll::EventData::new_u64(number), flags)
    }

    pub(crate) fn remove(&self, fd: impl AsFd) {
        // It can only fail for what is not polled.
        let _ = epoll::delete(&self.epoll, fd);
    }

    /// From what is polled for now to what is wanted. Nothing at all means not to be polled: an
    /// end that has hung up would be reported over and over.
    pub(crate) fn adjust(
        &self,
        fd: impl AsFd,
        number: u64,
        now: &mut EventFlags,
        wanted: EventFlags,
    ) -> Result<(), Errno> {
        if *now == wanted {
            return Ok(());
        }
        let data = epoll::EventData::new_u64(number);
        if wanted.is_empty() {
            epoll::delete(&self.epoll, fd)?;
        } else if now.is_empty() {
            epoll::add(&self.epoll, fd, data, wanted)?;
        } else {
            epoll::modify(&self.epoll, fd, data, wanted)?;
        }
        *now = wanted;
        Ok(())
    }

    /// Waits until something happens or the time is over.
    pub(crate) fn wait(&self, timeout: Option<Duration>) -> Result<Vec<(u64, EventFlags)>, Errno> {
        let limit = timeout.map(|limit| Timespec {
            tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: limit.subsec_nanos().into(),
        });
        let mut events = Vec::with_capacity(64);
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), limit.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
        Ok(events.iter().map(|event| (event.data.u64(), event.flags)).collect())
    }
}
