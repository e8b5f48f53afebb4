//! The console of a container: a terminal that somebody must read, or the container would stop.
//!
//! What the container prints goes into a bounded ring in memory, into a bounded log file, and to
//! the one client that may be attached; a client that does not read loses output, it never stops
//! the container. What the client types goes to the terminal as fast as the container takes it.
//!
//! Nothing here waits. The owner polls [`Console::master`] edge-triggered (a terminal that nobody
//! inside has open reports a hang-up all the time) and [`Console::client`] for what
//! [`Console::client_interest`] says, and calls back.

mod log;
mod ring;

#[cfg(test)]
mod tests;

use crate::Error;
use log::Log;
use model::runtime::spec::ConsoleSpec;
use ring::Ring;
use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, send, socketpair};
use rustix::termios::{Winsize, tcsetwinsize};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// How much is moved before others get their turn, in bytes.
const TURN: usize = 64 * 1024;
/// How much output waits for a client that does not read, in bytes.
const UNREAD: usize = 256 * 1024;
/// How much input waits for a container that does not read, in bytes.
const UNTYPED: usize = 4096;

/// How often a terminal whose container has ended is read; it holds far less.
const LAST_TURNS: u32 = 16;

/// A console, from the side that the container does not see.
#[derive(Debug)]
pub struct Console {
    master: Option<OwnedFd>,
    ring: Ring,
    log: Log,
    client: Option<Client>,
    departed: Option<OwnedFd>,
}

#[derive(Debug)]
struct Client {
    socket: OwnedFd,
    /// From the container.
    unread: Vec<u8>,
    /// To the container.
    untyped: Vec<u8>,
}

/// What is left to do after a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nothing, until the next event.
    Done,
    /// There is more; call again after the others.
    More,
}

/// A console's parts, to be carried over into another program that is executed in place.
#[derive(Debug)]
pub struct Parts {
    /// The terminal's master.
    pub master: Option<OwnedFd>,
    /// The socket of the attached client.
    pub client: Option<OwnedFd>,
    /// What was printed last.
    pub printed: Vec<u8>,
}

impl Console {
    /// The console of a container that has just started.
    ///
    /// # Errors
    /// When the terminal cannot be made non-blocking.
    pub fn new(master: OwnedFd, spec: &ConsoleSpec) -> Result<Self, Error> {
        let parts = Parts { master: Some(master), client: None, printed: Vec::new() };
        Self::from_parts(parts, spec)
    }

    /// The console of a container whose terminal is lost: only the log file is left.
    #[must_use]
    pub fn lost(spec: &ConsoleSpec) -> Self {
        let log = Log::new(&spec.log, spec.keep);
        Self { master: None, ring: Ring::new(spec.keep), log, client: None, departed: None }
    }

    /// Puts together what [`Console::into_parts`] took apart.
    ///
    /// # Errors
    /// When the terminal or the socket cannot be made non-blocking.
    pub fn from_parts(parts: Parts, spec: &ConsoleSpec) -> Result<Self, Error> {
        let Parts { master, client, printed } = parts;
        for fd in master.iter().chain(&client) {
            rustix::io::ioctl_fionbio(fd, true).map_err(|e| Error::system("set up the console", e))?;
        }
        let mut console = Self::lost(spec);
        console.ring.push(&printed);
        console.master = master;
        console.client = client.map(|socket| Client { socket, unread: Vec::new(), untyped: Vec::new() });
        Ok(console)
    }

    /// Takes the console apart.
    #[must_use]
    pub fn into_parts(self) -> Parts {
        let printed = self.ring.to_vec();
        Parts { master: self.master, client: self.client.map(|client| client.socket), printed }
    }

    /// The terminal's master, if there is one.
    #[must_use]
    pub fn master(&self) -> Option<BorrowedFd<'_>> {
        self.master.as_ref().map(AsFd::as_fd)
    }

    /// The attached client's socket, if there is one.
    #[must_use]
    pub fn client(&self) -> Option<BorrowedFd<'_>> {
        self.client.as_ref().map(|client| client.socket.as_fd())
    }

    /// What the client's socket is to be polled for.
    #[must_use]
    pub fn client_interest(&self) -> PollFlags {
        let mut interest = PollFlags::empty();
        if let Some(client) = &self.client {
            interest.set(PollFlags::IN, client.untyped.is_empty());
            interest.set(PollFlags::OUT, !client.unread.is_empty());
        }
        interest
    }

    /// Where the log is.
    #[must_use]
    pub fn log_path(&self) -> &Path {
        self.log.path()
    }

    /// Attaches a client; the result is its end.
    ///
    /// # Errors
    /// `EBUSY` while another one is attached; without an error number when the terminal was lost.
    pub fn attach(&mut self) -> Result<OwnedFd, Error> {
        const STEP: &str = "attach to the console";
        if self.master.is_none() {
            let reason = "the keeper that held it is gone; restart the container to get its console back";
            return Err(Error::refused(STEP, reason));
        }
        if self.client.is_some() {
            let reason = "another client is attached to it".to_owned();
            return Err(Error { reason, ..Error::system(STEP, Errno::BUSY) });
        }
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None)
            .map_err(|errno| Error::system(STEP, errno))?;
        self.client = Some(Client { socket: ours, unread: Vec::new(), untyped: Vec::new() });
        Ok(theirs)
    }

    /// Sets the terminal's size, in characters.
    ///
    /// # Errors
    /// When the terminal was lost or refuses.
    pub fn resize(&self, columns: u16, rows: u16) -> Result<(), Error> {
        const STEP: &str = "resize the console";
        let Some(master) = &self.master else {
            return Err(Error::refused(STEP, "its terminal is lost"));
        };
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(master, size).map_err(|errno| Error::system(STEP, errno))
    }

    /// What was printed last.
    #[must_use]
    pub fn printed(&self) -> Vec<u8> {
        self.ring.to_vec()
    }

    /// Forgets what was printed, in memory and in the log.
    pub fn clear(&mut self) {
        self.ring.clear();
        self.log.clear();
    }

    /// Reads what the container prints; types what waits to be typed.
    pub fn master_ready(&mut self) -> Turn {
        self.type_in();
        let mut buffer = [0; 8192];
        let mut moved = 0;
        while moved < TURN {
            let Some(master) = &self.master else { return Turn::Done };
            match rustix::io::read(master, &mut buffer) {
                Err(Errno::INTR) => {}
                // EIO: nobody inside has the terminal open just now.
                Ok(0) | Err(_) => return Turn::Done,
                Ok(length) => {
                    moved += length;
                    self.print(&buffer[..length]);
                }
            }
        }
        Turn::More
    }

    fn print(&mut self, bytes: &[u8]) {
        self.ring.push(bytes);
        self.log.append(bytes, &self.ring);
        if let Some(client) = &mut self.client {
            let room = UNREAD.saturating_sub(client.unread.len());
            client.unread.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
        self.show();
    }

    /// Sends the client what waits for it.
    fn show(&mut self) {
        let Some(client) = &mut self.client else { return };
        if client.unread.is_empty() {
            return;
        }
        match send(&client.socket, &client.unread, rustix::net::SendFlags::NOSIGNAL) {
            Ok(sent) => drop(client.unread.drain(..sent)),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => self.detach(),
        }
    }

    fn detach(&mut self) {
        self.departed = self.client.take().map(|client| client.socket);
    }

    /// The socket of a client that has gone, once: to be taken out of what is polled.
    pub fn take_departed(&mut self) -> Option<OwnedFd> {
        self.departed.take()
    }

    /// Types what waits to be typed; what the terminal does not take now waits.
    fn type_in(&mut self) {
        let (Some(client), Some(master)) = (&mut self.client, &self.master) else { return };
        while !client.untyped.is_empty() {
            match rustix::io::write(master, &client.untyped) {
                Ok(written) if written > 0 => drop(client.untyped.drain(..written)),
                Err(Errno::INTR) => {}
                _ => return,
            }
        }
    }

    /// Moves bytes between client and terminal. [`Console::client`] is `None` afterwards when the
    /// client has gone.
    pub fn client_ready(&mut self) {
        self.show();
        let Some(client) = &mut self.client else { return };
        if !client.untyped.is_empty() {
            return;
        }
        let mut buffer = [0; UNTYPED];
        match rustix::io::read(&client.socket, &mut buffer) {
            Ok(0) => self.detach(),
            Ok(length) => {
                client.untyped.extend_from_slice(&buffer[..length]);
                self.type_in();
            }
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => self.detach(),
        }
    }

    /// The container has ended: takes what is still in the terminal and lets the client go. The
    /// result is the terminal's master, to be taken out of what is polled.
    pub fn close(&mut self) -> Option<OwnedFd> {
        for _ in 0..LAST_TURNS {
            if self.master_ready() == Turn::Done {
                break;
            }
        }
        self.show();
        self.detach();
        self.master.take()
    }
}
