//! [`FileServer`]: reading and writing inside a container, through a process that is inside.
//!
//! The process may stop answering, because something inside (a dead network or FUSE file system)
//! holds it; so every question has a deadline, after which the server is not asked again.

use super::connection::packet_socket;
use model::runtime::protocol::{Failure, FileKind, FileReply, FileRequest, FileResult, MAX_PACKET};
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::UnixDatagram;

/// How long one answer may take.
const DEADLINE: Duration = Duration::from_secs(30);
/// Largest listing of a directory that is taken, in bytes of JSON.
const LARGEST_LISTING: u64 = 64 * 1024 * 1024;

/// Owner and mode to set; what is absent is as [`FileRequest`] says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Owner {
    /// User id inside.
    pub uid: Option<u32>,
    /// Group id inside.
    pub gid: Option<u32>,
    /// Permission bits.
    pub mode: Option<u32>,
}

/// Why a file inside a container cannot be reached.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The file system inside says no.
    #[error("{}: {}", .0.step, .0.reason)]
    Failed(Failure),
    /// The server did not answer; something inside holds it.
    #[error("nothing inside the container answered for {} s: is a file system there stuck?", .0.as_secs())]
    Silent(Duration),
    /// The server is gone: the container has ended, or an earlier question was not answered.
    #[error("the file server has ended")]
    Ended,
    /// The path or target is too long for one packet.
    #[error("the request is {0} bytes, too large")]
    TooLarge(usize),
    /// The answer does not fit the question.
    #[error("the file server's answer makes no sense")]
    Answer,
    /// A socket error that is none of the above.
    #[error("cannot talk to the file server")]
    Socket(#[from] io::Error),
}

impl FileError {
    /// The system's error number, if it was the file system that refused: `ENOENT` is "not found".
    #[must_use]
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Failed(failure) => failure.errno,
            _ => None,
        }
    }
}

/// A process inside a container that opens, makes and removes files there. Ends when dropped.
#[derive(Debug)]
pub struct FileServer {
    /// `None` once a question was not answered: an answer that came later would be taken for that
    /// to the next one.
    socket: Option<UnixDatagram>,
    buffer: Vec<u8>,
}

impl FileServer {
    pub(super) fn new(socket: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&socket, true)?;
        Ok(Self { socket: Some(packet_socket(socket)?), buffer: vec![0; MAX_PACKET] })
    }

    /// Looks at a path; a regular file comes with a readable descriptor. A directory's names are
    /// always there.
    ///
    /// # Errors
    /// See [`FileError`]; so for every method here.
    pub async fn get(&mut self, path: &str) -> Result<(FileReply, Option<OwnedFd>), FileError> {
        let (mut reply, fd) = self.ask(&FileRequest::Get { path: path.to_owned() }).await?;
        match (&mut reply.kind, fd) {
            (FileKind::Directory(names @ None), Some(fd)) => {
                *names = Some(read_listing(fd)?);
                Ok((reply, None))
            }
            (FileKind::Directory(None), None) | (FileKind::File, None) => Err(FileError::Answer),
            (_, fd) => Ok((reply, fd)),
        }
    }

    /// Opens a regular file for writing, making it if it is not there.
    ///
    /// # Errors
    /// [`FileError::Failed`] for a directory, a missing parent, an id that is not mapped.
    pub async fn put(
        &mut self,
        path: &str,
        append: bool,
        owner: Owner,
    ) -> Result<(FileReply, OwnedFd), FileError> {
        let Owner { uid, gid, mode } = owner;
        let request = FileRequest::Put { path: path.to_owned(), append, uid, gid, mode };
        let (reply, fd) = self.ask(&request).await?;
        Ok((reply, fd.ok_or(FileError::Answer)?))
    }

    /// Makes a directory; one that is there gets owner and mode.
    ///
    /// # Errors
    /// [`FileError::Failed`] for a missing parent, or when something else is there.
    pub async fn make_dir(&mut self, path: &str, owner: Owner) -> Result<FileReply, FileError> {
        let Owner { uid, gid, mode } = owner;
        let request = FileRequest::MakeDir { path: path.to_owned(), uid, gid, mode };
        Ok(self.ask(&request).await?.0)
    }

    /// Makes a symbolic link; something that is there stays and only its owner changes.
    ///
    /// # Errors
    /// [`FileError::Failed`] for a missing parent.
    pub async fn symlink(&mut self, path: &str, target: &str, owner: Owner) -> Result<FileReply, FileError> {
        let Owner { uid, gid, .. } = owner;
        let request = FileRequest::Symlink { path: path.to_owned(), target: target.to_owned(), uid, gid };
        Ok(self.ask(&request).await?.0)
    }

    /// Removes a file, a link or an empty directory.
    ///
    /// # Errors
    /// [`FileError::Failed`] for what is missing or not empty.
    pub async fn remove(&mut self, path: &str) -> Result<FileReply, FileError> {
        Ok(self.ask(&FileRequest::Remove { path: path.to_owned() }).await?.0)
    }

    async fn ask(&mut self, request: &FileRequest) -> Result<(FileReply, Option<OwnedFd>), FileError> {
        let packet = serde_json::to_vec(request).map_err(io::Error::from)?;
        if packet.len() > MAX_PACKET {
            return Err(FileError::TooLarge(packet.len()));
        }
        // Taken out while it is in use: a question that is given up half way leaves nothing behind
        // that could be asked again.
        let socket = self.socket.take().ok_or(FileError::Ended)?;
        let answer = tokio::time::timeout(DEADLINE, exchange(&socket, &packet, &mut self.buffer)).await;
        let (result, fd) = answer.map_err(|_| FileError::Silent(DEADLINE))??;
        self.socket = Some(socket);
        result.map(|reply| (reply, fd)).map_err(FileError::Failed)
    }
}

async fn exchange(
    socket: &UnixDatagram,
    packet: &[u8],
    buffer: &mut [u8],
) -> Result<(FileResult, Option<OwnedFd>), FileError> {
    use rustix::io::Errno;
    let sent = socket.async_io(Interest::WRITABLE, || Ok(sys::scm::send(socket.as_fd(), packet, &[])?)).await;
    if let Err(error) = sent {
        let gone = Errno::from_io_error(&error).is_some_and(|e| e == Errno::PIPE || e == Errno::CONNRESET);
        return Err(if gone { FileError::Ended } else { error.into() });
    }
    let received =
        socket.async_io(Interest::READABLE, || Ok(sys::scm::recv(socket.as_fd(), buffer)?)).await?;
    if received.len == 0 {
        return Err(FileError::Ended);
    }
    let result = serde_json::from_slice(&buffer[..received.len]).map_err(|_| FileError::Answer)?;
    Ok((result, received.fds.into_iter().next()))
}

/// Names from a memory file, which the server has written but the container cannot: still bounded.
fn read_listing(fd: OwnedFd) -> Result<Vec<String>, FileError> {
    let mut bytes = Vec::new();
    std::fs::File::from(fd).take(LARGEST_LISTING).read_to_end(&mut bytes)?;
    serde_json::from_slice(&bytes).map_err(|_| FileError::Answer)
}
