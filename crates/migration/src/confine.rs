//! Where rsync is locked up: in a mount namespace whose root holds the programs and libraries of the
//! host, read-only, and one tree. Whatever names or links the other side makes up, and whatever a
//! running container exchanges while its files are read, there is nothing else to be reached.
//!
//! The daemon has many threads and cannot do that itself: its program is executed with [`FORK_RSYNC`]
//! and becomes rsync. On the side that sends, rsync starts the program once more, with [`FORK_RELAY`],
//! where it would start `ssh`; that one carries bytes between rsync and the daemon.

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, mkdirat, openat, readlinkat, statat, symlinkat};
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, mount, mount_change, mount_move,
    move_mount, open_tree,
};
use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use sys::mount_setattr::{Change, mount_setattr};

/// The hidden sub-command that becomes a confined rsync: a role, a tree, the program, its arguments.
pub const FORK_RSYNC: &str = "forkrsync";
/// The hidden sub-command that carries rsync's bytes: the number of a descriptor, then what nobody needs.
pub const FORK_RELAY: &str = "forkrelay";
/// The role of the side that sends.
const SEND: &str = "send";
/// The role of the side that receives.
const RECEIVE: &str = "receive";
/// Where programs find programs and libraries.
const SYSTEM: [&str; 7] = ["usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32"];
/// The tree in the new root.
const TREE: &str = "volume";
/// Our own program in the new root.
const RELAY: &str = "relay";

/// Arguments of our program before rsync, for sending a tree.
pub(crate) fn sender(tree: &Path) -> [OsString; 3] {
    [FORK_RSYNC.into(), SEND.into(), tree.into()]
}

/// Arguments of our program before rsync, for receiving a tree.
pub(crate) fn receiver(tree: &Path) -> [OsString; 3] {
    [FORK_RSYNC.into(), RECEIVE.into(), tree.into()]
}

/// Locks itself up with a tree and becomes rsync. Only for a process with a single thread.
///
/// # Errors
/// Not the role; something cannot be mounted; the program cannot be executed.
pub fn become_rsync(
    role: &OsStr,
    tree: &Path,
    program: &Path,
    arguments: &[OsString],
) -> io::Result<Infallible> {
    let sends = match role.to_str() {
        Some(SEND) => true,
        Some(RECEIVE) => false,
        _ => return Err(io::Error::other("it neither sends nor receives")),
    };
    let stream = if sends { Some(keep_stream()?) } else { None };
    enter(tree, sends)?;
    // Nodes are made with the modes that they have to have: without /proc, which would lead out of here,
    // rsync cannot change them safely.
    rustix::process::umask(Mode::empty());
    let mut command = Command::new(program);
    command.args(arguments);
    match &stream {
        Some(stream) => {
            let relay = format!("/{RELAY} {FORK_RELAY} {}", stream.as_raw_fd());
            // What is copied where is for the other side to say.
            command.args(["-e", relay.as_str(), &format!("/{TREE}/"), "localhost:/tmp/foo"])
        }
        None => command.args([".", &format!("/{TREE}/")]),
    };
    Err(command.exec())
}

/// Moves the daemon's stream from standard input, which rsync's child gets from rsync, to a descriptor
/// that both inherit.
fn keep_stream() -> io::Result<OwnedFd> {
    let null = openat(CWD, "/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    let stream = rustix::io::dup(rustix::stdio::stdin())?;
    rustix::stdio::dup2_stdin(&null)?;
    Ok(stream)
}

/// A mount that is attached nowhere yet.
fn detached(path: &str, recursive: bool, change: &Change<'_>) -> rustix::io::Result<OwnedFd> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    if recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    let tree = open_tree(CWD, path, flags)?;
    mount_setattr(tree.as_fd(), recursive, change)?;
    Ok(tree)
}

fn enter(tree: &Path, sends: bool) -> io::Result<()> {
    let read_only = Change { read_only: true, no_suid: true, ..Change::default() };
    // What this process was started from is a file of the namespace that it leaves now.
    let relay = if sends { Some(detached("/proc/self/exe", false, &read_only)?) } else { None };
    sys::unshare::unshare(sys::unshare::Kind::Mount)?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    let closed = Change { read_only: sends, no_suid: true, no_dev: true, no_exec: true, ..Change::default() };
    let volume = detached(tree.to_str().ok_or(Errno::ILSEQ)?, false, &closed)?;
    let mut system = Vec::new();
    for name in SYSTEM {
        let path = format!("/{name}");
        match statat(CWD, &path, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink => {
                system.push((name, Err(readlinkat(CWD, &path, Vec::new())?)));
            }
            Ok(_) => system.push((name, Ok(detached(&path, true, &read_only)?))),
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    // The tree itself is a directory on which the new root can be mounted.
    mount("tmpfs", tree, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, Some(c"mode=0755,size=64k"))?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = openat(CWD, tree, flags, Mode::empty())?;
    for (name, what) in system {
        match what {
            Ok(mount) => put(&mount, root.as_fd(), name)?,
            Err(target) => symlinkat(target, &root, name)?,
        }
    }
    put(&volume, root.as_fd(), TREE)?;
    if let Some(relay) = relay {
        drop(openat(&root, RELAY, OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC, Mode::RUSR)?);
        attach(&relay, root.as_fd(), RELAY)?;
    }
    rustix::process::fchdir(&root)?;
    // Not pivot_root(2), which cannot be had where the host's root is its first memory file system.
    mount_move(".", "/")?;
    rustix::process::chroot(".")?;
    rustix::process::chdir("/")?;
    Ok(())
}

fn put(mount: &OwnedFd, root: BorrowedFd<'_>, name: &str) -> rustix::io::Result<()> {
    mkdirat(root, name, Mode::RWXU)?;
    attach(mount, root, name)
}

fn attach(mount: &OwnedFd, root: BorrowedFd<'_>, name: &str) -> rustix::io::Result<()> {
    move_mount(mount, "", root, name, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}

/// Carries bytes between rsync, on the standard streams, and the daemon, on a descriptor.
///
/// # Errors
/// There is no such descriptor; one of the streams broke.
pub fn relay(descriptor: i32) -> io::Result<()> {
    let stream = UnixStream::from(sys::inherited::take(descriptor)?);
    let sending = stream.try_clone()?;
    std::thread::spawn(move || {
        // What cannot be sent, rsync hears of by the end of what it gets.
        let _ = io::copy(&mut io::stdin().lock(), &mut &sending);
        let _ = sending.shutdown(Shutdown::Write);
    });
    // rsync waits for the end of this process, so it has to come when the other side has said all, as
    // that of ssh does.
    io::copy(&mut &stream, &mut unbuffered()?).map(drop)
}

/// Standard output without a buffer that waits for the end of a line.
fn unbuffered() -> io::Result<std::fs::File> {
    Ok(std::fs::File::from(rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)?))
}
