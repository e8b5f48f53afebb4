//! The daemon's side of the conversation with the forwarder.
//!
//! One task knows what every running container forwards and holds the connection. It runs the
//! forwarder when there is something to forward, finds the one of an earlier daemon, and when it is
//! lost runs another and tells it everything.

use crate::instances::Live;
use crate::keeper::packet_socket;
use crate::keeper::spawn;
use model::runtime::forward::{ARGUMENT, Forward, MAX_PACKET, Refusal, Reply, Request, RequestBody, SOCKET};
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::Interest;
use tokio::net::UnixDatagram;
use tokio::sync::{mpsc, oneshot};

/// How long an answer may take; the forwarder may have to wait for a file system of the container.
const ANSWER: Duration = Duration::from_secs(30);
/// Pause before a forwarder that was lost is run again, when that has just failed.
const RETRY: Duration = Duration::from_secs(5);
/// How many requests may wait.
const QUEUE: usize = 64;

/// Why something is not forwarded.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    /// The address cannot be listened at.
    #[error("Cannot listen at {address} for the proxy {device:?}: {reason}; {hint}")]
    Listen {
        /// The device.
        device: String,
        /// The address.
        address: String,
        /// What the kernel said.
        reason: String,
        /// What to try.
        hint: &'static str,
    },
    /// The forwarder refuses.
    #[error("The forwarder refused: {reason}")]
    Refused {
        /// Why.
        reason: String,
    },
    /// A name that stands for no address.
    #[error("The proxy {device:?} cannot be used: the host {host:?} has no address; give an address")]
    Resolve {
        /// The device.
        device: String,
        /// The name.
        host: String,
    },
    /// An id that the container does not have.
    #[error("The proxy {device:?} cannot be used: the container has no user or group {id}")]
    NoSuchId {
        /// The device.
        device: String,
        /// The id.
        id: u32,
    },
    /// There is no forwarder.
    #[error("Cannot run the forwarder")]
    Run(#[source] crate::keeper::Error),
    /// It does not answer.
    #[error("The forwarder does not answer")]
    Lost,
}

impl From<Refusal> for ForwardError {
    fn from(refusal: Refusal) -> Self {
        let Refusal { device, address, reason, errno } = refusal;
        if device.is_empty() {
            return Self::Refused { reason };
        }
        let errno = errno.map(rustix::io::Errno::from_raw_os_error);
        let hint = match errno {
            Some(rustix::io::Errno::ADDRINUSE) => "stop what listens there, or choose another address",
            Some(rustix::io::Errno::ADDRNOTAVAIL) => "give the host that address, or choose another",
            Some(rustix::io::Errno::NOENT) => "create the directory first, or choose another",
            _ => "choose another address",
        };
        Self::Listen { device, address, reason, hint }
    }
}

/// A handle on the forwarder. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Forwarder {
    requests: mpsc::Sender<Ask>,
}

/// How the forwards of a container change.
enum Change {
    All(Arc<Live>, Vec<Forward>),
    Add(Arc<Live>, Box<Forward>),
    Remove(String),
    Nothing,
}

struct Ask {
    container: String,
    change: Change,
    reply: oneshot::Sender<Result<(), ForwardError>>,
}

impl Forwarder {
    /// Starts the task; it runs nothing before there is something to forward.
    pub(crate) fn new(var: &Path, program: &Path) -> Self {
        let (sender, requests) = mpsc::channel(QUEUE);
        let task = Task {
            var: var.to_owned(),
            program: program.to_owned(),
            wanted: BTreeMap::new(),
            waiting: HashMap::new(),
            link: None,
            ran: None,
            next: 0,
        };
        tokio::spawn(task.run(requests));
        Self { requests: sender }
    }

    /// Makes the forwards of a running container exactly these.
    pub(crate) async fn set(
        &self,
        container: &str,
        live: &Arc<Live>,
        forwards: Vec<Forward>,
    ) -> Result<(), ForwardError> {
        self.ask(container, Change::All(live.clone(), forwards)).await
    }

    /// Forwards something more; in place of what the same device forwarded before.
    pub(crate) async fn add(
        &self,
        container: &str,
        live: &Arc<Live>,
        forward: Forward,
    ) -> Result<(), ForwardError> {
        self.ask(container, Change::Add(live.clone(), Box::new(forward))).await
    }

    /// Ends what a device forwards.
    pub(crate) async fn remove(&self, container: &str, device: &str) -> Result<(), ForwardError> {
        self.ask(container, Change::Remove(device.to_owned())).await
    }

    /// Ends everything that a container forwards.
    pub(crate) async fn end(&self, container: &str) -> Result<(), ForwardError> {
        self.ask(container, Change::Nothing).await
    }

    async fn ask(&self, container: &str, change: Change) -> Result<(), ForwardError> {
        let (reply, answer) = oneshot::channel();
        let ask = Ask { container: container.to_owned(), change, reply };
        self.requests.send(ask).await.map_err(|_| ForwardError::Lost)?;
        match tokio::time::timeout(ANSWER, answer).await {
            Ok(Ok(result)) => result,
            _ => Err(ForwardError::Lost),
        }
    }
}

/// What a container forwards.
struct Wanted {
    live: Arc<Live>,
    forwards: Vec<Forward>,
}

/// A request on its way.
struct Waiting {
    container: String,
    /// What the container forwards when this is refused.
    otherwise: Vec<Forward>,
    reply: Option<oneshot::Sender<Result<(), ForwardError>>>,
}

struct Task {
    var: PathBuf,
    program: PathBuf,
    wanted: BTreeMap<String, Wanted>,
    waiting: HashMap<u64, Waiting>,
    /// In truth a `SOCK_SEQPACKET` socket; tokio's type is used for its readiness alone.
    link: Option<UnixDatagram>,
    /// When a forwarder was run last: one that dies at once is not run over and over.
    ran: Option<Instant>,
    next: u64,
}

impl Task {
    async fn run(mut self, mut requests: mpsc::Receiver<Ask>) {
        let mut buffer = vec![0; 16 << 10];
        loop {
            let lost = self.link.is_none() && !self.wanted.is_empty();
            tokio::select! {
                ask = requests.recv() => match ask {
                    Some(ask) => self.serve(ask).await,
                    None => return,
                },
                answer = receive(self.link.as_ref(), &mut buffer) => match answer {
                    Ok(reply) => self.answered(reply),
                    Err(_) => self.lost().await,
                },
                () = tokio::time::sleep(RETRY), if lost => self.lost().await,
            }
        }
    }

    async fn serve(&mut self, ask: Ask) {
        let Ask { container, change, reply } = ask;
        let before = self.wanted.get(&container).map(|w| w.forwards.clone()).unwrap_or_default();
        let (live, forwards, otherwise) = match change {
            Change::All(live, forwards) => (Some(live), forwards, Vec::new()),
            Change::Add(live, forward) => {
                let mut rest = before;
                rest.retain(|other| other.device != forward.device);
                let all = rest.iter().cloned().chain([*forward]).collect();
                (Some(live), all, rest)
            }
            Change::Remove(device) => {
                let mut rest = before;
                rest.retain(|other| other.device != device);
                (None, rest.clone(), rest)
            }
            Change::Nothing => (None, Vec::new(), Vec::new()),
        };
        let live = live.or_else(|| self.wanted.get(&container).map(|wanted| wanted.live.clone()));
        // What nobody knows of forwards nothing.
        let Some(live) = live else { return drop(reply.send(Ok(()))) };
        if let Err(error) = self.connect(!forwards.is_empty()).await {
            return drop(reply.send(Err(error)));
        }
        if forwards.is_empty() {
            self.wanted.remove(&container);
        } else {
            self.wanted.insert(container.clone(), Wanted { live: live.clone(), forwards: forwards.clone() });
        }
        self.tell(container, &live, forwards, otherwise, Some(reply)).await;
    }

    /// Sends a request; the answer comes by itself.
    async fn tell(
        &mut self,
        container: String,
        live: &Live,
        forwards: Vec<Forward>,
        otherwise: Vec<Forward>,
        reply: Option<oneshot::Sender<Result<(), ForwardError>>>,
    ) {
        let Some(link) = &self.link else {
            // No forwarder, and none is needed.
            let _ = reply.map(|reply| reply.send(Ok(())));
            return;
        };
        self.next += 1;
        let body = RequestBody::Set { container: container.clone(), pid: live.pid, forwards };
        let packet = match serde_json::to_vec(&Request { id: self.next, body }) {
            Ok(packet) if packet.len() <= MAX_PACKET => packet,
            _ => {
                let reason = "too many ports".to_owned();
                self.fall_back(&container, otherwise);
                let _ = reply.map(|reply| reply.send(Err(ForwardError::Refused { reason })));
                return;
            }
        };
        let descriptors = [live.pidfd.as_fd(), live.netns.as_fd()];
        let send = || Ok(sys::scm::send(link.as_fd(), &packet, &descriptors)?);
        // A connection that is broken is noticed by the next read, and all is told again.
        let _ = link.async_io(Interest::WRITABLE, send).await;
        self.waiting.insert(self.next, Waiting { container, otherwise, reply });
    }

    fn answered(&mut self, answer: Reply) {
        let Some(waiting) = self.waiting.remove(&answer.id) else { return };
        let Waiting { container, otherwise, reply } = waiting;
        let result = answer.result.map_err(ForwardError::from);
        if let Err(error) = &result {
            if reply.is_none() {
                tracing::error!(
                    instance = container,
                    error = error as &dyn std::error::Error,
                    "a proxy is lost"
                );
            }
            self.fall_back(&container, otherwise);
        }
        // Whoever asked may have stopped waiting.
        let _ = reply.map(|reply| reply.send(result));
    }

    /// What was asked for is not had.
    fn fall_back(&mut self, container: &str, otherwise: Vec<Forward>) {
        if otherwise.is_empty() {
            self.wanted.remove(container);
        } else if let Some(wanted) = self.wanted.get_mut(container) {
            wanted.forwards = otherwise;
        }
    }

    /// The connection is gone: the forwarder had nothing to do any more, or has died.
    async fn lost(&mut self) {
        self.link = None;
        let mut asked: HashMap<String, Waiting> =
            self.waiting.drain().map(|(_, waiting)| (waiting.container.clone(), waiting)).collect();
        let just_run = self.ran.is_some_and(|at| at.elapsed() < RETRY);
        if !self.wanted.is_empty() && !just_run {
            tracing::warn!("the forwarder is lost; running another");
            if let Err(error) = self.connect(true).await {
                tracing::error!(error = &error as &dyn std::error::Error, "nothing is forwarded");
            }
        }
        if self.link.is_some() {
            let wanted: Vec<(String, Arc<Live>, Vec<Forward>)> = self
                .wanted
                .iter()
                .map(|(name, wanted)| (name.clone(), wanted.live.clone(), wanted.forwards.clone()))
                .collect();
            for (container, live, forwards) in wanted {
                let (otherwise, reply) = match asked.remove(&container) {
                    Some(waiting) => (waiting.otherwise, waiting.reply),
                    None => (forwards.clone(), None),
                };
                self.tell(container, &live, forwards, otherwise, reply).await;
            }
        }
        // What was to end has ended with the forwarder; the rest has failed.
        for (container, waiting) in asked {
            let result = if self.wanted.contains_key(&container) { Err(ForwardError::Lost) } else { Ok(()) };
            let _ = waiting.reply.map(|reply| reply.send(result));
        }
    }

    /// Connects to the forwarder there is; `needed`: runs one if there is none.
    async fn connect(&mut self, needed: bool) -> Result<(), ForwardError> {
        if self.link.is_some() {
            return Ok(());
        }
        let socket = match spawn::dial(&self.var, SOCKET) {
            Ok(socket) => socket,
            Err(_) if !needed => return Ok(()),
            Err(_) => {
                self.ran = Some(Instant::now());
                spawn::run(&self.var, &self.program, Some(ARGUMENT)).await.map_err(ForwardError::Run)?;
                let failed = |errno: rustix::io::Errno| {
                    ForwardError::Run(crate::keeper::Error::Connect {
                        socket: self.var.join(SOCKET),
                        source: errno.into(),
                    })
                };
                spawn::dial(&self.var, SOCKET).map_err(failed)?
            }
        };
        let failed = |source| ForwardError::Run(crate::keeper::Error::from(source));
        self.link = Some(packet_socket(socket).map_err(failed)?);
        Ok(())
    }
}

/// The next answer; without a connection, none ever comes.
async fn receive(link: Option<&UnixDatagram>, buffer: &mut [u8]) -> io::Result<Reply> {
    let Some(link) = link else { return std::future::pending().await };
    let packet = link.async_io(Interest::READABLE, || Ok(sys::scm::recv(link.as_fd(), buffer)?)).await?;
    if packet.len == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(serde_json::from_slice(&buffer[..packet.len])?)
}
