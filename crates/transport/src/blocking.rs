//! A stream for two threads: one reads, the other one writes, and both wait.

use crate::Stream;
use rustls::ClientConnection;
use std::io::{self, IoSlice, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Encrypted bytes read from the socket at a time: some records of TLS.
const READ: usize = 64 * 1024;

/// A stream for two threads: one reads, the other one writes, and both wait.
#[derive(Debug)]
pub enum Blocking {
    /// On this host.
    Unix(UnixStream),
    /// Not encrypted.
    Tcp(TcpStream),
    /// Encrypted.
    Tls(Box<Encrypted>),
}

/// An encrypted stream. No thread holds the session's lock while it waits for the network, so that
/// neither direction can hold up the other one.
#[derive(Debug)]
pub struct Encrypted {
    socket: TcpStream,
    session: Mutex<ClientConnection>,
    incoming: Mutex<Incoming>,
    /// Held from the encryption of a piece until it is sent: records must not overtake each other.
    outgoing: Mutex<Vec<u8>>,
}

/// What has come and was not decrypted yet.
#[derive(Debug, Default)]
struct Incoming {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Stream {
    /// Takes the stream out of the runtime.
    ///
    /// # Errors
    /// The socket cannot be made blocking.
    pub fn into_blocking(self) -> io::Result<Blocking> {
        Ok(match self {
            Self::Unix(unix) => {
                let unix = unix.into_std()?;
                unix.set_nonblocking(false)?;
                Blocking::Unix(unix)
            }
            Self::Tcp(tcp) => Blocking::Tcp(blocking(tcp)?),
            Self::Tls(tls) => {
                let (tcp, session) = tls.into_inner();
                Blocking::Tls(Box::new(Encrypted {
                    socket: blocking(tcp)?,
                    session: Mutex::new(session),
                    incoming: Mutex::default(),
                    outgoing: Mutex::default(),
                }))
            }
        })
    }
}

fn blocking(tcp: tokio::net::TcpStream) -> io::Result<TcpStream> {
    let tcp = tcp.into_std()?;
    tcp.set_nonblocking(false)?;
    Ok(tcp)
}

impl Blocking {
    /// Waits for bytes; 0 at the end. One thread at a time.
    ///
    /// # Errors
    /// The connection broke.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Unix(unix) => (&mut &*unix).read(buffer),
            Self::Tcp(tcp) => (&mut &*tcp).read(buffer),
            Self::Tls(tls) => tls.read(buffer),
        }
    }

    /// Sends some of the pieces and returns how many bytes of them.
    ///
    /// # Errors
    /// The connection broke.
    pub fn write_vectored(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Unix(unix) => (&mut &*unix).write_vectored(pieces),
            Self::Tcp(tcp) => (&mut &*tcp).write_vectored(pieces),
            Self::Tls(tls) => tls.write_vectored(pieces),
        }
    }

    /// Ends our direction, also under the hands of whoever is writing.
    ///
    /// # Errors
    /// The connection is gone already.
    pub fn end_writing(&self) -> io::Result<()> {
        match self {
            Self::Unix(unix) => unix.shutdown(Shutdown::Write),
            Self::Tcp(tcp) => tcp.shutdown(Shutdown::Write),
            Self::Tls(tls) => tls.end_writing(),
        }
    }
}

impl Encrypted {
    fn session(&self) -> MutexGuard<'_, ClientConnection> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut incoming = self.incoming.lock().unwrap_or_else(PoisonError::into_inner);
        let incoming = &mut *incoming;
        loop {
            {
                let mut session = self.session();
                match session.reader().read(buffer) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    result => return result,
                }
                if incoming.start < incoming.end {
                    let mut bytes = &incoming.bytes[incoming.start..incoming.end];
                    incoming.start += session.read_tls(&mut bytes)?;
                    session.process_new_packets().map_err(io::Error::other)?;
                    continue;
                }
            }
            incoming.bytes.resize(READ, 0);
            (incoming.start, incoming.end) = (0, 0);
            incoming.end = (&self.socket).read(&mut incoming.bytes)?;
            if incoming.end == 0 {
                return Ok(0);
            }
        }
    }

    fn write_vectored(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut outgoing = self.outgoing.lock().unwrap_or_else(PoisonError::into_inner);
        let count = {
            let mut session = self.session();
            let count = session.writer().write_vectored(pieces)?;
            encrypted(&mut session, &mut outgoing)?;
            count
        };
        (&self.socket).write_all(&outgoing)?;
        Ok(count)
    }

    fn end_writing(&self) -> io::Result<()> {
        // Who is still writing would hold us up, and gets an error instead.
        if let Ok(mut outgoing) = self.outgoing.try_lock() {
            self.session().send_close_notify();
            encrypted(&mut self.session(), &mut outgoing)?;
            (&self.socket).write_all(&outgoing)?;
        }
        self.socket.shutdown(Shutdown::Write)
    }
}

/// Moves all records that wait to be sent.
fn encrypted(session: &mut ClientConnection, outgoing: &mut Vec<u8>) -> io::Result<()> {
    outgoing.clear();
    while session.wants_write() {
        session.write_tls(outgoing)?;
    }
    Ok(())
}
