//! One method for each request, with the descriptors in their places.

use super::connection::{Answer, one_packet};
use super::{Error, FileServer, Keeper};
use model::IdMap;
use model::runtime::mounting::{MountIdentity, Mounted, Unmounted};
use model::runtime::protocol::{Failure, Kept, ReplyBody, RequestBody};
use model::runtime::spec::{ConsoleSpec, ContainerSpec, ExecSpec, Mount, Rootfs};
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;
use tokio::net::UnixStream;

/// For what the keeper answers from memory.
const SHORT: Duration = Duration::from_secs(15);
/// For what makes or enters namespaces on a busy machine.
const LONG: Duration = Duration::from_secs(60);

/// Descriptors of a running container.
#[derive(Debug)]
pub struct Handles {
    /// Init.
    pub pidfd: OwnedFd,
    /// Root directory of the container's devpts.
    pub devpts: OwnedFd,
    /// Its network namespace.
    pub netns: OwnedFd,
}

/// A container whose namespaces are there and whose init waits.
#[derive(Debug)]
pub struct Cloned {
    /// Init's process id on the host.
    pub pid: i32,
    /// Init.
    pub pidfd: OwnedFd,
    /// Its network namespace.
    pub netns: OwnedFd,
}

/// A container whose init has been executed.
#[derive(Debug)]
pub struct Started {
    /// Init's process id on the host.
    pub pid: i32,
    /// Field 22 of `/proc/<pid>/stat`.
    pub start_time: u64,
    /// Root directory of the container's devpts.
    pub devpts: OwnedFd,
}

/// The child's ends of the three streams of a program.
#[derive(Debug)]
pub struct Streams {
    /// Standard input.
    pub input: OwnedFd,
    /// Standard output.
    pub output: OwnedFd,
    /// Standard error.
    pub error: OwnedFd,
}

/// A program that was started in a container.
#[derive(Debug)]
pub struct Spawned {
    /// Names it in `ExecEnded`. That event may arrive before this answer is looked at.
    pub session: u64,
    /// Its process id on the host.
    pub pid: i32,
    /// For signals.
    pub pidfd: OwnedFd,
}

/// Reading a memory file does not wait for anything.
fn read_memory_file(fd: OwnedFd) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::from(fd).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The descriptors of an answer, one after the other.
struct Descriptors {
    request: &'static str,
    rest: std::vec::IntoIter<OwnedFd>,
}

impl Descriptors {
    fn next(&mut self) -> Result<OwnedFd, Error> {
        self.rest.next().ok_or(Error::Answer { request: self.request })
    }
}

impl Keeper {
    async fn exchange(
        &self,
        request: &'static str,
        body: RequestBody,
        descriptors: Vec<OwnedFd>,
        deadline: Duration,
    ) -> Result<(ReplyBody, Descriptors), Error> {
        let (body, fds): Answer = self.ask(request, body, descriptors, deadline).await?;
        Ok((body, Descriptors { request, rest: fds.into_iter() }))
    }

    async fn done(&self, request: &'static str, body: RequestBody) -> Result<(), Error> {
        match self.exchange(request, body, Vec::new(), LONG).await? {
            (ReplyBody::Done, _) => Ok(()),
            _ => Err(Error::Answer { request }),
        }
    }

    /// Every container, running or ended and not yet forgotten.
    ///
    /// # Errors
    /// See [`Error`]; so for every method here.
    pub async fn list(&self) -> Result<Vec<Kept>, Error> {
        match self.exchange("list", RequestBody::List, Vec::new(), SHORT).await? {
            (ReplyBody::Containers(kept), _) => Ok(kept),
            (ReplyBody::ContainersInFile, mut fds) => {
                let json = read_memory_file(fds.next()?)?;
                serde_json::from_slice(&json).map_err(|_| Error::Answer { request: "list" })
            }
            _ => Err(Error::Answer { request: "list" }),
        }
    }

    /// Descriptors of a running container.
    ///
    /// # Errors
    /// [`Error::Refused`] when it does not run.
    pub async fn handles(&self, name: &str) -> Result<Handles, Error> {
        let body = RequestBody::Handles { name: name.to_owned() };
        match self.exchange("handles", body, Vec::new(), SHORT).await? {
            (ReplyBody::Handles, mut fds) => {
                Ok(Handles { pidfd: fds.next()?, devpts: fds.next()?, netns: fds.next()? })
            }
            _ => Err(Error::Answer { request: "handles" }),
        }
    }

    /// The network namespace of a container that ended while no daemon was there.
    ///
    /// # Errors
    /// [`Error::Refused`] by a keeper that cannot tell.
    pub async fn last_network(&self, name: &str) -> Result<Option<OwnedFd>, Error> {
        let body = RequestBody::LastNetwork { name: name.to_owned() };
        match self.exchange("last network", body, Vec::new(), SHORT).await? {
            (ReplyBody::Handles, mut fds) => Ok(fds.next().ok()),
            _ => Err(Error::Answer { request: "last network" }),
        }
    }

    /// First step of a start; `seccomp` must be there exactly if the specification says so, `mounts`
    /// are those that it takes as given.
    ///
    /// # Errors
    /// [`Error::Refused`] with the step that failed; nothing is left then.
    pub async fn start(
        &self,
        spec: ContainerSpec,
        seccomp: Option<OwnedFd>,
        mounts: Vec<OwnedFd>,
    ) -> Result<Cloned, Error> {
        let fds = seccomp.into_iter().chain(mounts).collect();
        match self.exchange("start", RequestBody::Start { spec }, fds, LONG).await? {
            (ReplyBody::Cloned { pid }, mut fds) => {
                Ok(Cloned { pid, pidfd: fds.next()?, netns: fds.next()? })
            }
            _ => Err(Error::Answer { request: "start" }),
        }
    }

    /// Second step of a start.
    ///
    /// # Errors
    /// [`Error::Refused`] with the step that failed; what was cloned is gone then.
    pub async fn proceed(&self, name: &str) -> Result<Started, Error> {
        let body = RequestBody::Proceed { name: name.to_owned() };
        match self.exchange("proceed", body, Vec::new(), LONG).await? {
            (ReplyBody::Started { pid, start_time }, mut fds) => {
                Ok(Started { pid, start_time, devpts: fds.next()? })
            }
            _ => Err(Error::Answer { request: "proceed" }),
        }
    }

    /// Gives a start up between its two steps.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is none.
    pub async fn abort(&self, name: &str) -> Result<(), Error> {
        self.done("abort", RequestBody::Abort { name: name.to_owned() }).await
    }

    /// Runs a program in a container.
    ///
    /// # Errors
    /// [`Error::Refused`] when the container does not run or the program cannot be started; the
    /// error number is that of `execve(2)` then.
    pub async fn exec(
        &self,
        name: &str,
        spec: ExecSpec,
        streams: Streams,
        seccomp: Option<OwnedFd>,
        gate: Option<OwnedFd>,
    ) -> Result<Spawned, Error> {
        let mut fds = vec![streams.input, streams.output, streams.error];
        fds.extend(seccomp);
        fds.extend(gate);
        let body = RequestBody::Exec { name: name.to_owned(), spec };
        match self.exchange("exec", body, fds, LONG).await? {
            (ReplyBody::Spawned { session, pid }, mut fds) => {
                Ok(Spawned { session, pid, pidfd: fds.next()? })
            }
            _ => Err(Error::Answer { request: "exec" }),
        }
    }

    /// A file server inside a running container.
    ///
    /// # Errors
    /// [`Error::Refused`] when it does not run or cannot be entered.
    pub async fn files(&self, name: &str) -> Result<FileServer, Error> {
        self.file_server("files", RequestBody::Files { name: name.to_owned() }).await
    }

    /// A file server for the file system of a stopped container.
    ///
    /// # Errors
    /// [`Error::Refused`] when its root cannot be mounted.
    pub async fn files_of(&self, rootfs: Rootfs, idmap: Option<IdMap>) -> Result<FileServer, Error> {
        self.file_server("files of a stopped container", RequestBody::FilesOf { rootfs, idmap }).await
    }

    async fn file_server(&self, request: &'static str, body: RequestBody) -> Result<FileServer, Error> {
        match self.exchange(request, body, Vec::new(), LONG).await? {
            (ReplyBody::Files, mut fds) => Ok(FileServer::new(fds.next()?)?),
            _ => Err(Error::Answer { request }),
        }
    }

    /// Puts a mount into a running container.
    ///
    /// # Errors
    /// [`Error::Refused`] with the step that failed; nothing is mounted then. [`Error::Deadline`]
    /// when a file system holds whoever does it; it may come to pass later.
    pub async fn mount(&self, name: &str, mount: Mount, given: Option<OwnedFd>) -> Result<Mounted, Error> {
        let body = RequestBody::Mount { name: name.to_owned(), mount };
        self.mounting("mount", body, given.into_iter().collect()).await
    }

    /// Takes a mount out of a running container, if what is there is what is meant.
    ///
    /// # Errors
    /// As for [`Keeper::mount`].
    pub async fn unmount(
        &self,
        name: &str,
        target: &str,
        identity: MountIdentity,
        remove: bool,
    ) -> Result<Unmounted, Error> {
        let (name, target) = (name.to_owned(), target.to_owned());
        self.mounting("unmount", RequestBody::Unmount { name, target, identity, remove }, Vec::new()).await
    }

    async fn mounting<T: serde::de::DeserializeOwned>(
        &self,
        request: &'static str,
        body: RequestBody,
        fds: Vec<OwnedFd>,
    ) -> Result<T, Error> {
        let (ReplyBody::Mounting, mut fds) = self.exchange(request, body, fds, SHORT).await? else {
            return Err(Error::Answer { request });
        };
        let waited = tokio::time::timeout(LONG, one_packet(fds.next()?)).await;
        let packet = waited.map_err(|_| Error::Deadline { request, after: LONG })??;
        if packet.is_empty() {
            return Err(Error::Lost { request });
        }
        let result: Result<T, Failure> =
            serde_json::from_slice(&packet).map_err(|_| Error::Answer { request })?;
        result.map_err(Error::Refused)
    }

    /// Attaches to the console: bytes both ways, dropping the stream detaches.
    ///
    /// # Errors
    /// [`Error::Refused`] while another client is attached.
    pub async fn console(&self, name: &str) -> Result<UnixStream, Error> {
        let body = RequestBody::Console { name: name.to_owned() };
        match self.exchange("console", body, Vec::new(), SHORT).await? {
            (ReplyBody::Console, mut fds) => {
                let stream = std::os::unix::net::UnixStream::from(fds.next()?);
                stream.set_nonblocking(true)?;
                Ok(UnixStream::from_std(stream)?)
            }
            _ => Err(Error::Answer { request: "console" }),
        }
    }

    /// Tells the console's terminal its size.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is no console.
    pub async fn console_resize(&self, name: &str, width: u16, height: u16) -> Result<(), Error> {
        let body = RequestBody::ConsoleResize { name: name.to_owned(), width, height };
        self.done("console resize", body).await
    }

    /// What the console printed last; `clear` empties it.
    ///
    /// # Errors
    /// [`Error::Refused`] for an unknown container.
    pub async fn console_log(&self, name: &str, clear: bool) -> Result<Vec<u8>, Error> {
        let body = RequestBody::ConsoleLog { name: name.to_owned(), clear };
        match self.exchange("console log", body, Vec::new(), SHORT).await? {
            (ReplyBody::ConsoleLog, mut fds) => Ok(read_memory_file(fds.next()?)?),
            _ => Err(Error::Answer { request: "console log" }),
        }
    }

    /// Forgets a container that has ended.
    ///
    /// # Errors
    /// [`Error::Refused`] when it runs.
    pub async fn forget(&self, name: &str) -> Result<(), Error> {
        self.done("forget", RequestBody::Forget { name: name.to_owned() }).await
    }

    /// Takes in a running container that the keeper does not know.
    ///
    /// # Errors
    /// [`Error::Refused`] when the process is not the one that is meant.
    pub async fn adopt(&self, orphan: Orphan) -> Result<(), Error> {
        let Orphan { name, pid, start_time, cgroup, idmap, console } = orphan;
        self.done("adopt", RequestBody::Adopt { name, pid, start_time, cgroup, idmap, console }).await
    }

    /// Has the keeper execute another program in place. The connection is lost and made again.
    ///
    /// # Errors
    /// [`Error::Refused`] when the program cannot be used; the keeper goes on as it is.
    pub async fn upgrade(&self, program: &Path) -> Result<(), Error> {
        let body = RequestBody::Upgrade { program: program.to_path_buf() };
        match self.done("upgrade", body).await {
            // It went away because it did what it was asked to.
            Err(Error::Lost { .. }) => Ok(()),
            result => result,
        }
    }
}

/// A running container that the keeper does not know.
#[derive(Clone, Debug)]
pub struct Orphan {
    /// Its name.
    pub name: String,
    /// Its init.
    pub pid: i32,
    /// Field 22 of `/proc/<pid>/stat`.
    pub start_time: u64,
    /// Path of its control groups.
    pub cgroup: String,
    /// Its ids.
    pub idmap: Option<IdMap>,
    /// The console's log.
    pub console: ConsoleSpec,
}
