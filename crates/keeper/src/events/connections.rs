//! Daemons come, ask and go.

use crate::container::Stage;
use crate::keeper::Keeper;
use crate::peer::{Gone, Peer};
use crate::poller::{EventFlags, Source};
use model::runtime::protocol::{Failure, MAX_PACKET, Request};
use rustix::io::Errno;
use serde::Deserialize;
use std::os::fd::{AsFd, OwnedFd};

/// Most connections at a time. There is one daemon; the others are tests and people.
const PEERS: usize = 64;
/// How many requests of a connection are served before others get their turn.
const TURN: usize = 16;

/// The part of a request that is there even in one that is not understood.
#[derive(Deserialize)]
struct Numbered {
    id: u64,
}

impl Keeper {
    /// Takes a connection, if it comes from this user.
    pub(crate) fn accept(&mut self) {
        let socket = match sys::seqpacket::accept(&self.listener.socket, MAX_PACKET) {
            Ok(socket) => socket,
            Err(Errno::AGAIN | Errno::CONNABORTED) => return,
            Err(errno) => {
                self.journal.say(&format!("cannot accept a connection: {errno}"));
                self.listener.paused = true;
                let listener = &self.listener;
                // The socket stays readable; polling it would only turn the loop.
                let _ = self.poller.change(&listener.socket, listener.token, EventFlags::empty());
                return;
            }
        };
        let own = rustix::process::geteuid();
        match rustix::net::sockopt::socket_peercred(&socket) {
            Ok(credentials) if credentials.uid == own && self.peers.len() < PEERS => {}
            Ok(credentials) => {
                let uid = credentials.uid.as_raw();
                self.journal.say(&format!("refused a connection of user {uid}"));
                return;
            }
            Err(_) => return,
        }
        let number = self.number();
        let added = rustix::io::ioctl_fionbio(&socket, true)
            .and_then(|()| self.poller.add(&socket, EventFlags::IN, Source::Peer(number)));
        match added {
            Ok(token) => drop(self.peers.insert(number, Peer::new(socket, token))),
            Err(errno) => self.journal.say(&format!("cannot poll a connection: {errno}")),
        }
    }

    pub(crate) fn peer_ready(&mut self, number: u64, flags: EventFlags) {
        if flags.contains(EventFlags::OUT) {
            let Some(peer) = self.peers.get_mut(&number) else { return };
            match peer.flush() {
                Ok(()) => self.after_sending(number),
                Err(Gone) => return self.drop_peer(number),
            }
        }
        if flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) {
            self.read_requests(number);
        }
    }

    fn read_requests(&mut self, number: u64) {
        for _ in 0..TURN {
            let Some(peer) = self.peers.get(&number) else { return };
            match sys::scm::recv(peer.socket.as_fd(), &mut self.buffer) {
                Err(Errno::AGAIN) => return,
                Ok(received) if received.len > 0 => {
                    if self.take_request(number, received.len, received.fds).is_err() {
                        self.journal.say("dropped a connection that does not speak the protocol");
                        return self.drop_peer(number);
                    }
                }
                Err(Errno::MSGSIZE) => {
                    self.journal.say("dropped a connection that sent too large a packet");
                    return self.drop_peer(number);
                }
                Ok(_) | Err(_) => return self.drop_peer(number),
            }
        }
    }

    fn take_request(&mut self, peer: u64, length: usize, fds: Vec<OwnedFd>) -> Result<(), ()> {
        let packet = self.buffer.get(..length).unwrap_or_default();
        match serde_json::from_slice::<Request>(packet) {
            Ok(Request { id, body }) => {
                self.request(peer, id, body, fds);
                Ok(())
            }
            // From a daemon that is newer than this keeper, perhaps: it learns which one was wrong.
            Err(error) => {
                let Numbered { id } = serde_json::from_slice(packet).map_err(drop)?;
                let reason = format!("this keeper does not know it: {error}");
                let failure = Failure { step: "understand the request".into(), reason, errno: None };
                self.reply(peer, id, Err(failure));
                Ok(())
            }
        }
    }

    /// Forgets a connection, and with it the containers that it was about to start.
    pub(crate) fn drop_peer(&mut self, number: u64) {
        let Some(peer) = self.peers.remove(&number) else { return };
        self.poller.remove(&peer.socket, peer.token);
        for event in peer.into_unread_events() {
            self.owe(event);
        }
        let unborn = self.containers.iter().filter(|(_, container)| match &container.stage {
            Stage::Cloned { peer, .. } | Stage::Released { peer, .. } => *peer == number,
            Stage::Running(_) | Stage::Ended(_) => false,
        });
        let unborn: Vec<String> = unborn.map(|(name, _)| name.clone()).collect();
        for name in unborn {
            self.journal.say(&format!("{name}: the connection was lost during its start, killed"));
            self.give_up(&name);
        }
    }

    /// Kills a container between its two steps.
    pub(crate) fn give_up(&mut self, name: &str) {
        match self.containers.remove(name).map(|container| container.stage) {
            Some(Stage::Released { released, token, .. }) => {
                self.poller.remove(released.ready(), token);
            }
            Some(Stage::Cloned { .. }) | None => {}
            Some(stage @ (Stage::Running(_) | Stage::Ended(_))) => {
                debug_assert!(false, "only what is between its two steps is given up");
                drop(stage);
            }
        }
    }
}
