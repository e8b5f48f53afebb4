//! Finding the keeper, running it where there is none, upgrading it where it is another build.

use super::Error;
use super::connection::Connection;
use model::runtime::build::build_of;
use model::runtime::protocol::{EventBody, ReplyBody, RequestBody, VERSION};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The keeper's socket in the daemon's directory.
const SOCKET: &str = "keeper.socket";
/// How long a keeper may take to listen, to greet, and to execute another build.
const READY: Duration = Duration::from_secs(15);
/// Pause between two looks at a socket that is not there yet.
const PAUSE: Duration = Duration::from_millis(10);
/// How much of a keeper's complaint is kept, in bytes.
const COMPLAINT: usize = 4096;

/// A connection on which both sides have said who they are.
pub(super) struct Greeting {
    pub(super) connection: Arc<Connection>,
    /// The keeper's process id.
    pub(super) pid: i32,
    build: String,
    /// What happened before anybody listened for it.
    pub(super) early: Vec<EventBody>,
}

/// Connects, spawning and upgrading as needed.
pub(super) async fn establish(var: &Path, program: &Path) -> Result<Greeting, Error> {
    let mut greeting = connect_or_run(var, program).await?;
    let wanted = build_on_disk(program).await?;
    if greeting.build == wanted {
        return Ok(greeting);
    }
    tracing::info!(from = greeting.build, to = wanted, "the keeper is another build, upgrading it");
    let body = RequestBody::Upgrade { program: program.to_path_buf() };
    match ask_reading(&greeting.connection, "upgrade", body, &mut greeting.early).await {
        // The keeper goes on with its old program; so do we.
        Err(error @ Error::Refused(_)) => {
            tracing::error!(error = &error as &dyn std::error::Error, "cannot upgrade the keeper");
            return Ok(greeting);
        }
        Err(Error::Lost { .. }) | Ok(_) => {}
        Err(error) => return Err(error),
    }
    let mut early = greeting.early;
    drop(greeting.connection);
    let mut greeting = connect_or_run(var, program).await?;
    early.append(&mut greeting.early);
    greeting.early = early;
    if greeting.build != wanted {
        tracing::warn!(build = greeting.build, wanted, "the keeper is still another build");
    }
    Ok(greeting)
}

async fn connect_or_run(var: &Path, program: &Path) -> Result<Greeting, Error> {
    let deadline = Instant::now() + READY;
    loop {
        let socket = match dial(var, SOCKET) {
            Ok(socket) => socket,
            Err(Errno::NOENT | Errno::CONNREFUSED) => {
                run(var, program, None).await?;
                dial_until(var, deadline).await?
            }
            Err(_) => dial_until(var, deadline).await?,
        };
        match greet(socket).await {
            // It was just leaving, having nothing to keep.
            Err(Error::Lost { .. }) if Instant::now() < deadline => tokio::time::sleep(PAUSE).await,
            result => return result,
        }
    }
}

async fn greet(socket: OwnedFd) -> Result<Greeting, Error> {
    let connection = Arc::new(Connection::new(socket)?);
    let mut early = Vec::new();
    let hello = RequestBody::Hello { version: VERSION };
    match ask_reading(&connection, "hello", hello, &mut early).await? {
        ReplyBody::Hello { build, pid, .. } => Ok(Greeting { connection, pid, build, early }),
        _ => Err(Error::Answer { request: "hello" }),
    }
}

/// Asks on a connection that no task reads yet.
async fn ask_reading(
    connection: &Connection,
    request: &'static str,
    body: RequestBody,
    early: &mut Vec<EventBody>,
) -> Result<ReplyBody, Error> {
    tokio::select! {
        biased;
        answer = connection.ask(request, body, Vec::new(), READY) => Ok(answer?.0),
        _ = connection.read(|event| early.push(event)) => Err(Error::Lost { request }),
    }
}

pub(crate) fn dial(var: &Path, name: &str) -> Result<OwnedFd, Errno> {
    use rustix::fs::{Mode, OFlags, open};
    let directory = open(var, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let address = sys::unix_socket::address(var, directory.as_fd(), name)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    // A packet must fit the buffer; the kernel doubles this for its own needs.
    rustix::net::sockopt::set_socket_send_buffer_size(&socket, model::runtime::protocol::MAX_PACKET)?;
    connect(&socket, &address)?;
    Ok(socket)
}

async fn dial_until(var: &Path, deadline: Instant) -> Result<OwnedFd, Error> {
    loop {
        match dial(var, SOCKET) {
            Ok(socket) => return Ok(socket),
            Err(_) if Instant::now() < deadline => tokio::time::sleep(PAUSE).await,
            Err(error) => {
                let socket = var.join(SOCKET);
                return Err(Error::Connect { socket, source: io::Error::from(error) });
            }
        }
    }
}

/// Runs the program and waits until what it leaves in the background listens.
pub(crate) async fn run(var: &Path, program: &Path, mode: Option<&str>) -> Result<(), Error> {
    use tokio::io::AsyncReadExt;
    let failed = |source| Error::Run { program: program.to_path_buf(), source };
    let mut child = tokio::process::Command::new(program)
        .args(mode)
        .arg(var)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    let stderr = child.stderr.take();
    let finished = async {
        let mut output = Vec::new();
        if let Some(stderr) = stderr {
            stderr.take(COMPLAINT as u64).read_to_end(&mut output).await?;
        }
        Ok((child.wait().await?, output))
    };
    let not_started = |output: String| Error::NotStarted { program: program.to_path_buf(), output };
    match tokio::time::timeout(READY, finished).await {
        Err(_) => Err(not_started(format!("not ready within {} s", READY.as_secs()))),
        Ok(Err(source)) => Err(failed(source)),
        Ok(Ok((status, _))) if status.success() => Ok(()),
        Ok(Ok((status, output))) => {
            let output = String::from_utf8_lossy(&output).trim().to_owned();
            Err(not_started(if output.is_empty() { status.to_string() } else { output }))
        }
    }
}

async fn build_on_disk(program: &Path) -> Result<String, Error> {
    let failed = |source| Error::Run { program: program.to_path_buf(), source };
    let path = program.to_path_buf();
    let read = tokio::task::spawn_blocking(move || std::fs::read(path).map(|bytes| build_of(&bytes)));
    read.await.map_err(|error| failed(io::Error::other(error)))?.map_err(failed)
}
