//! Packets. Whoever sends some gets a socket of its own on the other side, so that answers find the
//! way back; it is closed when nothing has passed for a while.

use crate::dial;
use crate::forwarder::{Forwarder, Role, Task, numbers};
use crate::poller::EventFlags;
use model::runtime::forward::Address;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketType};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a sender is remembered.
const IDLE: Duration = Duration::from_secs(120);
/// How many senders one forward remembers; then the one that was quiet longest is forgotten.
const MOST: usize = 4096;
/// How many packets are passed on before others get their turn.
const TURN: usize = 64;

/// One sender of packets.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) task: Arc<Task>,
    listener: u64,
    sender: SocketAddr,
    socket: OwnedFd,
    last: Instant,
}

impl Forwarder {
    /// Packets have arrived where something listens.
    pub(crate) fn packets_ready(&mut self, number: u64) {
        for _ in 0..TURN {
            let Some(listener) = self.listeners.get(&number) else { return };
            let received = rustix::net::recvfrom(&listener.socket, &mut self.buffer[..], RecvFlags::empty());
            let (length, sender) = match received {
                Ok((length, _, Some(sender))) => (length, sender),
                Ok(_) | Err(Errno::INTR) => continue,
                // An error that an earlier packet met is told once here.
                Err(Errno::CONNREFUSED | Errno::HOSTUNREACH | Errno::NETUNREACH) => continue,
                Err(_) => return,
            };
            let Ok(sender) = SocketAddr::try_from(sender) else { continue };
            let Some(session) = self.session_of(number, sender) else { continue };
            if let Some(session) = self.sessions.get_mut(&session) {
                session.last = Instant::now();
                // Packets may be lost.
                let _ = rustix::net::send(&session.socket, &self.buffer[..length], SendFlags::NOSIGNAL);
            }
        }
    }

    fn session_of(&mut self, listener: u64, sender: SocketAddr) -> Option<u64> {
        if let Some(session) = self.senders.get(&(listener, sender)) {
            return Some(*session);
        }
        let (task, target) = self.listeners.get(&listener).map(|l| (l.task.clone(), l.target.clone()))?;
        let Address::Udp(target) = target else { return None };
        self.make_room(&task);
        let inside = !task.forward.from_inside;
        let socket = dial::internet(&task.place, inside, target, SocketType::DGRAM).ok()?;
        let number = self.number(Role::Session);
        if self.poller.add(&socket, number, EventFlags::IN).is_err() {
            self.roles.remove(&number);
            return None;
        }
        let session = Session { task, listener, sender, socket, last: Instant::now() };
        self.sessions.insert(number, session);
        self.senders.insert((listener, sender), number);
        Some(number)
    }

    fn make_room(&mut self, task: &Arc<Task>) {
        if self.sessions.len() < MOST {
            return;
        }
        let own = || self.sessions.iter().filter(|(_, session)| Arc::ptr_eq(&session.task, task));
        if own().count() >= MOST
            && let Some(quiet) = own().min_by_key(|(_, session)| session.last).map(|(number, _)| *number)
        {
            self.drop_session(quiet);
        }
    }

    /// Answers have arrived for a sender.
    pub(crate) fn session_ready(&mut self, number: u64) {
        for _ in 0..TURN {
            let Some(session) = self.sessions.get_mut(&number) else { return };
            let Some(listener) = self.listeners.get(&session.listener) else { return };
            let received = rustix::net::recv(&session.socket, &mut self.buffer[..], RecvFlags::empty());
            match received {
                Ok((length, _)) => {
                    session.last = Instant::now();
                    let answer = &self.buffer[..length];
                    // Packets may be lost.
                    let _ =
                        rustix::net::sendto(&listener.socket, answer, SendFlags::NOSIGNAL, &session.sender);
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                // Nobody listens there: the sender may try again, with a new socket.
                Err(_) => return self.drop_session(number),
            }
        }
    }

    pub(crate) fn drop_session(&mut self, number: u64) {
        let Some(session) = self.sessions.remove(&number) else { return };
        self.poller.remove(&session.socket);
        self.roles.remove(&number);
        self.senders.remove(&(session.listener, session.sender));
    }

    pub(crate) fn end_idle_sessions(&mut self) {
        let idle = numbers(&self.sessions, |session| session.last.elapsed() > IDLE);
        idle.into_iter().for_each(|number| self.drop_session(number));
    }
}
