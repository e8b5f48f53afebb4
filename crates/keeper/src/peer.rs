//! One connection of a daemon. A daemon that does not read loses its connection, not our time.

use crate::poller::Token;
use model::runtime::protocol::{EventBody, Message};
use rustix::io::Errno;
use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// What may wait to be read by the daemon: messages, and bytes.
const UNREAD: (usize, usize) = (4096, 8 * 1024 * 1024);

/// A connection.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) socket: OwnedFd,
    pub(crate) token: Token,
    /// It has said who it is.
    pub(crate) greeted: bool,
    queue: VecDeque<Outgoing>,
    bytes: usize,
}

/// A message on its way out.
#[derive(Debug)]
struct Outgoing {
    packet: Vec<u8>,
    descriptors: Vec<OwnedFd>,
    event: Option<EventBody>,
}

/// The connection cannot be used any more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Gone;

impl Peer {
    pub(crate) fn new(socket: OwnedFd, token: Token) -> Self {
        Self { socket, token, greeted: false, queue: VecDeque::new(), bytes: 0 }
    }

    /// Sends a message, or keeps it until the daemon reads.
    pub(crate) fn push(&mut self, message: &Message, descriptors: Vec<OwnedFd>) -> Result<(), Gone> {
        let packet = serde_json::to_vec(message).map_err(|_| Gone)?;
        let event = match message {
            Message::Event(event) => Some(event.clone()),
            Message::Reply { .. } => None,
        };
        self.bytes += packet.len();
        self.queue.push_back(Outgoing { packet, descriptors, event });
        if self.queue.len() > UNREAD.0 || self.bytes > UNREAD.1 {
            return Err(Gone);
        }
        self.flush()
    }

    /// Sends what waits, as far as it goes without waiting.
    pub(crate) fn flush(&mut self) -> Result<(), Gone> {
        while let Some(next) = self.queue.front() {
            let descriptors: Vec<BorrowedFd<'_>> = next.descriptors.iter().map(AsFd::as_fd).collect();
            match sys::scm::send(self.socket.as_fd(), &next.packet, &descriptors) {
                Ok(()) => {
                    self.bytes -= next.packet.len();
                    self.queue.pop_front();
                }
                // Too many descriptors on their way to the daemon is as good as a full socket.
                Err(Errno::AGAIN | Errno::TOOMANYREFS) => return Ok(()),
                Err(_) => return Err(Gone),
            }
        }
        Ok(())
    }

    /// Whether something waits for the daemon to read.
    pub(crate) fn is_behind(&self) -> bool {
        !self.queue.is_empty()
    }

    /// The events that the daemon has not read, for whoever connects next.
    pub(crate) fn into_unread_events(self) -> impl Iterator<Item = EventBody> {
        self.queue.into_iter().filter_map(|message| message.event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poller::{EventFlags, Poller, Source};

    #[test]
    fn a_daemon_that_does_not_read_loses_the_connection_but_no_event() {
        let (ours, theirs) = sys::seqpacket::pair(4096).unwrap();
        rustix::io::ioctl_fionbio(&ours, true).unwrap();
        let mut poller = Poller::new().unwrap();
        let token = poller.add(&ours, EventFlags::IN, Source::Peer(1)).unwrap();
        let mut peer = Peer::new(ours, token);
        let mut pushed = 0;
        while peer.push(&Message::Event(EventBody::ExecEnded { session: pushed, status: 0 }), vec![]).is_ok()
        {
            pushed += 1;
        }
        assert!(peer.is_behind());
        let unread: Vec<_> = peer.into_unread_events().collect();
        let mut buffer = [0; 4096];
        let mut read = 0;
        while sys::scm::recv(theirs.as_fd(), &mut buffer).unwrap().len > 0 {
            read += 1;
        }
        assert_eq!(read + unread.len() as u64, pushed + 1);
    }
}
