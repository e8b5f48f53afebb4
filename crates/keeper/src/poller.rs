//! epoll, with names for what is polled.
//!
//! What is polled is taken out explicitly before it is closed: an epoll entry lives as long as any
//! copy of the descriptor, and copies are with the daemon and for a moment with every child.

use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

pub(crate) use rustix::event::epoll::EventFlags;

/// What a descriptor that is polled belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The socket that daemons connect to.
    Listener,
    /// A connection.
    Peer(u64),
    /// Init of a running container.
    Init(String),
    /// A container that is on its way to executing init.
    Released(String),
    /// The master of a console.
    Console(String),
    /// The client of a console.
    ConsoleClient(String),
    /// A program that is on its way to being executed.
    Report(u64),
    /// A running program.
    Session(u64),
    /// A running file server.
    Server(u64),
}

/// Names one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Token(u64);

/// What happened to an entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ready {
    pub(crate) token: Token,
    pub(crate) flags: EventFlags,
}

/// Everything that is polled.
#[derive(Debug)]
pub(crate) struct Poller {
    epoll: OwnedFd,
    sources: BTreeMap<Token, Source>,
    next: u64,
}

impl Poller {
    pub(crate) fn new() -> Result<Self, Errno> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        Ok(Self { epoll, sources: BTreeMap::new(), next: 1 })
    }

    pub(crate) fn add(&mut self, fd: impl AsFd, flags: EventFlags, source: Source) -> Result<Token, Errno> {
        let token = Token(self.next);
        epoll::add(&self.epoll, fd, epoll::EventData::new_u64(token.0), flags)?;
        self.next += 1;
        self.sources.insert(token, source);
        Ok(token)
    }

    pub(crate) fn change(&self, fd: impl AsFd, token: Token, flags: EventFlags) -> Result<(), Errno> {
        epoll::modify(&self.epoll, fd, epoll::EventData::new_u64(token.0), flags)
    }

    pub(crate) fn remove(&mut self, fd: impl AsFd, token: Token) {
        // It can only fail for what is not polled.
        let _ = epoll::delete(&self.epoll, fd);
        self.sources.remove(&token);
    }

    /// Whose an entry is; `None` when it was taken out while the event was on its way.
    pub(crate) fn source(&self, token: Token) -> Option<Source> {
        self.sources.get(&token).cloned()
    }

    /// Waits until something happens or the time is over.
    pub(crate) fn wait(&self, timeout: Option<Duration>) -> Result<Vec<Ready>, Errno> {
        let limit = timeout.map(|limit| Timespec {
            tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: limit.subsec_nanos().into(),
        });
        let mut events = Vec::with_capacity(64);
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), limit.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
        Ok(events.iter().map(|event| Ready { token: Token(event.data.u64()), flags: event.flags }).collect())
    }
}
