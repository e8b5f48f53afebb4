//! The state of the forwarder, and its loop.

use crate::Error;
use crate::connections::{Connection, Pair};
use crate::datagrams::Session;
use crate::error::system;
use crate::home::Home;
use crate::listen::SocketFile;
use crate::place::{self, Place};
use crate::poller::{EventFlags, Poller};
use crate::requests::Done;
use crate::workers::Workers;
use model::runtime::forward::{Address, Forward, MAX_PACKET};
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A forwarder that forwards nothing leaves after so long.
const IDLE: Duration = Duration::from_secs(2);
/// How often limits of time are looked at, while there are any.
const TICK: Duration = Duration::from_secs(1);
/// Size of the buffer that everything goes through, in bytes.
const BUFFER: usize = 64 << 10;

/// What a number that is polled belongs to.
#[derive(Clone, Debug)]
pub(crate) enum Role {
    /// The socket that daemons connect to.
    Control,
    /// A connection of a daemon.
    Peer,
    /// Workers have done something.
    Wake,
    /// Init of a container.
    Init(String),
    /// A socket that is listened at.
    Listener,
    /// An end of a connection that is passed on.
    End(u64),
    /// A connection that is being made.
    Connecting(u64),
    /// Whoever answers one sender of packets.
    Session,
}

/// A forward: what was asked for, and where.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) container: String,
    pub(crate) place: Arc<Place>,
    pub(crate) forward: Forward,
}

/// A socket that is listened at.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) task: Arc<Task>,
    pub(crate) socket: OwnedFd,
    pub(crate) file: Option<SocketFile>,
    pub(crate) target: Address,
    /// For what it is polled.
    pub(crate) polled: EventFlags,
}

/// A container.
#[derive(Debug)]
pub(crate) struct Container {
    pub(crate) place: Arc<Place>,
    /// The number under which its init is polled.
    pub(crate) init: u64,
    /// What is forwarded.
    pub(crate) tasks: Vec<Arc<Task>>,
    /// Counts what the daemon asked for, so that what comes late is not taken.
    pub(crate) generation: u64,
}

/// Everything.
pub(crate) struct Forwarder {
    pub(crate) home: Home,
    /// Held, not used.
    #[allow(dead_code)]
    lock: OwnedFd,
    pub(crate) host: Arc<OwnedFd>,
    pub(crate) control: OwnedFd,
    pub(crate) poller: Poller,
    pub(crate) roles: HashMap<u64, Role>,
    pub(crate) peers: HashMap<u64, OwnedFd>,
    pub(crate) containers: BTreeMap<String, Container>,
    pub(crate) listeners: HashMap<u64, Listener>,
    pub(crate) connections: HashMap<u64, Connection>,
    pub(crate) pairs: HashMap<u64, Pair>,
    pub(crate) sessions: HashMap<u64, Session>,
    /// Sessions by listener and sender.
    pub(crate) senders: HashMap<(u64, SocketAddr), u64>,
    pub(crate) workers: Workers<Done>,
    pub(crate) buffer: Vec<u8>,
    next: u64,
    idle_since: Instant,
}

impl Forwarder {
    pub(crate) fn new(home: Home, lock: OwnedFd, control: OwnedFd) -> Result<Self, Error> {
        let poller = Poller::new().map_err(system("make an epoll descriptor"))?;
        let workers = Workers::new().map_err(system("make an event descriptor"))?;
        let host = place::host().map_err(system("open the network namespace"))?;
        let mut forwarder = Self {
            home,
            lock,
            host: Arc::new(host),
            control,
            poller,
            roles: HashMap::new(),
            peers: HashMap::new(),
            containers: BTreeMap::new(),
            listeners: HashMap::new(),
            connections: HashMap::new(),
            pairs: HashMap::new(),
            sessions: HashMap::new(),
            senders: HashMap::new(),
            workers,
            buffer: vec![0; BUFFER.max(MAX_PACKET)],
            next: 0,
            idle_since: Instant::now(),
        };
        let (control, wake) = (forwarder.number(Role::Control), forwarder.number(Role::Wake));
        let polled = forwarder
            .poller
            .add(&forwarder.control, control, EventFlags::IN)
            .and_then(|()| forwarder.poller.add(forwarder.workers.wake(), wake, EventFlags::IN));
        polled.map_err(system("poll"))?;
        Ok(forwarder)
    }

    /// A number for something that is polled.
    pub(crate) fn number(&mut self, role: Role) -> u64 {
        let number = self.fresh();
        self.roles.insert(number, role);
        number
    }

    /// A number for something that is not polled itself.
    pub(crate) fn fresh(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Serves until nothing is to be forwarded any more.
    pub(crate) fn run(mut self) -> Result<(), Error> {
        loop {
            let events = self.poller.wait(self.patience()).map_err(system("wait for events"))?;
            for (number, flags) in events {
                // What an event before has closed has no role any more.
                if let Some(role) = self.roles.get(&number).cloned() {
                    self.dispatch(number, &role, flags);
                }
            }
            self.look_after();
            if !(self.containers.is_empty() && self.workers.is_idle()) {
                self.idle_since = Instant::now();
            } else if self.idle_since.elapsed() >= IDLE {
                self.home.leave();
                return Ok(());
            }
        }
    }

    fn dispatch(&mut self, number: u64, role: &Role, flags: EventFlags) {
        match role {
            Role::Control => self.accept_peer(),
            Role::Peer => self.peer_ready(number),
            Role::Wake => self.workers_done(),
            Role::Init(name) => self.drop_container(name),
            Role::Listener => self.listener_ready(number),
            Role::End(pair) => self.pair_ready(*pair),
            Role::Connecting(connection) => self.connected(*connection, flags),
            Role::Session => self.session_ready(number),
        }
    }

    /// How long nothing needs to be looked at. `None`: until something happens.
    fn patience(&self) -> Option<Duration> {
        if self.containers.is_empty() && self.workers.is_idle() {
            return Some(IDLE.saturating_sub(self.idle_since.elapsed()));
        }
        let paused = self.listeners.values().any(|listener| listener.polled.is_empty());
        (paused || !self.connections.is_empty() || !self.sessions.is_empty()).then_some(TICK)
    }

    fn look_after(&mut self) {
        self.give_up_connecting();
        self.end_idle_sessions();
        self.resume_listeners();
    }

    /// Ends everything of a container; its init has ended, or it forwards nothing any more.
    pub(crate) fn drop_container(&mut self, name: &str) {
        let Some(container) = self.containers.remove(name) else { return };
        self.poller.remove(container.place.pidfd());
        self.roles.remove(&container.init);
        for task in container.tasks {
            self.drop_task(&task);
        }
    }

    /// Ends a forward with all that goes through it.
    pub(crate) fn drop_task(&mut self, task: &Arc<Task>) {
        let same = |other: &Arc<Task>| Arc::ptr_eq(other, task);
        let listeners: Vec<u64> = numbers(&self.listeners, |listener| same(&listener.task));
        let pairs = numbers(&self.pairs, |pair| same(&pair.task));
        let connections = numbers(&self.connections, |connection| same(&connection.task));
        let sessions = numbers(&self.sessions, |session| same(&session.task));
        listeners.into_iter().for_each(|number| self.drop_listener(number));
        pairs.into_iter().for_each(|number| self.drop_pair(number));
        connections.into_iter().for_each(|number| self.drop_connection(number));
        sessions.into_iter().for_each(|number| self.drop_session(number));
    }

    fn drop_listener(&mut self, number: u64) {
        let Some(listener) = self.listeners.remove(&number) else { return };
        self.roles.remove(&number);
        if !listener.polled.is_empty() {
            self.poller.remove(&listener.socket);
        }
        let Some(file) = listener.file else { return };
        if !file.is_inside() {
            file.remove();
        } else if sys::pidfd::send_signal(listener.task.place.pidfd(), 0).is_ok() {
            // What stays is taken for stale by whoever listens there next.
            let _ = self.workers.begin(&listener.task.container, move || {
                file.remove();
                Done::Nothing
            });
        }
    }
}

/// The numbers of those that are such.
pub(crate) fn numbers<T>(all: &HashMap<u64, T>, such: impl Fn(&T) -> bool) -> Vec<u64> {
    all.iter().filter(|(_, one)| such(one)).map(|(number, _)| *number).collect()
}
