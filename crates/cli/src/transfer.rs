//! Moving bytes between file descriptors and a session's streams, on threads of their own.

use client::{DataReader, DataWriter};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::FileType;
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::mpsc;
use tokio::sync::oneshot;

/// Bytes read from standard input at a time.
const READ: usize = 256 * 1024;
/// Room that pipes at our ends get where the system lets us, in bytes. See fcntl(2), `F_SETPIPE_SZ`.
const PIPE: usize = 1024 * 1024;

/// What follows the end of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Nothing: input has a stream of its own, or there is more to come.
    Wait,
    /// Input on the same stream is over too, as on a terminal.
    HangUp,
}

/// Copies a session's output to a file descriptor until its end, and gives the reader back: its
/// connection is the server's to close.
///
/// # Errors
/// The descriptor cannot be written to.
pub(crate) async fn output(
    mut from: DataReader,
    to: impl AsFd + Send + 'static,
    end: End,
) -> io::Result<DataReader> {
    if !from.has_data().await? {
        if end == End::HangUp {
            from.hang_up();
        }
        return Ok(from);
    }
    let (done, outcome) = oneshot::channel();
    std::thread::spawn(move || {
        widen(to.as_fd());
        let copy = || {
            while let Some(piece) = from.next_piece()? {
                write_all(to.as_fd(), piece)?;
            }
            if end == End::HangUp {
                from.hang_up();
            }
            Ok(from)
        };
        // Nobody listens any more when the session failed otherwise.
        let _ = done.send(copy());
    });
    // A thread that ends without a word panicked and said so itself.
    outcome.await.unwrap_or_else(|_| Err(io::Error::other("the copying thread broke")))
}

/// Copies a file descriptor to a session's input until its end. The writer comes back at the end:
/// it is to stay open as long as the session, because a server may take its closing for our death.
pub(crate) fn input(
    from: impl AsFd + Send + 'static,
    mut to: DataWriter,
    mut filter: impl FnMut(&[u8], &mut DataWriter) -> io::Result<bool> + Send + 'static,
) -> mpsc::Receiver<DataWriter> {
    let (give_back, kept) = mpsc::channel();
    if is_null(from.as_fd()) {
        // At its end for ever: what scripts give needs no thread to find that out.
        let _ = to.finish();
        let _ = give_back.send(to);
        return kept;
    }
    std::thread::spawn(move || {
        widen(from.as_fd());
        let mut buffer = vec![0; READ];
        loop {
            match read(from.as_fd(), &mut buffer) {
                // A broken terminal ends like a closed one.
                Ok(0) | Err(_) => {
                    let _ = to.finish();
                    break;
                }
                Ok(count) => match filter(&buffer[..count], &mut to) {
                    Ok(true) => {}
                    // The command does not listen any more.
                    Ok(false) | Err(_) => break,
                },
            }
        }
        let _ = give_back.send(to);
    });
    kept
}

/// Sends everything as it is.
pub(crate) fn unfiltered(data: &[u8], to: &mut DataWriter) -> io::Result<bool> {
    to.send(data).map(|()| true)
}

/// Whether this is `/dev/null`, `null(4)`.
fn is_null(fd: BorrowedFd<'_>) -> bool {
    rustix::fs::fstat(fd).is_ok_and(|stat| {
        FileType::from_raw_mode(stat.st_mode).is_char_device() && stat.st_rdev == rustix::fs::makedev(1, 3)
    })
}

fn widen(fd: BorrowedFd<'_>) {
    // Fails on what is no pipe, and beyond the user's limit; both are fine.
    let _ = rustix::pipe::fcntl_setpipe_size(fd, PIPE);
}

fn read(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match rustix::io::read(fd, &mut *buffer) {
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => wait(fd, PollFlags::IN)?,
            result => return Ok(result?),
        }
    }
}

/// Writes everything, also when somebody else made the descriptor non-blocking.
pub(crate) fn write_all(fd: BorrowedFd<'_>, mut data: &[u8]) -> io::Result<()> {
    while !data.is_empty() {
        match rustix::io::write(fd, data) {
            Ok(count) => data = &data[count..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => wait(fd, PollFlags::OUT)?,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn wait(fd: BorrowedFd<'_>, flags: PollFlags) -> io::Result<()> {
    match poll(&mut [PollFd::new(&fd, flags)], None) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
