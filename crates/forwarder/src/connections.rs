//! Connections that arrive, and those that are passed on.

use crate::forwarder::{Forwarder, Role, Task, numbers};
use crate::poller::EventFlags;
use crate::relay::Way;
use crate::requests::Done;
use crate::{dial, header};
use model::runtime::forward::Address;
use rustix::io::Errno;
use rustix::net::{SocketFlags, SocketType, accept_with, getpeername, getsockname, sockopt};
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many connections one forward may have.
const MOST: usize = 8192;
/// How many are accepted before others get their turn.
const TURN: usize = 32;
/// How long the other side may take to accept.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection whose other side is on its way.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) task: Arc<Task>,
    client: OwnedFd,
    /// While it connects; unix sockets connect on a thread.
    server: Option<(OwnedFd, u64)>,
    since: Instant,
    is_unix: bool,
}

/// A connection that is passed on.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) task: Arc<Task>,
    sockets: [OwnedFd; 2],
    numbers: [u64; 2],
    polled: [EventFlags; 2],
    /// From the first to the second, and back.
    ways: [Way; 2],
    are_unix: bool,
}

impl Forwarder {
    /// Somebody connects, or sends a packet.
    pub(crate) fn listener_ready(&mut self, number: u64) {
        let Some(listener) = self.listeners.get(&number) else { return };
        if matches!(listener.target, Address::Udp(_)) {
            return self.packets_ready(number);
        }
        for _ in 0..TURN {
            let Some(listener) = self.listeners.get(&number) else { return };
            let task = listener.task.clone();
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            if self.count(&task) >= MOST {
                return self.pause(number);
            }
            match accept_with(&listener.socket, flags) {
                Ok(client) => {
                    let target = listener.target.clone();
                    self.begin(task, client, &target);
                }
                Err(Errno::AGAIN) => return,
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                // No descriptor or no memory is free.
                Err(_) => return self.pause(number),
            }
        }
    }

    fn count(&self, task: &Arc<Task>) -> usize {
        // Both count: each has an accepted connection.
        let of = |other: &Arc<Task>| usize::from(Arc::ptr_eq(other, task));
        let total = self.pairs.len() + self.connections.len();
        if total < MOST {
            return total;
        }
        self.pairs.values().map(|pair| of(&pair.task)).sum::<usize>()
            + self.connections.values().map(|connection| of(&connection.task)).sum::<usize>()
    }

    /// Leaves what arrives waiting for a moment.
    fn pause(&mut self, number: u64) {
        if let Some(listener) = self.listeners.get_mut(&number) {
            let none = EventFlags::empty();
            let _ = self.poller.adjust(&listener.socket, number, &mut listener.polled, none);
        }
    }

    /// Goes on with those that paused.
    pub(crate) fn resume_listeners(&mut self) {
        for (number, listener) in &mut self.listeners {
            if listener.polled.is_empty() {
                let polled = &mut listener.polled;
                let _ = self.poller.adjust(&listener.socket, *number, polled, EventFlags::IN);
            }
        }
    }

    /// Connects the other side.
    fn begin(&mut self, task: Arc<Task>, client: OwnedFd, target: &Address) {
        let number = self.fresh();
        let is_unix = !matches!(target, Address::Tcp(_));
        let mut connection =
            Connection { task: task.clone(), client, server: None, since: Instant::now(), is_unix };
        if let Address::Tcp(address) = target {
            let inside = !task.forward.from_inside;
            let Ok(server) = dial::internet(&task.place, inside, *address, SocketType::STREAM) else {
                return;
            };
            let polled = self.number(Role::Connecting(number));
            if self.poller.add(&server, polled, EventFlags::OUT).is_err() {
                self.roles.remove(&polled);
                return;
            }
            connection.server = Some((server, polled));
        } else {
            let (name, target) = (task.container.clone(), target.clone());
            let begun = self.workers.begin(&name, move || {
                let socket = dial::unix(&task.place, &task.forward, &target);
                Done::Dialled { connection: number, socket }
            });
            if begun.is_err() {
                return;
            }
        }
        self.connections.insert(number, connection);
    }

    /// A connection of the internet is made, or not.
    pub(crate) fn connected(&mut self, number: u64, _flags: EventFlags) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        let Some((server, polled)) = connection.server.take() else { return };
        self.poller.remove(&server);
        self.roles.remove(&polled);
        let result = match sockopt::socket_error(&server) {
            Ok(Ok(())) => Ok(server),
            Ok(Err(errno)) | Err(errno) => Err(errno),
        };
        self.dialled(number, result);
    }

    /// The other side is there, or not: then the caller is told by the end of its connection.
    pub(crate) fn dialled(&mut self, number: u64, socket: Result<OwnedFd, Errno>) {
        let Some(connection) = self.connections.remove(&number) else { return };
        let Ok(server) = socket else { return };
        let Connection { task, client, is_unix, .. } = connection;
        let mut forth = Way::default();
        if task.forward.proxy_protocol {
            forth = Way::beginning_with(header::line(ends(&client)).into_bytes());
        }
        for socket in [&client, &server] {
            // Only connections of the internet have these.
            let _ = sockopt::set_tcp_nodelay(socket, true);
            let _ = sockopt::set_socket_keepalive(socket, true);
        }
        let listens_at_unix =
            sockopt::socket_domain(&client).is_ok_and(|f| f == rustix::net::AddressFamily::UNIX);
        let pair = self.fresh();
        let numbers = [self.number(Role::End(pair)), self.number(Role::End(pair))];
        self.pairs.insert(
            pair,
            Pair {
                task,
                sockets: [client, server],
                numbers,
                polled: [EventFlags::empty(); 2],
                ways: [forth, Way::default()],
                are_unix: is_unix && listens_at_unix,
            },
        );
        self.pair_ready(pair);
    }

    /// Something can be passed on.
    pub(crate) fn pair_ready(&mut self, number: u64) {
        let Some(pair) = self.pairs.get_mut(&number) else { return };
        let [first, second] = &pair.sockets;
        let [forth, back] = &mut pair.ways;
        let pumped = forth
            .pump(first.as_fd(), second.as_fd(), pair.are_unix, &mut self.buffer)
            .and_then(|()| back.pump(second.as_fd(), first.as_fd(), pair.are_unix, &mut self.buffer));
        if pumped.is_err() || forth.is_closed() && back.is_closed() {
            return self.drop_pair(number);
        }
        let mut adjusted = true;
        for (end, (reads, writes)) in [(&*forth, &*back), (&*back, &*forth)].into_iter().enumerate() {
            let mut wanted = EventFlags::empty();
            wanted.set(EventFlags::IN, reads.wants_to_read());
            wanted.set(EventFlags::OUT, writes.wants_to_write());
            let (socket, polled) = (&pair.sockets[end], &mut pair.polled[end]);
            adjusted &= self.poller.adjust(socket, pair.numbers[end], polled, wanted).is_ok();
        }
        if !adjusted {
            self.drop_pair(number);
        }
    }

    pub(crate) fn drop_pair(&mut self, number: u64) {
        let Some(pair) = self.pairs.remove(&number) else { return };
        for end in 0..2 {
            if !pair.polled[end].is_empty() {
                self.poller.remove(&pair.sockets[end]);
            }
            self.roles.remove(&pair.numbers[end]);
        }
    }

    pub(crate) fn drop_connection(&mut self, number: u64) {
        let Some(connection) = self.connections.remove(&number) else { return };
        if let Some((server, polled)) = connection.server {
            self.poller.remove(&server);
            self.roles.remove(&polled);
        }
    }

    /// Ends connections that the other side does not accept.
    pub(crate) fn give_up_connecting(&mut self) {
        let late = numbers(&self.connections, |connection| {
            connection.server.is_some() && connection.since.elapsed() > PATIENCE
        });
        late.into_iter().for_each(|number| self.drop_connection(number));
    }
}

/// Both ends of a connection of the internet.
fn ends(socket: &OwnedFd) -> Option<(SocketAddr, SocketAddr)> {
    let from = getpeername(socket).ok().flatten().and_then(|address| SocketAddr::try_from(address).ok());
    let to = getsockname(socket).ok().and_then(|address| SocketAddr::try_from(address).ok());
    Some((from?, to?))
}
