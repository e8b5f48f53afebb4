//! A program that may be run, and one that runs.

use super::environment;
use super::sessions::Sessions;
use super::streams::{self, Owner, Streams};
use crate::instances::Live;
use crate::keeper::Keeper;
use crate::{Error, keeper};
use api::exec::ExecPost;
use model::runtime::spec::ExecSpec;
use std::collections::BTreeMap;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// What the container contributes to a program that is run in it.
pub(crate) struct Program {
    pub(crate) name: String,
    pub(crate) live: Arc<Live>,
    /// Values of `environment.*`.
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) drop_capabilities: Vec<u32>,
    pub(crate) rlimits: Vec<model::runtime::spec::Rlimit>,
    pub(crate) seccomp: Option<OwnedFd>,
    pub(crate) keeper: Keeper,
    pub(crate) sessions: Sessions,
}

/// A program that may be run; nothing has happened yet.
pub struct ExecPlan {
    program: Program,
    spec: ExecSpec,
    size: Option<(u16, u16)>,
}

/// A program whose client is about to connect to its streams. Dropping it leaves it unexecuted.
pub struct Prepared(Stage);

enum Stage {
    /// It waits inside the container, one step before it is executed: entering took place while the
    /// client connected.
    Held { running: JoinHandle<Result<Running, Error>>, gate: OwnedFd },
    /// Nothing has happened yet.
    Outside { plan: Box<ExecPlan>, theirs: keeper::Streams, ours: Streams },
}

impl Prepared {
    /// Executes it.
    ///
    /// # Errors
    /// The container could not be entered, or stopped meanwhile.
    pub async fn start(self) -> Result<Running, Error> {
        match self.0 {
            Stage::Held { running, gate } => {
                // When nobody waits at the other end, the reason comes with the answer.
                let _ = rustix::io::write(&gate, &[1]);
                running.await.map_err(|_| Error::Shutdown)?
            }
            Stage::Outside { plan, theirs, ours } => plan.run(theirs, ours, None).await,
        }
    }
}

/// A program that runs.
pub struct Running {
    /// Its streams, the daemon's ends, non-blocking.
    pub streams: Streams,
    /// Window size and signals.
    pub control: Control,
    /// Its exit code, or 128 and the signal's number; an error when it was lost.
    pub status: oneshot::Receiver<i32>,
}

/// Window size and signals. Cheap to clone.
#[derive(Clone)]
pub struct Control {
    terminal: Option<Arc<OwnedFd>>,
    pidfd: Arc<OwnedFd>,
}

impl Control {
    /// Tells the terminal its size; nothing happens without a terminal.
    pub fn resize(&self, width: u16, height: u16) {
        if let Some(terminal) = &self.terminal {
            streams::resize(terminal.as_fd(), width, height);
        }
    }

    /// Sends a signal to the program alone. A program that has ended is not an error, and neither
    /// is a number that is no signal.
    pub fn signal(&self, number: i32) {
        let _ = sys::pidfd::send_signal(self.pidfd.as_fd(), number);
    }
}

impl ExecPlan {
    /// Checks the request against a container that runs.
    pub(crate) fn new(program: Program, post: &ExecPost) -> Result<Self, Error> {
        let first = post.command.first();
        if first.is_none_or(String::is_empty) {
            return Err(Error::Missing { field: "command", hint: "name the program to run" });
        }
        let nul = |text: &String| text.contains('\0');
        let bad_environment = post
            .environment
            .iter()
            .any(|(key, value)| key.is_empty() || key.contains('=') || nul(key) || nul(value));
        if post.command.iter().any(nul) || nul(&post.cwd) || bad_environment {
            return Err(Error::Unknown {
                field: "byte in the command, the environment or the directory",
                value: "NUL or a name with \"=\"".to_owned(),
                allowed: "anything else",
            });
        }
        // One component, not followed: nothing inside can lead this look elsewhere.
        let snap = std::fs::symlink_metadata(format!("/proc/{}/root/snap", program.live.pid)).is_ok();
        let environment = environment::compose(&program.environment, &post.environment, post.user, snap);
        let home = environment.get("HOME").cloned().unwrap_or_else(|| "/".to_owned());
        let size = (post.width > 0 && post.height > 0).then_some((post.width, post.height));
        let spec = ExecSpec {
            command: post.command.clone(),
            environment: environment.iter().map(|(key, value)| format!("{key}={value}")).collect(),
            require_cwd: !post.cwd.is_empty(),
            cwd: if post.cwd.is_empty() { home } else { post.cwd.clone() },
            uid: post.user,
            gid: post.group,
            terminal: post.interactive && post.wait_for_websocket,
            drop_capabilities: program.drop_capabilities.clone(),
            rlimits: program.rlimits.clone(),
            seccomp: program.seccomp.is_some(),
            held: false,
        };
        Ok(Self { program, spec, size })
    }

    /// Makes it ready, with streams for a client that is about to connect to them. Must be called
    /// within the runtime.
    ///
    /// # Errors
    /// No descriptors left.
    pub fn prepare(mut self) -> Result<Prepared, Error> {
        let live = self.program.live.clone();
        let owner = Owner { idmap: live.idmap.as_ref(), uid: self.spec.uid, gid: self.spec.gid };
        let (theirs, ours) = if self.spec.terminal {
            streams::terminal(live.devpts.as_fd(), owner, self.size)?
        } else {
            streams::pipes(owner)?
        };
        // The keeper refuses to hold a program where the container could take it over.
        if live.idmap.is_none() {
            return Ok(Prepared(Stage::Outside { plan: Box::new(self), theirs, ours }));
        }
        let (held, gate) = streams::gate()?;
        self.spec.held = true;
        Ok(Prepared(Stage::Held { running: tokio::spawn(self.run(theirs, ours, Some(held))), gate }))
    }

    /// Runs it without a client; its output goes to the two files if given, else nowhere.
    ///
    /// # Errors
    /// As for `start`.
    pub async fn start_detached(
        self,
        record: Option<(std::fs::File, std::fs::File)>,
    ) -> Result<Running, Error> {
        let (theirs, ours) = streams::detached(record)?;
        self.run(theirs, ours, None).await
    }

    async fn run(
        self,
        theirs: keeper::Streams,
        ours: Streams,
        held: Option<OwnedFd>,
    ) -> Result<Running, Error> {
        let Program { name, seccomp, keeper, sessions, .. } = self.program;
        let spawned = keeper.exec(&name, self.spec, theirs, seccomp, held).await?;
        let terminal = match &ours {
            Streams::Terminal(master) => {
                let master = master.try_clone();
                Some(Arc::new(master.map_err(|source| Error::Io { doing: "duplicate a terminal", source })?))
            }
            _ => None,
        };
        let status = sessions.wait_for(spawned.session);
        Ok(Running { streams: ours, control: Control { terminal, pidfd: Arc::new(spawned.pidfd) }, status })
    }
}
