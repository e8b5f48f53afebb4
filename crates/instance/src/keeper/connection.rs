//! One connection to a keeper: requests go out, replies are matched to them by number.

use super::Error;
use model::runtime::protocol::{Failure, MAX_PACKET, Message, ReplyBody, Request, RequestBody};
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::UnixDatagram;
use tokio::sync::oneshot;

/// What a request is answered with, and the descriptors that came along.
pub(super) type Answer = (ReplyBody, Vec<OwnedFd>);

type Waiting = HashMap<u64, oneshot::Sender<Result<Answer, Failure>>>;

/// One connection. Shared by everybody who asks and the one task that reads.
pub(super) struct Connection {
    /// In truth a `SOCK_SEQPACKET` socket; tokio's type is used for its readiness alone.
    socket: UnixDatagram,
    next: AtomicU64,
    /// `None` once the connection is lost, so that nobody starts to wait for an answer then.
    waiting: Mutex<Option<Waiting>>,
}

/// Takes a request out of the table when whoever asked stops waiting.
struct Entry<'a> {
    connection: &'a Connection,
    id: u64,
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        if let Some(waiting) = self.connection.table().as_mut() {
            waiting.remove(&self.id);
        }
    }
}

/// Registers a non-blocking packet socket with the runtime.
pub(crate) fn packet_socket(socket: OwnedFd) -> io::Result<UnixDatagram> {
    UnixDatagram::from_std(std::os::unix::net::UnixDatagram::from(socket))
}

/// Waits for the one packet that a process of the keeper's sends; empty when it ended without.
pub(super) async fn one_packet(socket: OwnedFd) -> io::Result<Vec<u8>> {
    rustix::io::ioctl_fionbio(&socket, true)?;
    let socket = packet_socket(socket)?;
    let mut packet = vec![0; MAX_PACKET];
    let received =
        socket.async_io(Interest::READABLE, || Ok(sys::scm::recv(socket.as_fd(), &mut packet)?)).await?;
    packet.truncate(received.len);
    Ok(packet)
}

impl Connection {
    /// Wraps a connected, non-blocking socket.
    pub(super) fn new(socket: OwnedFd) -> io::Result<Self> {
        let socket = packet_socket(socket)?;
        Ok(Self { socket, next: AtomicU64::new(1), waiting: Mutex::new(Some(HashMap::new())) })
    }

    fn table(&self) -> std::sync::MutexGuard<'_, Option<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks and waits for the answer, at most `deadline`. The descriptors are closed when sent.
    pub(super) async fn ask(
        &self,
        request: &'static str,
        body: RequestBody,
        descriptors: Vec<OwnedFd>,
        deadline: Duration,
    ) -> Result<Answer, Error> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let packet = serde_json::to_vec(&Request { id, body }).map_err(io::Error::from)?;
        if packet.len() > MAX_PACKET {
            return Err(Error::TooLarge { request, size: packet.len() });
        }
        let (answer, answered) = oneshot::channel();
        match self.table().as_mut() {
            Some(waiting) => waiting.insert(id, answer),
            None => return Err(Error::Lost { request }),
        };
        let _entry = Entry { connection: self, id };
        let exchange = async {
            self.send(&packet, descriptors).await.map_err(|_| Error::Lost { request })?;
            answered.await.map_err(|_| Error::Lost { request })
        };
        match tokio::time::timeout(deadline, exchange).await {
            Err(_) => Err(Error::Deadline { request, after: deadline }),
            Ok(result) => result?.map_err(Error::Refused),
        }
    }

    async fn send(&self, packet: &[u8], descriptors: Vec<OwnedFd>) -> io::Result<()> {
        let borrowed: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
        self.socket
            .async_io(Interest::WRITABLE, || Ok(sys::scm::send(self.socket.as_fd(), packet, &borrowed)?))
            .await
    }

    /// Reads until the connection ends; replies go to those who wait for them, the rest to `event`.
    /// Everybody who still waits then learns that the connection was lost.
    pub(super) async fn read(&self, mut event: impl FnMut(model::runtime::protocol::EventBody)) -> io::Error {
        let mut buffer = vec![0; MAX_PACKET];
        let end = loop {
            match self.receive(&mut buffer).await {
                Err(error) => break error,
                Ok((Message::Event(body), _)) => event(body),
                Ok((Message::Reply { id, result }, descriptors)) => {
                    let sender = self.table().as_mut().and_then(|waiting| waiting.remove(&id));
                    if let Some(sender) = sender {
                        // Whoever asked may have stopped waiting just now.
                        let _ = sender.send(result.map(|body| (body, descriptors)));
                    }
                }
            }
        };
        *self.table() = None;
        end
    }

    async fn receive(&self, buffer: &mut [u8]) -> io::Result<(Message, Vec<OwnedFd>)> {
        let packet = self
            .socket
            .async_io(Interest::READABLE, || Ok(sys::scm::recv(self.socket.as_fd(), buffer)?))
            .await?;
        if packet.len == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok((serde_json::from_slice(&buffer[..packet.len])?, packet.fds))
    }
}
