//! The state of the keeper, and its loop.

use crate::birth;
use crate::container::{Container, Stage};
use crate::error::Error;
use crate::home::Home;
use crate::journal::Journal;
use crate::peer::{Gone, Peer};
use crate::poller::{EventFlags, Poller, Ready, Source, Token};
use container::cgroup::Layout;
use container::exec::Pending;
use model::runtime::build::build_of;
use model::runtime::protocol::{EventBody, Failure, MAX_PACKET, Message, ReplyBody};
use std::collections::{BTreeMap, VecDeque};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// A keeper that keeps nothing leaves after so long without a daemon.
const IDLE: Duration = Duration::from_secs(30);
/// How often what cannot be polled is looked at, while there is any.
const TICK: Duration = Duration::from_millis(100);
/// How many ends of programs are remembered for the next daemon.
const OWED: usize = 4096;

/// Everything.
pub(crate) struct Keeper {
    pub(crate) home: Home,
    /// Held, not used.
    pub(crate) lock: OwnedFd,
    pub(crate) build: String,
    pub(crate) layout: Layout,
    pub(crate) journal: Journal,
    pub(crate) poller: Poller,
    pub(crate) listener: Listener,
    pub(crate) peers: BTreeMap<u64, Peer>,
    pub(crate) containers: BTreeMap<String, Container>,
    /// Programs on their way to being executed: who asked, and the request's number.
    pub(crate) reports: BTreeMap<u64, Report>,
    /// Programs that run.
    pub(crate) sessions: BTreeMap<u64, Watched>,
    /// File servers that run.
    pub(crate) servers: BTreeMap<u64, Server>,
    /// Ends of programs that no daemon has heard of yet.
    pub(crate) owed: VecDeque<EventBody>,
    /// The next number for a connection, program or file server.
    pub(crate) next: u64,
    pub(crate) buffer: Vec<u8>,
    pub(crate) idle_since: Instant,
}

/// The socket that daemons connect to.
pub(crate) struct Listener {
    pub(crate) socket: OwnedFd,
    pub(crate) token: Token,
    /// Not polled for a moment, because no descriptor is free.
    pub(crate) paused: bool,
}

/// A child that is watched.
pub(crate) struct Watched {
    pub(crate) pidfd: OwnedFd,
    pub(crate) token: Token,
}

/// A file server.
pub(crate) struct Server {
    pub(crate) child: Watched,
    /// The container that it is in, if that runs.
    pub(crate) container: Option<String>,
}

/// A program on its way to being executed.
pub(crate) struct Report {
    pub(crate) pending: Pending,
    pub(crate) token: Token,
    pub(crate) peer: u64,
    pub(crate) request: u64,
}

/// What a request is answered with.
pub(crate) type Answer = Result<(ReplyBody, Vec<OwnedFd>), Failure>;

impl Keeper {
    pub(crate) fn new(home: Home, lock: OwnedFd, listener: OwnedFd) -> Result<Self, Error> {
        let system = |source| Error::System { action: "poll the socket", source };
        let mut poller = Poller::new().map_err(system)?;
        let token = poller.add(&listener, EventFlags::IN, Source::Listener).map_err(system)?;
        let journal = Journal::open(home.state()).map_err(|source| Error::Spawn { source })?;
        let pid = rustix::process::getpid().as_raw_pid();
        Ok(Self {
            build: build_of(&birth::own_program()?),
            layout: Layout::detect()?,
            home,
            lock,
            journal,
            poller,
            listener: Listener { socket: listener, token, paused: false },
            peers: BTreeMap::new(),
            containers: BTreeMap::new(),
            reports: BTreeMap::new(),
            sessions: BTreeMap::new(),
            servers: BTreeMap::new(),
            owed: VecDeque::new(),
            // Unlike those of a keeper before this one, which a daemon may still have in mind.
            next: u64::from(pid.unsigned_abs()) << 32 | 1,
            buffer: vec![0; MAX_PACKET],
            idle_since: Instant::now(),
        })
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Serves until nobody needs it any more.
    pub(crate) fn run(mut self) -> Result<(), Error> {
        self.journal.say(&format!("keeper {} listens", self.build));
        loop {
            let ready = self
                .poller
                .wait(self.patience())
                .map_err(|source| Error::System { action: "wait for events", source })?;
            for Ready { token, flags } in ready {
                if let Some(source) = self.poller.source(token) {
                    self.dispatch(&source, flags);
                }
            }
            self.look_after();
            if self.is_needed() {
                self.idle_since = Instant::now();
            } else if self.idle_since.elapsed() >= IDLE {
                self.journal.say("nothing to keep and no daemon, leaving");
                self.home.leave();
                return Ok(());
            }
        }
    }

    fn dispatch(&mut self, source: &Source, flags: EventFlags) {
        match source {
            Source::Listener => self.accept(),
            Source::Peer(number) => self.peer_ready(*number, flags),
            Source::Init(name) => self.init_ready(name, flags),
            Source::Released(name) => self.released_ready(name),
            Source::Console(name) => self.console_ready(name),
            Source::ConsoleClient(name) => self.console_client_ready(name),
            Source::Report(number) => self.report_ready(*number),
            Source::Session(number) => self.session_ready(*number),
            Source::Server(number) => self.server_ready(*number),
        }
    }

    fn is_needed(&self) -> bool {
        let alive = |container: &Container| !matches!(container.stage, Stage::Ended(_));
        !(self.peers.is_empty() && self.sessions.is_empty() && self.reports.is_empty())
            || self.containers.values().any(alive)
    }

    /// How long nothing needs to be looked at. `None`: until something happens.
    fn patience(&self) -> Option<Duration> {
        let unreaped = |container: &Container| match &container.stage {
            Stage::Running(running) => running.unreaped.is_some(),
            _ => false,
        };
        if self.listener.paused || self.containers.values().any(unreaped) {
            return Some(TICK);
        }
        (!self.is_needed()).then(|| IDLE.saturating_sub(self.idle_since.elapsed()))
    }

    /// Looks at what cannot be polled.
    fn look_after(&mut self) {
        if self.listener.paused {
            self.listener.paused = false;
            let again = self.poller.change(&self.listener.socket, self.listener.token, EventFlags::IN);
            if let Err(errno) = again {
                self.journal.say(&format!("cannot poll the socket again: {errno}"));
            }
        }
        self.give_up_unreaped();
    }

    /// Answers a request. The connection may be gone; then nobody is told.
    pub(crate) fn reply(&mut self, peer: u64, request: u64, answer: Answer) {
        let (result, descriptors) = match answer {
            Ok((body, descriptors)) => (Ok(body), descriptors),
            Err(failure) => (Err(failure), Vec::new()),
        };
        self.push(peer, &Message::Reply { id: request, result }, descriptors);
    }

    /// Tells every daemon; the end of a program is kept until there is one.
    pub(crate) fn tell(&mut self, event: EventBody) {
        let greeted: Vec<u64> =
            self.peers.iter().filter(|(_, peer)| peer.greeted).map(|(number, _)| *number).collect();
        if greeted.is_empty() {
            return self.owe(event);
        }
        let message = Message::Event(event);
        for peer in greeted {
            self.push(peer, &message, Vec::new());
        }
    }

    /// Keeps an event for the next daemon. The end of a container needs no keeping: it is listed.
    pub(crate) fn owe(&mut self, event: EventBody) {
        if matches!(event, EventBody::ExecEnded { .. }) {
            if self.owed.len() == OWED {
                self.owed.pop_front();
            }
            self.owed.push_back(event);
        }
    }

    pub(crate) fn push(&mut self, number: u64, message: &Message, descriptors: Vec<OwnedFd>) {
        let Some(peer) = self.peers.get_mut(&number) else { return };
        match peer.push(message, descriptors) {
            Ok(()) => self.after_sending(number),
            Err(Gone) => self.drop_peer(number),
        }
    }

    /// Polls for room while something waits.
    pub(crate) fn after_sending(&mut self, number: u64) {
        let Some(peer) = self.peers.get(&number) else { return };
        let mut flags = EventFlags::IN;
        flags.set(EventFlags::OUT, peer.is_behind());
        if self.poller.change(&peer.socket, peer.token, flags).is_err() {
            self.drop_peer(number);
        }
    }
}
