//! The file server: a process inside a container that opens, makes and removes files for the daemon.
//!
//! [`serve`] runs in a child made by [`crate::enter`]: in the container's user and mount
//! namespaces, as its root, so the kernel itself decides what a path means and what an owner may
//! be. What it finds there belongs to the container and is hostile: it is opened only after it is
//! known to be a regular file or a directory, and never in a way that could block.

mod look;
mod make;
mod resolve;
mod write;

#[cfg(test)]
mod tests;

use crate::Error;
use model::runtime::protocol::{FileKind, FileReply, FileRequest, FileResult, MAX_PACKET};
use resolve::Root;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::Errno;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// After so much silence the server ends, in seconds.
const SILENCE: i64 = 60;

/// What a request is answered with: the reply, and the descriptor that goes with it.
type Answer = Result<(FileReply, Option<OwnedFd>), Error>;

/// Answers requests until the socket closes or is silent for a minute. Returns the exit code.
#[must_use]
pub fn serve(socket: OwnedFd) -> i32 {
    let root = match Root::open() {
        Ok(root) => root,
        Err(error) => return reply(&socket, Err(error)).map_or(1, |()| 1),
    };
    let mut buffer = vec![0; MAX_PACKET];
    while let Some(length) = next(&socket, &mut buffer) {
        let answer = match serde_json::from_slice(&buffer[..length]) {
            Ok(request) => handle(&root, &request),
            Err(error) => Err(Error::refused("read the request", error.to_string())),
        };
        if reply(&socket, answer).is_err() {
            break;
        }
    }
    drop(socket);
    0
}

/// Waits for a request; `None` when there will be none.
fn next(socket: &OwnedFd, buffer: &mut [u8]) -> Option<usize> {
    let limit = Timespec { tv_sec: SILENCE, tv_nsec: 0 };
    loop {
        match poll(&mut [PollFd::new(socket, PollFlags::IN)], Some(&limit)) {
            Err(Errno::INTR) => {}
            Err(_) | Ok(0) => return None,
            Ok(_) => break,
        }
    }
    let packet = sys::scm::recv(socket.as_fd(), buffer).ok()?;
    (packet.len > 0).then_some(packet.len)
}

fn handle(root: &Root, request: &FileRequest) -> Answer {
    match request {
        FileRequest::Get { path } => look::get(root, path),
        FileRequest::Put { path, append, uid, gid, mode } => {
            write::put(root, path, *append, *uid, *gid, *mode)
        }
        FileRequest::MakeDir { path, uid, gid, mode } => make::directory(root, path, *uid, *gid, *mode),
        FileRequest::Symlink { path, target, uid, gid } => make::symlink(root, path, target, *uid, *gid),
        FileRequest::Remove { path } => make::remove(root, path),
    }
}

/// Sends the answer; a listing that does not fit one packet goes as a memory file.
fn reply(socket: &OwnedFd, answer: Answer) -> Result<(), Errno> {
    let (mut result, mut descriptor): (FileResult, _) = match answer {
        Ok((reply, descriptor)) => (Ok(reply), descriptor),
        Err(error) => (Err(error.into()), None),
    };
    let mut packet = serde_json::to_vec(&result).map_err(|_| Errno::INVAL)?;
    if packet.len() > MAX_PACKET {
        if let Ok(FileReply { kind: FileKind::Directory(names), .. }) = &mut result {
            descriptor = Some(memory_file(&names.take().unwrap_or_default())?);
        }
        packet = serde_json::to_vec(&result).map_err(|_| Errno::INVAL)?;
    }
    let descriptors: Vec<BorrowedFd<'_>> = descriptor.iter().map(AsFd::as_fd).collect();
    sys::scm::send(socket.as_fd(), &packet, &descriptors)
}

fn memory_file(names: &[String]) -> Result<OwnedFd, Errno> {
    use std::io::Seek;
    let mut file = std::fs::File::from(memfd_create("listing", MemfdFlags::CLOEXEC)?);
    let json = serde_json::to_vec(names).map_err(|_| Errno::INVAL)?;
    let written = file.write_all(&json).and_then(|()| file.rewind());
    written.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    Ok(file.into())
}
