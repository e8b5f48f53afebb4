//! Running programs with a deadline.

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags, Signal};
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::Receiver;
use std::thread::JoinHandle;
use std::time::Duration;

/// What a program left behind.
#[derive(Clone)]
pub struct Finished {
    /// The command line, for messages.
    pub command: String,
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error.
    pub stderr: Vec<u8>,
}

impl Finished {
    /// Exit code, or 128 and the number of the signal that ended it.
    #[must_use]
    pub fn code(&self) -> i32 {
        self.status.code().or(self.status.signal().map(|n| 128 + n)).unwrap_or(-1)
    }

    /// Standard output as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard error as text.
    #[must_use]
    pub fn errors(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// The same, when it ended with success.
    ///
    /// # Panics
    /// When it did not, with everything that it printed.
    #[must_use]
    #[track_caller]
    pub fn expect_success(self) -> Self {
        assert!(self.status.success(), "{self:?}");
        self
    }

    /// The same, when it ended with this exit code.
    ///
    /// # Panics
    /// When it did not, with everything that it printed.
    #[must_use]
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code(), code, "{self:?}");
        self
    }
}

impl std::fmt::Debug for Finished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let end = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes);
            let skipped = text.chars().count().saturating_sub(4000);
            text.chars().skip(skipped).collect::<String>()
        };
        let (stdout, stderr) = (end(&self.stdout), end(&self.stderr));
        write!(f, "`{}`: {}\nstdout: {stdout}\nstderr: {stderr}", self.command, self.status)
    }
}

/// A program that was started and whose output is being collected.
pub struct Running {
    command: String,
    child: Child,
    input: Option<JoinHandle<()>>,
    stdout: Option<Receiver<Vec<u8>>>,
    stderr: Option<Receiver<Vec<u8>>>,
}

/// Start a program; standard input is what the command says, output is collected.
///
/// # Panics
/// When it cannot be started.
#[track_caller]
pub fn spawn(command: &mut Command) -> Running {
    let words: Vec<_> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let name = words.join(" ");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|e| panic!("cannot start `{name}`: {e}"));
    let stdout = child.stdout.take().map(collect);
    let stderr = child.stderr.take().map(collect);
    Running { command: name, child, input: None, stdout, stderr }
}

fn collect<R: Read + Send + 'static>(mut from: R) -> Receiver<Vec<u8>> {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // A read error ends the output like its end does; the exit status tells the rest.
        let _ = from.read_to_end(&mut bytes);
        let _ = tell.send(bytes);
    });
    told
}

impl Running {
    /// Its process id on the host.
    #[must_use]
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Send it a signal.
    ///
    /// # Panics
    /// When it has ended and been waited for.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        rustix::process::kill_process(self.pid(), signal).expect("the program is still there");
    }

    /// Wait until it ends and its output is complete.
    ///
    /// # Panics
    /// When it takes longer than `limit`; it is killed then.
    #[track_caller]
    pub fn wait(mut self, limit: Duration) -> Finished {
        let pidfd = rustix::process::pidfd_open(self.pid(), PidfdFlags::empty()).expect("a pidfd of a child");
        let limit = crate::wait::patience(limit);
        let timeout = Timespec::try_from(limit).expect("a limit of less than an age");
        let ready = rustix::event::poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&timeout));
        let late = matches!(ready, Ok(0));
        if late {
            let _ = self.child.kill();
        }
        let status = self.child.wait().expect("the status of a child");
        let mut finished = Finished { command: self.command, status, stdout: Vec::new(), stderr: Vec::new() };
        assert!(!late, "`{}` did not end within {limit:?}", finished.command);
        if let Some(input) = self.input.take() {
            let _ = input.join();
        }
        let all = |told: Option<Receiver<Vec<u8>>>| {
            told.map_or(Ok(Vec::new()), |told| told.recv_timeout(Duration::from_secs(20)))
        };
        match (all(self.stdout.take()), all(self.stderr.take())) {
            (Ok(stdout), Ok(stderr)) => (finished.stdout, finished.stderr) = (stdout, stderr),
            _ => panic!(
                "`{}` ended, but something that it left behind holds its output open",
                finished.command
            ),
        }
        finished
    }
}

/// Run a program without input to its end, at most two minutes.
///
/// # Panics
/// When it cannot be started or does not end.
#[track_caller]
pub fn run(command: &mut Command) -> Finished {
    spawn(command.stdin(Stdio::null())).wait(LIMIT)
}

/// The same with this input.
///
/// # Panics
/// When it cannot be started or does not end.
#[track_caller]
pub fn run_with_input(command: &mut Command, input: &[u8]) -> Finished {
    let mut running = spawn(command.stdin(Stdio::piped()));
    let mut stdin = running.child.stdin.take().expect("a pipe, as asked for");
    let input = input.to_vec();
    running.input = Some(std::thread::spawn(move || {
        // A program may end without reading everything.
        let _ = stdin.write_all(&input);
    }));
    running.wait(LIMIT)
}

/// How long one program may take before the test fails. A guard against hanging, not a measure.
const LIMIT: Duration = Duration::from_secs(120);
