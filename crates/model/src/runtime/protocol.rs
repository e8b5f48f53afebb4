//! The conversation between the daemon and the keeper.
//!
//! The keeper listens on a `SOCK_SEQPACKET` unix socket, mode 0600, and accepts peers that run as
//! its own user (`SO_PEERCRED`). One packet is one JSON message, at most [`MAX_PACKET`] bytes, with
//! the descriptors that it names attached (`SCM_RIGHTS`). The first message of either side is
//! `Hello`. Every request gets exactly one reply with its `id`; events come in between.
//!
//! A start is two steps, so that the daemon can put network interfaces into a namespace that
//! exists: `Start` is answered by `Cloned` when the namespaces are there and init waits; `Proceed`
//! lets it go on and is answered by `Started` when init has been executed. A connection that is
//! lost between the two, or an `Abort`, kills what was cloned.

use super::spec::{ContainerSpec, ExecSpec, Rootfs};
use crate::IdMap;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Version of this protocol. Messages are only ever added.
pub const VERSION: u32 = 1;
/// Largest message, in bytes. Both sides size their socket buffers for it.
pub const MAX_PACKET: usize = 256 * 1024;

/// Daemon to keeper.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Request {
    /// Chosen by the daemon, repeated in the reply.
    pub id: u64,
    /// What is asked.
    pub body: RequestBody,
}

/// What the daemon can ask. Descriptors are listed in the order in which they are attached.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[allow(clippy::large_enum_variant)] // one at a time, on its way to a socket
pub enum RequestBody {
    /// First message. → [`ReplyBody::Hello`]
    Hello {
        /// [`VERSION`] of the daemon.
        version: u32,
    },
    /// Every container, running or ended and not yet forgotten. → [`ReplyBody::Containers`]
    List,
    /// Descriptors of a running container. → [`ReplyBody::Handles`]
    Handles {
        /// Which.
        name: String,
    },
    /// The network namespace of a container that ended while no daemon was there: it may hold
    /// interfaces of the host. → [`ReplyBody::Handles`] with that one descriptor, or none
    LastNetwork {
        /// Which.
        name: String,
    },
    /// First step of a start. Descriptors: the seccomp program, if the spec says so, then the mounts
    /// that are [`super::spec::MountSource::Given`], in order. → [`ReplyBody::Cloned`]
    Start {
        /// What to start.
        spec: ContainerSpec,
    },
    /// Second step of a start. → [`ReplyBody::Started`]
    Proceed {
        /// Which.
        name: String,
    },
    /// Give a start up between its two steps. → [`ReplyBody::Done`]
    Abort {
        /// Which.
        name: String,
    },
    /// Run a program. Descriptors: standard input, output and error (three times the slave of a
    /// terminal if the spec says so), then the seccomp program and the read end of the pipe that
    /// holds it, if the spec says so.
    /// → [`ReplyBody::Spawned`], later [`EventBody::ExecEnded`]
    Exec {
        /// In which container.
        name: String,
        /// What.
        spec: ExecSpec,
    },
    /// A file server for a running container. → [`ReplyBody::Files`]
    Files {
        /// Which.
        name: String,
    },
    /// A file server for the file system of a stopped container. → [`ReplyBody::Files`]
    FilesOf {
        /// Its root.
        rootfs: Rootfs,
        /// Its ids.
        idmap: Option<IdMap>,
    },
    /// Attach to the console. Output that is already there is not repeated.
    /// → [`ReplyBody::Console`]; refused while another client is attached.
    Console {
        /// Which.
        name: String,
    },
    /// Tell the console's terminal its size. → [`ReplyBody::Done`]
    ConsoleResize {
        /// Which.
        name: String,
        /// Columns.
        width: u16,
        /// Rows.
        height: u16,
    },
    /// What the console printed last. → [`ReplyBody::ConsoleLog`]
    ConsoleLog {
        /// Which.
        name: String,
        /// Empty it afterwards.
        clear: bool,
    },
    /// Put a mount into a running container. Descriptor: the mount, if its source is
    /// [`super::spec::MountSource::Given`]. → [`ReplyBody::Mounting`], a [`super::mounting::MountResult`]
    Mount {
        /// Which.
        name: String,
        /// What, and where.
        mount: super::spec::Mount,
    },
    /// Take a mount out of a running container, if it is still the one that is meant.
    /// → [`ReplyBody::Mounting`], a [`super::mounting::UnmountResult`]
    Unmount {
        /// Which.
        name: String,
        /// Where, relative to the root.
        target: String,
        /// What must be found there.
        identity: super::mounting::MountIdentity,
        /// Remove the mount point if it is an empty file or directory.
        remove: bool,
    },
    /// Forget a container that has ended; its control groups are removed. → [`ReplyBody::Done`]
    Forget {
        /// Which.
        name: String,
    },
    /// A container that another keeper started and that is not among this one's children.
    /// → [`ReplyBody::Done`]; its end is reported as [`Exit::Unknown`] where the kernel cannot tell.
    Adopt {
        /// Which.
        name: String,
        /// Its init.
        pid: i32,
        /// Field 22 of `/proc/<pid>/stat`, so that a recycled pid is not taken for it.
        start_time: u64,
        /// Path of its control groups.
        cgroup: String,
        /// Its ids.
        idmap: Option<IdMap>,
        /// The console's log.
        console: super::spec::ConsoleSpec,
    },
    /// Execute another keeper in place, keeping children and descriptors. → [`ReplyBody::Done`],
    /// then the connection closes and the daemon connects again.
    Upgrade {
        /// The program.
        program: PathBuf,
    },
}

/// Keeper to daemon.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Message {
    /// Answer to a request.
    Reply {
        /// The request's.
        id: u64,
        /// What came of it.
        result: Result<ReplyBody, Failure>,
    },
    /// Something happened.
    Event(EventBody),
}

/// Answers. Descriptors are listed in the order in which they are attached.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum ReplyBody {
    /// To `Hello`.
    Hello {
        /// [`VERSION`] of the keeper.
        version: u32,
        /// Which build it is; differs from the daemon's own after an upgrade.
        build: String,
        /// Its process id.
        pid: i32,
    },
    /// To `List`.
    Containers(Vec<Kept>),
    /// To `List` when they do not fit one packet. Descriptor: a memory file, a JSON list of [`Kept`].
    ContainersInFile,
    /// To `Handles`. Descriptors: pidfd of init, root directory of the container's devpts (its
    /// `ptmx` opened through it gives a terminal of the container), network namespace.
    Handles,
    /// To `Start`. Descriptors: pidfd of init, network namespace.
    Cloned {
        /// Init's process id on the host.
        pid: i32,
    },
    /// To `Proceed`. Descriptor: root directory of the container's devpts.
    Started {
        /// Init's process id on the host.
        pid: i32,
        /// Field 22 of `/proc/<pid>/stat`.
        start_time: u64,
    },
    /// To `Exec`. Descriptor: pidfd of the program.
    Spawned {
        /// Names the session in [`EventBody::ExecEnded`].
        session: u64,
        /// The program's process id on the host.
        pid: i32,
    },
    /// To `Files` and `FilesOf`. Descriptor: a `SOCK_SEQPACKET` socket, see [`FileRequest`].
    Files,
    /// To `Mount` and `Unmount`. Descriptor: a `SOCK_SEQPACKET` socket, see [`super::mounting`].
    Mounting,
    /// To `Console`. Descriptor: a stream socket, bytes both ways; closing it detaches.
    Console,
    /// To `ConsoleLog`. Descriptor: a memory file with what was printed.
    ConsoleLog,
    /// Nothing to tell.
    Done,
}

/// A container as the keeper knows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Kept {
    /// Its name.
    pub name: String,
    /// Init's process id on the host.
    pub pid: i32,
    /// Field 22 of `/proc/<pid>/stat`.
    pub start_time: u64,
    /// Path of its control groups.
    pub cgroup: String,
    /// `None` while it runs.
    pub exit: Option<Exit>,
    /// True between `Cloned` and `Started`.
    pub starting: bool,
}

/// How init ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// `reboot(2)` with `LINUX_REBOOT_CMD_RESTART` inside: start it again.
    Reboot,
    /// `reboot(2)` asking for power off or halt.
    PowerOff,
    /// Init returned.
    Code(i32),
    /// Init was killed by this signal.
    Signal(i32),
    /// It ended while nobody watched.
    Unknown,
}

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What was being done, as a phrase: `mount /proc`, `write uid_map`.
    pub step: String,
    /// Why, without the step.
    pub reason: String,
    /// The system's error number, if it was a system call.
    pub errno: Option<i32>,
}

/// Things that happen by themselves.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum EventBody {
    /// Init ended; every process of the container is gone.
    Exited {
        /// Which.
        name: String,
        /// How.
        exit: Exit,
    },
    /// A program started by `Exec` ended: its exit code, or 128 and the signal's number.
    ExecEnded {
        /// From [`ReplyBody::Spawned`].
        session: u64,
        /// As a shell would give it.
        status: i32,
    },
}

/// To a file server: one packet, answered by one [`FileReply`]. The server runs inside the
/// container's namespaces with the container's root's rights, so paths and ids mean what they mean
/// inside. It ends when its socket closes or after a minute of silence.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum FileRequest {
    /// Look at a path; the last component is not followed. For a regular file the reply has a
    /// readable descriptor attached.
    Get {
        /// Absolute.
        path: String,
    },
    /// Open a regular file for writing, following links; the reply has the descriptor.
    Put {
        /// Absolute.
        path: String,
        /// Add to the end instead of replacing the content.
        append: bool,
        /// Owner; absent: 0 for a new file, unchanged for an old one.
        uid: Option<u32>,
        /// Group, likewise.
        gid: Option<u32>,
        /// Permission bits; absent: 0640 for a new file, unchanged for an old one.
        mode: Option<u32>,
    },
    /// Make a directory; one that is there gets owner and mode.
    MakeDir {
        /// Absolute.
        path: String,
        /// Owner; absent: 0.
        uid: Option<u32>,
        /// Group; absent: 0.
        gid: Option<u32>,
        /// Permission bits; absent: 0750 for a new one.
        mode: Option<u32>,
    },
    /// Make a symbolic link; something that is there stays and only its owner changes.
    Symlink {
        /// Absolute.
        path: String,
        /// What it points at.
        target: String,
        /// Owner; absent: 0.
        uid: Option<u32>,
        /// Group; absent: 0.
        gid: Option<u32>,
    },
    /// Remove a file, a link or an empty directory.
    Remove {
        /// Absolute.
        path: String,
    },
}

/// From a file server.
pub type FileResult = Result<FileReply, Failure>;

/// What a path is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileReply {
    /// Its kind, and what belongs to it.
    pub kind: FileKind,
    /// Owner inside.
    pub uid: u32,
    /// Group inside.
    pub gid: u32,
    /// Permission bits.
    pub mode: u32,
    /// Size in bytes of a regular file.
    pub size: u64,
    /// To `Put`: the file was not there before.
    #[serde(default)]
    pub is_new: bool,
}

/// Kinds of files that can be read and written from outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileKind {
    /// A regular file; its descriptor is attached (not for `Remove`).
    File,
    /// A directory and the names in it, sorted. A listing that does not fit one packet comes as a
    /// memory file, JSON, attached instead.
    Directory(Option<Vec<String>>),
    /// A symbolic link and its target.
    Symlink(String),
}
