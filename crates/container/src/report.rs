//! The line between a cloned child and its parent, until the child executes its program.
//!
//! Packets from the child: `F` and an error number and a step (it failed), `R` with descriptors
//! (it is ready; of a first process the first time with its network namespace), `E` (it is about to execute). The line closes by itself on exec, so the end after
//! an `E` is success. Packets to the child are single bytes that mean "go on".

use crate::Error;
use crate::fault::Fault;
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use sys::{scm, seqpacket};

/// Largest packet; a step that is longer is cut.
const PACKET: usize = 512;

/// What the parent hears.
#[derive(Debug)]
pub(crate) enum Heard {
    Fault(Error),
    Ready(Vec<OwnedFd>),
    Executing,
    End,
}

/// Both ends: the parent's, the child's.
pub(crate) fn line() -> Result<(OwnedFd, OwnedFd), Error> {
    seqpacket::pair(PACKET).map_err(|errno| Error::system("make a socket for the child", errno))
}

pub(crate) fn fault(line: BorrowedFd<'_>, fault: &Fault<'_>) {
    let mut packet = [0_u8; PACKET];
    packet[0] = b'F';
    packet[1..5].copy_from_slice(&fault.errno.raw_os_error().to_le_bytes());
    let step = fault.step.as_bytes();
    let len = step.len().min(PACKET - 5);
    packet[5..5 + len].copy_from_slice(&step[..len]);
    // When nobody listens any more there is nobody to tell.
    let _ = scm::send(line, &packet[..5 + len], &[]);
}

pub(crate) fn ready<'a>(line: BorrowedFd<'_>, fds: &[BorrowedFd<'_>]) -> Result<(), Fault<'a>> {
    use crate::fault::At;
    scm::send(line, b"R", fds).at("hand descriptors to the parent")
}

pub(crate) fn executing(line: BorrowedFd<'_>) {
    // A parent that is gone is noticed by others.
    let _ = scm::send(line, b"E", &[]);
}

/// Let the child go on.
pub(crate) fn go(line: BorrowedFd<'_>) -> Result<(), Error> {
    scm::send(line, b"G", &[]).map_err(|errno| Error::system("tell the child to go on", errno))
}

/// Wait until the parent says so.
pub(crate) fn await_go<'a>(line: BorrowedFd<'_>) -> Result<(), Fault<'a>> {
    use crate::fault::At;
    let step = "wait for the parent";
    let mut byte = [0; 1];
    match scm::recv(line, &mut byte).at(step)?.len {
        0 => Err(Fault { step, errno: Errno::PIPE }),
        _ => Ok(()),
    }
}

/// The next thing that the child has said already; `None`: it has said nothing more so far.
pub(crate) fn overhear(line: &OwnedFd) -> Result<Option<Heard>, Error> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    match poll(&mut [PollFd::new(line, PollFlags::IN)], Some(&now)) {
        Ok(0) | Err(Errno::INTR) => Ok(None),
        Ok(_) => hear(line).map(Some),
        Err(errno) => Err(Error::system("hear from the child", errno)),
    }
}

/// The next thing that the child says.
pub(crate) fn hear(line: &OwnedFd) -> Result<Heard, Error> {
    let mut packet = [0_u8; PACKET];
    let received = match scm::recv(line.as_fd(), &mut packet) {
        // The child ended without listening to the last "go on". That is said before what it sent.
        Err(Errno::CONNRESET) => scm::recv(line.as_fd(), &mut packet),
        other => other,
    }
    .map_err(|errno| Error::system("hear from the child", errno))?;
    Ok(match (packet[0], received.len) {
        (_, 0) => Heard::End,
        (b'R', _) => Heard::Ready(received.fds),
        (b'E', _) => Heard::Executing,
        (b'F', len) if len >= 5 => Heard::Fault(parse_fault(&packet[..len])),
        _ => Heard::Fault(Error::refused("hear from the child", "it said something unknown")),
    })
}

fn parse_fault(packet: &[u8]) -> Error {
    let mut number = [0; 4];
    number.copy_from_slice(&packet[1..5]);
    let step = String::from_utf8_lossy(&packet[5..]).into_owned();
    Error::system(step, Errno::from_raw_os_error(i32::from_le_bytes(number)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_packet() {
        let (parent, child) = line().unwrap();
        assert!(overhear(&parent).unwrap().is_none());
        let long = "x".repeat(2000);
        fault(child.as_fd(), &Fault { step: "mount /proc", errno: Errno::PERM });
        fault(child.as_fd(), &Fault { step: &long, errno: Errno::LOOP });
        ready(child.as_fd(), &[parent.as_fd()]).unwrap();
        executing(child.as_fd());
        go(parent.as_fd()).unwrap();
        await_go(child.as_fd()).unwrap();
        drop(child);
        let Heard::Fault(error) = hear(&parent).unwrap() else { panic!() };
        assert_eq!(error, Error::system("mount /proc", Errno::PERM));
        let Heard::Fault(error) = hear(&parent).unwrap() else { panic!() };
        assert_eq!(error.step.len(), PACKET - 5);
        let Heard::Ready(fds) = hear(&parent).unwrap() else { panic!() };
        assert_eq!(fds.len(), 1);
        assert!(matches!(hear(&parent), Ok(Heard::Executing)));
        assert!(matches!(hear(&parent), Ok(Heard::End)));
    }

    #[test]
    fn the_last_words_of_a_child_that_did_not_listen() {
        let (parent, child) = line().unwrap();
        go(parent.as_fd()).unwrap();
        fault(child.as_fd(), &Fault { step: "mount /proc", errno: Errno::PERM });
        drop(child);
        assert!(matches!(hear(&parent), Ok(Heard::Fault(_))));
        assert!(matches!(hear(&parent), Ok(Heard::End)));
    }

    #[test]
    fn a_parent_that_is_gone_ends_the_wait() {
        let (parent, child) = line().unwrap();
        drop(parent);
        assert_eq!(await_go(child.as_fd()).unwrap_err().errno, Errno::PIPE);
    }
}
