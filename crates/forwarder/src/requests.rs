//! What the daemon asks.

use crate::forwarder::{Container, Forwarder, Listener, Role, Task};
use crate::listen::{Listening, listen};
use crate::place::Place;
use crate::poller::EventFlags;
use crate::workers::STACK;
use model::runtime::forward::{Address, Forward, MAX_PACKET, Refusal, Reply, Request, RequestBody};
use rustix::io::Errno;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

/// What a worker has done.
#[derive(Debug)]
pub(crate) enum Done {
    /// Nothing that anybody waits for.
    Nothing,
    /// Sockets that listen for new forwards.
    Listening(Listened),
    /// A connection to a unix socket, or why there is none.
    Dialled {
        /// Which.
        connection: u64,
        /// The socket.
        socket: Result<OwnedFd, Errno>,
    },
}

/// New forwards of a container.
#[derive(Debug)]
pub(crate) struct Listened {
    peer: u64,
    id: u64,
    container: String,
    generation: u64,
    result: Result<Vec<Opened>, Refusal>,
}

/// A forward that listens: each socket and where it leads.
type Opened = (Arc<Task>, Vec<(Listening, Address)>);

fn refusal(reason: impl Into<String>) -> Refusal {
    Refusal { device: String::new(), address: String::new(), reason: reason.into(), errno: None }
}

/// Listens for one forward.
fn open(task: &Arc<Task>) -> Result<Opened, Refusal> {
    let mut sockets = Vec::new();
    for (address, target) in task.forward.routes() {
        let listening = listen(&task.place, &task.forward, &address).map_err(|errno| Refusal {
            device: task.forward.device.clone(),
            address: address.to_string(),
            reason: std::io::Error::from(errno).to_string(),
            errno: Some(errno.raw_os_error()),
        });
        match listening {
            Ok(listening) => sockets.push((listening, target)),
            Err(refusal) => {
                sockets.into_iter().filter_map(|(listening, _)| listening.file).for_each(|f| f.remove());
                return Err(refusal);
            }
        }
    }
    Ok((task.clone(), sockets))
}

/// Listens for all, or for none. Each on a thread of its own: one that listens at a path inside
/// becomes the container's root and stays it.
fn open_all(tasks: &[Arc<Task>]) -> Result<Vec<Opened>, Refusal> {
    let mut all: Vec<Opened> = Vec::new();
    for task in tasks {
        match on_a_thread(|| open(task)).unwrap_or_else(|| Err(refusal("no thread can be started"))) {
            Ok(opened) => all.push(opened),
            Err(refusal) => {
                remove_files(all);
                return Err(refusal);
            }
        }
    }
    Ok(all)
}

/// Removes what was made for sockets that are not used.
fn remove_files(opened: Vec<Opened>) {
    let files = opened.into_iter().flat_map(|(_, sockets)| sockets).filter_map(|(l, _)| l.file);
    for file in files {
        on_a_thread(|| file.remove());
    }
}

fn on_a_thread<T: Send>(work: impl FnOnce() -> T + Send) -> Option<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work).ok()?;
        thread.join().ok()
    })
}

impl Forwarder {
    /// Takes a connection, if it comes from this user.
    pub(crate) fn accept_peer(&mut self) {
        let Ok(socket) = sys::seqpacket::accept(&self.control, MAX_PACKET) else { return };
        let own = rustix::process::geteuid();
        let same = rustix::net::sockopt::socket_peercred(&socket).is_ok_and(|peer| peer.uid == own);
        if !same || rustix::io::ioctl_fionbio(&socket, true).is_err() {
            return;
        }
        let number = self.number(Role::Peer);
        if self.poller.add(&socket, number, EventFlags::IN).is_ok() {
            self.peers.insert(number, socket);
        } else {
            self.roles.remove(&number);
        }
    }

    pub(crate) fn peer_ready(&mut self, number: u64) {
        let Some(socket) = self.peers.get(&number) else { return };
        let received = match sys::scm::recv(socket.as_fd(), &mut self.buffer) {
            Err(Errno::AGAIN) => return,
            Ok(received) if received.len > 0 => received,
            _ => return self.drop_peer(number),
        };
        match serde_json::from_slice::<Request>(&self.buffer[..received.len]) {
            Ok(Request { id, body: RequestBody::Set { container, pid, forwards } }) => {
                self.set(number, id, &container, pid, forwards, received.fds);
            }
            Err(_) => self.drop_peer(number),
        }
    }

    fn drop_peer(&mut self, number: u64) {
        if let Some(socket) = self.peers.remove(&number) {
            self.poller.remove(&socket);
            self.roles.remove(&number);
        }
    }

    fn reply(&mut self, peer: u64, id: u64, result: Result<(), Refusal>) {
        let Some(socket) = self.peers.get(&peer) else { return };
        let Ok(packet) = serde_json::to_vec(&Reply { id, result }) else { return };
        // The daemon reads; one that does not is no daemon.
        if sys::scm::send(socket.as_fd(), &packet, &[]).is_err() {
            self.drop_peer(peer);
        }
    }

    fn set(
        &mut self,
        peer: u64,
        id: u64,
        name: &str,
        pid: i32,
        forwards: Vec<Forward>,
        descriptors: Vec<OwnedFd>,
    ) {
        if self.containers.get(name).is_some_and(|container| container.place.pid() != pid) {
            self.drop_container(name);
        }
        if forwards.is_empty() {
            self.drop_container(name);
            return self.reply(peer, id, Ok(()));
        }
        if !self.containers.contains_key(name)
            && let Err(reason) = self.add_container(name, pid, descriptors)
        {
            return self.reply(peer, id, Err(reason));
        }
        let Some(container) = self.containers.get_mut(name) else { return };
        container.generation += 1;
        let generation = container.generation;
        let (kept, gone) = std::mem::take(&mut container.tasks)
            .into_iter()
            .partition(|task| forwards.contains(&task.forward));
        container.tasks = kept;
        let new: Vec<Arc<Task>> = forwards
            .into_iter()
            .filter(|forward| !container.tasks.iter().any(|task| task.forward == *forward))
            .map(|forward| {
                Arc::new(Task { container: name.to_owned(), place: container.place.clone(), forward })
            })
            .collect();
        let gone: Vec<Arc<Task>> = gone;
        for task in &gone {
            self.drop_task(task);
        }
        if new.is_empty() {
            return self.reply(peer, id, Ok(()));
        }
        let container = name.to_owned();
        let begun = self.workers.begin(name, move || {
            let result = open_all(&new);
            Done::Listening(Listened { peer, id, container, generation, result })
        });
        if begun.is_err() {
            self.reply(peer, id, Err(refusal("too many threads wait for this container")));
        }
    }

    fn add_container(&mut self, name: &str, pid: i32, descriptors: Vec<OwnedFd>) -> Result<(), Refusal> {
        let mut descriptors = descriptors.into_iter();
        let (Some(pidfd), Some(netns)) = (descriptors.next(), descriptors.next()) else {
            return Err(refusal("a descriptor is missing in the request"));
        };
        let place = Arc::new(Place::new(pid, pidfd, netns, self.host.clone()));
        let init = self.number(Role::Init(name.to_owned()));
        if self.poller.add(place.pidfd(), init, EventFlags::IN).is_err() {
            self.roles.remove(&init);
            return Err(refusal("cannot watch the container"));
        }
        let container = Container { place, init, tasks: Vec::new(), generation: 0 };
        self.containers.insert(name.to_owned(), container);
        Ok(())
    }

    /// Takes what workers have done.
    pub(crate) fn workers_done(&mut self) {
        for done in self.workers.finished() {
            match done {
                Done::Nothing => {}
                Done::Dialled { connection, socket } => self.dialled(connection, socket),
                Done::Listening(listened) => self.listened(listened),
            }
        }
    }

    fn listened(&mut self, listened: Listened) {
        let Listened { peer, id, container: name, generation, result } = listened;
        let opened = match result {
            Ok(opened) => opened,
            Err(refusal) => {
                if self.containers.get(&name).is_some_and(|container| container.tasks.is_empty()) {
                    self.drop_container(&name);
                }
                return self.reply(peer, id, Err(refusal));
            }
        };
        match self.containers.get_mut(&name).filter(|container| container.generation == generation) {
            None => {
                let _ = self.workers.begin(&name, move || {
                    remove_files(opened);
                    Done::Nothing
                });
                return self.reply(peer, id, Err(refusal("something else was asked for meanwhile")));
            }
            Some(container) => container.tasks.extend(opened.iter().map(|(task, _)| task.clone())),
        }
        for (task, sockets) in opened {
            for (Listening { socket, file }, target) in sockets {
                let number = self.number(Role::Listener);
                let mut listener =
                    Listener { task: task.clone(), socket, file, target, polled: EventFlags::empty() };
                // One that cannot be polled now is tried again with those that pause.
                let _ = self.poller.adjust(&listener.socket, number, &mut listener.polled, EventFlags::IN);
                self.listeners.insert(number, listener);
            }
        }
        self.reply(peer, id, Ok(()));
    }
}
