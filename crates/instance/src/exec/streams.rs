//! Pipes and terminals between a program in a container and the daemon.

use crate::Error;
use crate::keeper;
use model::IdMap;
use rustix::fs::{Gid, Mode, OFlags, Uid};
use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};
use rustix::termios::Winsize;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Room in each pipe, in bytes: the largest that needs no privilege (`pipe(7)`).
const PIPE_SIZE: usize = 1 << 20;
/// The group `tty`, to which terminals belong.
const TTY: u32 = 5;

/// The daemon's ends, non-blocking.
pub enum Streams {
    /// The master of a terminal.
    Terminal(OwnedFd),
    /// Three pipes.
    Pipes {
        /// Write end.
        stdin: OwnedFd,
        /// Read end.
        stdout: OwnedFd,
        /// Read end.
        stderr: OwnedFd,
    },
    /// None: `/dev/null`, or files that record the output.
    Detached,
}

/// Whose the streams are: a program that opens `/dev/stdout` by name needs to own it.
#[derive(Clone, Copy)]
pub(super) struct Owner<'a> {
    pub(super) idmap: Option<&'a IdMap>,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl Owner<'_> {
    fn own(self, fd: BorrowedFd<'_>, gid: u32) -> Result<(), Error> {
        let host = |id: u32, map: fn(&IdMap, u32) -> Option<u32>| match self.idmap {
            Some(idmap) => map(idmap, id),
            None => Some(id),
        };
        let uid = host(self.uid, IdMap::host_uid).map(Uid::from_raw);
        let gid = host(gid, IdMap::host_gid).map(Gid::from_raw);
        rustix::fs::fchown(fd, uid, gid).map_err(failed("give the program its streams"))
    }
}

fn failed(doing: &'static str) -> impl Fn(rustix::io::Errno) -> Error {
    move |source| Error::Io { doing, source: source.into() }
}

/// Three pipes: the child's ends and ours.
pub(super) fn pipes(owner: Owner<'_>) -> Result<(keeper::Streams, Streams), Error> {
    let (input, stdin) = pipe(owner)?;
    let (stdout, output) = pipe(owner)?;
    let (stderr, error) = pipe(owner)?;
    for ours in [&stdin, &stdout, &stderr] {
        rustix::io::ioctl_fionbio(ours, true).map_err(failed("make a pipe non-blocking"))?;
    }
    Ok((keeper::Streams { input, output, error }, Streams::Pipes { stdin, stdout, stderr }))
}

fn pipe(owner: Owner<'_>) -> Result<(OwnedFd, OwnedFd), Error> {
    let (read, write) = pipe_with(PipeFlags::CLOEXEC).map_err(failed("make a pipe"))?;
    // A smaller pipe is slower and nothing else.
    let _ = fcntl_setpipe_size(&write, PIPE_SIZE);
    owner.own(write.as_fd(), owner.gid)?;
    Ok((read, write))
}

/// A pipe that holds a program until a byte is written: the child's end, ours.
pub(super) fn gate() -> Result<(OwnedFd, OwnedFd), Error> {
    pipe_with(PipeFlags::CLOEXEC).map_err(failed("make a pipe"))
}

/// A terminal of the container: the child's three ends, which are one, and the master.
pub(super) fn terminal(
    devpts: BorrowedFd<'_>,
    owner: Owner<'_>,
    size: Option<(u16, u16)>,
) -> Result<(keeper::Streams, Streams), Error> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let master = rustix::fs::openat(devpts, "ptmx", flags, Mode::empty())
        .map_err(failed("open a terminal of the container"))?;
    rustix::pty::unlockpt(&master).map_err(failed("unlock a terminal"))?;
    let slave = rustix::pty::ioctl_tiocgptpeer(
        &master,
        rustix::pty::OpenptFlags::RDWR | rustix::pty::OpenptFlags::NOCTTY | rustix::pty::OpenptFlags::CLOEXEC,
    )
    .map_err(failed("open the other end of a terminal"))?;
    owner.own(slave.as_fd(), TTY)?;
    if let Some((width, height)) = size {
        resize(master.as_fd(), width, height);
    }
    rustix::io::ioctl_fionbio(&master, true).map_err(failed("make a terminal non-blocking"))?;
    let again = || slave.try_clone().map_err(|source| Error::Io { doing: "duplicate a terminal", source });
    let (output, error) = (again()?, again()?);
    Ok((keeper::Streams { input: slave, output, error }, Streams::Terminal(master)))
}

/// Tells a terminal its size; a terminal that is gone does not care.
pub(super) fn resize(master: BorrowedFd<'_>, width: u16, height: u16) {
    let size = Winsize { ws_row: height, ws_col: width, ws_xpixel: 0, ws_ypixel: 0 };
    let _ = rustix::termios::tcsetwinsize(master, size);
}

/// No client: input is empty, output goes to the files or nowhere.
pub(super) fn detached(
    record: Option<(std::fs::File, std::fs::File)>,
) -> Result<(keeper::Streams, Streams), Error> {
    let null = || {
        rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
            .map_err(failed("open /dev/null"))
    };
    let (output, error) = match record {
        Some((output, error)) => (output.into(), error.into()),
        None => (null()?, null()?),
    };
    Ok((keeper::Streams { input: null()?, output, error }, Streams::Detached))
}
