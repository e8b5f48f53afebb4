//! Runs one program to its end.
//!
//! The program gets its own process group, which is killed as a whole when the deadline passes or
//! the future is dropped; an environment of `PATH` and `LC_ALL=C` only; and no descriptors but its
//! three standard ones (everything else we open is close-on-exec).

use crate::inventory;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};

/// How long a program may run when nothing else is said.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(60);
/// How much output is kept when nothing else is said, in bytes.
pub const DEFAULT_OUTPUT: usize = 4 << 20;
/// How much of the end of stderr an error carries, in bytes.
const STDERR_TAIL: usize = 4096;
/// How long output is waited for after the program itself has ended: something it left behind may
/// hold the pipe for ever.
const LINGER: Duration = Duration::from_secs(1);

/// Why a program could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The host lacks the program.
    #[error("{program} is not installed{}", hint(.package))]
    NotFound {
        /// Its name.
        program: String,
        /// The Debian package that brings it.
        package: Option<&'static str>,
    },
    /// It could not be started.
    #[error("Cannot start {}", .program.display())]
    Spawn {
        /// Its path.
        program: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// It ended with an error.
    #[error("{program} failed ({status}){}", tail(.stderr))]
    Failed {
        /// Its name.
        program: String,
        /// Its arguments.
        args: Vec<OsString>,
        /// How it ended.
        status: ExitStatus,
        /// The end of what it wrote to stderr.
        stderr: String,
    },
    /// It did not end in time and was killed.
    #[error("{program} did not finish within {} s{}", .deadline.as_secs_f32(), tail(.stderr))]
    TimedOut {
        /// Its name.
        program: String,
        /// Its arguments.
        args: Vec<OsString>,
        /// How long it had.
        deadline: Duration,
        /// The end of what it wrote to stderr.
        stderr: String,
    },
    /// It wrote more than the caller accepts and was killed.
    #[error("{program} wrote more than {limit} bytes")]
    TooMuchOutput {
        /// Its name.
        program: String,
        /// The bound, in bytes.
        limit: usize,
    },
    /// Talking to it failed.
    #[error("Lost contact with {program}")]
    Io {
        /// Its name.
        program: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// What it wrote is not what it should be.
    #[error("Unexpected output of {program}: {detail}")]
    BadOutput {
        /// Its name.
        program: String,
        /// What was wrong.
        detail: String,
    },
}

fn hint(package: &Option<&'static str>) -> String {
    package.map_or_else(String::new, |p| format!(": install the package {p}"))
}

fn tail(stderr: &str) -> String {
    let text = stderr.trim();
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

/// What a program that ended well has written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// Its stdout, empty when that went to a file.
    pub stdout: Vec<u8>,
    /// The end of its stderr.
    pub stderr: String,
}

enum Input {
    Nothing,
    Bytes(Vec<u8>),
    File(File),
}

/// A program to run, its arguments, and the bounds it runs in.
pub struct Run {
    program: String,
    args: Vec<OsString>,
    input: Input,
    deadline: Duration,
    limit: usize,
    directory: Option<PathBuf>,
    wrapper: Option<Vec<OsString>>,
}

impl Run {
    /// A run of `program` (a name, never a path) without arguments, with nothing on stdin.
    #[must_use]
    pub fn new(program: impl Into<String>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            input: Input::Nothing,
            deadline: DEFAULT_DEADLINE,
            limit: DEFAULT_OUTPUT,
            directory: None,
            wrapper: None,
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(|a| a.as_ref().to_owned()));
        self
    }

    /// What the program reads from stdin.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = Input::Bytes(bytes.into());
        self
    }

    /// The open file that becomes its stdin.
    #[must_use]
    pub fn stdin_file(mut self, file: File) -> Self {
        self.input = Input::File(file);
        self
    }

    /// How long it may run.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// How many bytes of stdout are accepted.
    #[must_use]
    pub fn max_output(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// Its working directory; `/` otherwise.
    #[must_use]
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Runs this program of ours with these arguments, followed by the path of the program and its own
    /// arguments: it prepares something and executes the program then.
    #[must_use]
    pub fn wrapped<S: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.wrapper = Some(arguments.into_iter().map(|a| a.as_ref().to_owned()).collect());
        self
    }

    /// Runs it and keeps its stdout.
    ///
    /// # Errors
    /// See [`RunError`]; a status other than 0 is [`RunError::Failed`].
    pub async fn output(self) -> Result<Output, RunError> {
        let limit = self.limit;
        let mut stdout = Vec::new();
        let stderr = self.drive(Stdio::piped(), |pipe| collect(pipe, limit, &mut stdout)).await?;
        Ok(Output { stdout, stderr })
    }

    /// Runs it with its stdout going straight to `file`, as compressors do.
    ///
    /// # Errors
    /// As [`Run::output`].
    pub async fn output_to(self, file: File) -> Result<(), RunError> {
        self.drive(Stdio::from(file), |_| async { Ok(true) }).await.map(drop)
    }

    /// Runs it and hands each line of stdout (without its newline, invalid UTF-8 replaced) to
    /// `each`; `false` from that stops the program. Returns whether it ran to its end.
    ///
    /// # Errors
    /// As [`Run::output`]; the bound on output holds for a single line only.
    pub async fn lines(self, each: impl FnMut(&str) -> bool + Send) -> Result<bool, RunError> {
        let limit = self.limit;
        let mut stopped = false;
        let result = self.drive(Stdio::piped(), |pipe| each_line(pipe, limit, each, &mut stopped)).await;
        if stopped { Ok(false) } else { result.map(|_stderr| true) }
    }

    async fn drive<F, R>(self, stdout: Stdio, read: F) -> Result<String, RunError>
    where
        F: FnOnce(Option<tokio::process::ChildStdout>) -> R,
        R: Future<Output = io::Result<bool>>,
    {
        let path = inventory::find(&self.program).ok_or_else(|| RunError::NotFound {
            package: inventory::package_of(&self.program),
            program: self.program.clone(),
        })?;
        let Self { program, args, input, deadline, limit, directory, wrapper } = self;
        let mut command = match wrapper {
            None => Command::new(&path),
            Some(arguments) => {
                // Also when the file that it was started from has been replaced.
                let mut command = Command::new("/proc/self/exe");
                command.args(arguments).arg("--").arg(&path);
                command
            }
        };
        command
            .args(&args)
            .env_clear()
            .env("PATH", inventory::DIRECTORIES.join(":"))
            .env("LC_ALL", "C")
            .current_dir(directory.unwrap_or_else(|| PathBuf::from("/")))
            .process_group(0)
            .stdout(stdout)
            .stderr(Stdio::piped());
        let bytes = match input {
            Input::Nothing => {
                command.stdin(Stdio::null());
                None
            }
            Input::File(file) => {
                command.stdin(file);
                None
            }
            Input::Bytes(bytes) => {
                command.stdin(Stdio::piped());
                Some(bytes)
            }
        };
        crate::crash::step();
        let child = command.spawn().map_err(|source| RunError::Spawn { program: path, source })?;
        // The command holds our copy of a stdout file; closing it lets readers see the end.
        drop(command);
        let mut group = Group { child: Some(child) };
        let mut stderr = Vec::new();
        let work = converse(&mut group, bytes, read, &mut stderr);
        let result = tokio::time::timeout(deadline, work).await;
        let stderr = String::from_utf8_lossy(&stderr).into_owned();
        crate::crash::step();
        tracing::debug!(program, ?args, ok = matches!(&result, Ok(Ok(_))), "program ran");
        match result {
            Err(_elapsed) => {
                group.kill_and_reap().await;
                Err(RunError::TimedOut { program, args, deadline, stderr })
            }
            Ok(Err(source)) => {
                group.kill_and_reap().await;
                Err(RunError::Io { program, source })
            }
            Ok(Ok(Conversation::TooMuch)) => {
                group.kill_and_reap().await;
                Err(RunError::TooMuchOutput { program, limit })
            }
            Ok(Ok(Conversation::Ended(status))) if status.success() => Ok(stderr),
            Ok(Ok(Conversation::Ended(status))) => Err(RunError::Failed { program, args, status, stderr }),
        }
    }
}

enum Conversation {
    Ended(ExitStatus),
    /// The reader wants no more.
    TooMuch,
}

/// Feeds stdin, reads both outputs and waits, all at once so that no pipe can fill and block.
async fn converse<F, R>(
    group: &mut Group,
    input: Option<Vec<u8>>,
    read: F,
    stderr: &mut Vec<u8>,
) -> io::Result<Conversation>
where
    F: FnOnce(Option<tokio::process::ChildStdout>) -> R,
    R: Future<Output = io::Result<bool>>,
{
    let Some(child) = group.child.as_mut() else {
        return Err(io::Error::from(io::ErrorKind::NotFound));
    };
    let stdin = child.stdin.take();
    let out = child.stdout.take();
    let err = child.stderr.take();
    let feed = async move {
        if let (Some(mut pipe), Some(bytes)) = (stdin, input) {
            // A program may end without reading everything; its status tells whether that is bad.
            match pipe.write_all(&bytes).await {
                Err(e) if e.kind() != io::ErrorKind::BrokenPipe => return Err(e),
                _ => {}
            }
        }
        Ok(())
    };
    let outputs = async {
        let (out, err) = tokio::join!(read(out), keep_tail(err, stderr));
        err?;
        out
    };
    tokio::pin!(outputs);
    let both = async { tokio::try_join!(feed, child.wait()) };
    tokio::pin!(both);
    let mut read_all = false;
    let ((), status) = loop {
        tokio::select! {
            done = &mut both => break done?,
            more = &mut outputs, if !read_all => match more? {
                true => read_all = true,
                false => return Ok(Conversation::TooMuch),
            },
        }
    };
    if !read_all
        && let Ok(more) = tokio::time::timeout(LINGER, outputs).await
        && !more?
    {
        return Ok(Conversation::TooMuch);
    }
    Ok(Conversation::Ended(status))
}

/// Puts all of a stream into `kept`; false when it is longer than `limit`.
async fn collect(
    stream: Option<impl AsyncRead + Unpin>,
    limit: usize,
    kept: &mut Vec<u8>,
) -> io::Result<bool> {
    if let Some(stream) = stream {
        let bound = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        stream.take(bound).read_to_end(kept).await?;
    }
    Ok(kept.len() <= limit)
}

/// Calls `each` per line; false when a line is too long or `each` asked to stop, which is noted.
async fn each_line(
    stream: Option<impl AsyncRead + Unpin>,
    limit: usize,
    mut each: impl FnMut(&str) -> bool,
    stopped: &mut bool,
) -> io::Result<bool> {
    let Some(mut stream) = stream else { return Ok(true) };
    let mut line: Vec<u8> = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let n = stream.read(&mut buffer).await?;
        if n == 0 {
            break;
        }
        for piece in buffer[..n].split_inclusive(|&b| b == b'\n') {
            line.extend_from_slice(piece);
            if line.len() > limit {
                return Ok(false);
            }
            if line.last() == Some(&b'\n') {
                line.pop();
                *stopped = !each(&String::from_utf8_lossy(&line));
                if *stopped {
                    return Ok(false);
                }
                line.clear();
            }
        }
    }
    *stopped = !line.is_empty() && !each(&String::from_utf8_lossy(&line));
    Ok(!*stopped)
}

/// Reads to the end and leaves the last bytes in `kept`, also when it is cancelled on the way.
async fn keep_tail(stream: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) -> io::Result<()> {
    let Some(mut stream) = stream else { return Ok(()) };
    let mut buffer = [0; 4096];
    loop {
        let n = stream.read(&mut buffer).await?;
        if n == 0 {
            return Ok(());
        }
        kept.extend_from_slice(&buffer[..n]);
        if kept.len() > STDERR_TAIL {
            kept.drain(..kept.len() - STDERR_TAIL);
        }
    }
}

/// A child that leads its own process group; nobody of the group outlives an unfinished run.
struct Group {
    child: Option<Child>,
}

impl Group {
    fn kill(&self) {
        // `id()` is `None` once the child was reaped: the number may then be somebody else's.
        let pid = self.child.as_ref().and_then(Child::id).and_then(|id| i32::try_from(id).ok());
        if let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) {
            // Fails only when the group is gone already.
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
        }
    }

    async fn kill_and_reap(mut self) {
        self.kill();
        if let Some(mut child) = self.child.take()
            && let Err(error) = child.wait().await
        {
            tracing::warn!(%error, "cannot wait for a killed program");
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Still running: the future was dropped. Tokio reaps what is left.
        self.kill();
    }
}

#[cfg(test)]
mod tests;
