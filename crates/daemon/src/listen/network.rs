//! The listener for clients of the network: opened, moved and closed while the daemon runs.

use super::Tidy;
use super::address::{Address, shown};
use super::caller::{Caller, Peer};
use super::crowd::{Crowd, Place};
use super::leash::{Leash, leash};
use super::pki::{Pki, Standing};
use super::serve::{PAUSE, converse};
use crate::routes::Gate;
use instance::Host;
use instance::certificates::Certificates;
use instance::server::host_addresses;
use instance::settings::Settings;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use transport::Identity;
use transport::accept::Acceptor;

/// How long a client may take to shake hands.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How often it is asked whether a connected client is still trusted: certificates expire, and the files
/// of an authority change, without a word.
const RECHECK: Duration = Duration::from_secs(60);
/// How often an address is tried again that could not be had when the daemon started.
const RETRY: Duration = Duration::from_secs(10);

/// Why the daemon does not listen there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListenError {
    /// It is no address.
    #[error("cannot listen on '{0}': it should look like 10.0.0.1:8443, [::]:8443 or :8443")]
    Form(String),
    /// Somebody else listens there.
    #[error("cannot listen on {0}: another program listens there; choose another port, or stop that one")]
    Taken(Address),
    /// The host has no such address.
    #[error(
        "cannot listen on {0}: this host has no such address; use one of its own, or [::] for all of them"
    )]
    NotLocal(Address),
    /// The name is not known, or something else.
    #[error("cannot listen on {address}: {reason}")]
    Other {
        /// Where.
        address: Address,
        /// Why.
        reason: String,
    },
    /// There is no usable certificate of the server.
    #[error("cannot listen for clients of the network: {0}")]
    Identity(String),
}

/// The listener for clients of the network. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Network(Arc<Inner>);

struct Inner {
    identity: Result<Identity, String>,
    acceptor: OnceLock<Acceptor>,
    certificates: Certificates,
    settings: Settings,
    pki: Pki,
    serving: OnceLock<(Gate, Tidy)>,
    crowd: Crowd,
    open: Mutex<Option<Open>>,
    /// Tells that some client is trusted no more; another one for the next time.
    removals: Mutex<CancellationToken>,
    /// Ends every connection that is open; another one for those that come later.
    connections: Mutex<CancellationToken>,
}

/// A listener that is open, or an address that is waited for.
struct Open {
    address: Address,
    bound: Option<SocketAddr>,
    accepting: CancellationToken,
    task: Option<JoinHandle<()>>,
}

/// A socket that is bound but does not accept yet. Dropping it changes nothing, except that a listener
/// which was in the way is opened again.
pub(crate) struct Prepared {
    network: Network,
    next: Option<(Address, TcpListener)>,
    /// What had to give way, because the new one has the same port.
    before: Option<Address>,
}

impl Network {
    /// Closed. `identity` is the server's, or why it has none; `directory` is where the files of an
    /// authority are, if there is one.
    pub(crate) fn new(identity: Result<Identity, String>, directory: &Path, host: &Host) -> Self {
        let (certificates, settings) = (host.certificates.clone(), host.settings.clone());
        Self(Arc::new(Inner {
            identity,
            acceptor: OnceLock::new(),
            certificates,
            settings,
            pki: Pki::new(directory),
            serving: OnceLock::new(),
            crowd: Crowd::default(),
            open: Mutex::default(),
            removals: Mutex::default(),
            connections: Mutex::default(),
        }))
    }

    /// The server's certificate.
    pub(crate) fn certificate(&self) -> Option<&transport::Certificate> {
        self.0.identity.as_ref().ok().map(Identity::certificate)
    }

    /// Where clients can reach it, as `host:port`, and whether that can change by itself.
    pub(crate) fn addresses(&self) -> (Vec<String>, bool) {
        let bound = self.open().as_ref().and_then(|open| open.bound);
        match bound {
            None => (Vec::new(), false),
            Some(bound) if bound.ip().is_unspecified() => (shown(bound, &host_addresses()), true),
            Some(bound) => (shown(bound, &[]), false),
        }
    }

    /// Begins to serve with `gate`, at the configured address. When that cannot be had now, it is tried
    /// again until it can, or until another one is configured.
    pub(crate) async fn start(&self, gate: Gate, tidy: Tidy, address: &str) {
        // Called once.
        let _ = self.0.serving.set((gate, tidy));
        if address.is_empty() {
            return;
        }
        let error = match self.prepare(address).await {
            Ok(prepared) => return prepared.take_over(),
            Err(error) => error,
        };
        tracing::warn!(%error, "clients of the network are not served for now");
        let Some(address) = Address::parse(address) else { return };
        let waiting = CancellationToken::new();
        *self.open() =
            Some(Open { address: address.clone(), bound: None, accepting: waiting.clone(), task: None });
        let network = self.clone();
        tokio::spawn(async move {
            while waiting.run_until_cancelled(tokio::time::sleep(RETRY)).await.is_some() {
                if let Ok(listener) = bind(&address).await
                    && !waiting.is_cancelled()
                {
                    return network.accept(address, listener);
                }
            }
        });
    }

    /// Binds an address, so that it is sure that it can be listened on; empty for none.
    ///
    /// # Errors
    /// It cannot be had. Then everything is as before.
    pub(crate) async fn prepare(&self, address: &str) -> Result<Prepared, ListenError> {
        if address.is_empty() {
            return Ok(Prepared { network: self.clone(), next: None, before: None });
        }
        self.acceptor()?;
        let address = Address::parse(address).ok_or_else(|| ListenError::Form(address.to_owned()))?;
        let before = self.open().as_ref().map(|open| (open.address.clone(), open.bound));
        let mut prepared = Prepared { network: self.clone(), next: None, before: None };
        let listener = match bind(&address).await {
            // Perhaps it is our own listener that is in the way.
            Err(ListenError::Taken(taken)) => match before {
                Some((own, Some(_))) if own.port() == address.port() => {
                    prepared.before = Some(own);
                    if let Some(task) = self.close_listener() {
                        // Then the socket is closed.
                        let _ = task.await;
                    }
                    // Dropping `prepared` opens it again.
                    bind(&address).await?
                }
                _ => return Err(ListenError::Taken(taken)),
            },
            other => other?,
        };
        prepared.next = Some((address, listener));
        Ok(prepared)
    }

    fn acceptor(&self) -> Result<&Acceptor, ListenError> {
        if let Some(acceptor) = self.0.acceptor.get() {
            return Ok(acceptor);
        }
        let identity = self.0.identity.as_ref().map_err(|reason| ListenError::Identity(reason.clone()))?;
        let made = Acceptor::new(identity).map_err(|error| ListenError::Identity(error.to_string()))?;
        Ok(self.0.acceptor.get_or_init(|| made))
    }

    fn open(&self) -> std::sync::MutexGuard<'_, Option<Open>> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is answered ends when it is closed.
    fn close_listener(&self) -> Option<JoinHandle<()>> {
        let open = self.open().take()?;
        open.accepting.cancel();
        open.task
    }

    /// Lets every connection end with the request that is being served.
    fn close_connections(&self) {
        let mut connections = self.0.connections.lock().unwrap_or_else(PoisonError::into_inner);
        connections.cancel();
        *connections = CancellationToken::new();
    }

    fn accept(&self, address: Address, listener: TcpListener) {
        self.close_listener();
        let accepting = CancellationToken::new();
        let bound = listener.local_addr().ok();
        tracing::info!(%address, "listening for clients of the network");
        let (network, until) = (self.clone(), accepting.clone());
        let task = tokio::spawn(async move {
            let _: Option<Infallible> = until.run_until_cancelled(network.accept_all(listener)).await;
        });
        *self.open() = Some(Open { address, bound, accepting, task: Some(task) });
    }

    async fn accept_all(self, listener: TcpListener) -> Infallible {
        loop {
            match listener.accept().await {
                Ok((tcp, address)) => {
                    // Who is turned away sees a closed connection: there is nothing to be said before TLS.
                    if let Some(place) = self.0.crowd.enter(address.ip().to_canonical()) {
                        tokio::spawn(self.clone().welcome(tcp, address, place));
                    } else {
                        tracing::debug!(%address, "too many connections of strangers: closed");
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection of the network");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    async fn welcome(self, tcp: TcpStream, address: SocketAddr, place: Place) {
        transport::alive::watch(&tcp);
        // Without it things are only slower.
        let _ = tcp.set_nodelay(true);
        let (Ok(acceptor), Some((gate, tidy))) = (self.acceptor(), self.0.serving.get()) else { return };
        let client = match tokio::time::timeout(HANDSHAKE, acceptor.accept(tcp)).await {
            Ok(Ok(client)) => client,
            Ok(Err(error)) => return tracing::debug!(%address, %error, "a handshake failed"),
            Err(_) => return tracing::debug!(%address, "a handshake took too long"),
        };
        let chain = client.chain;
        let standing = self.0.pki.standing(&chain);
        let certificate = chain.first().map(|c| (c.fingerprint(), c.clone()));
        let peer = Arc::new(Peer { address, certificate, standing });
        let stop = self.0.connections.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // Friends do not count.
        let place = Some(place).filter(|_| !self.trusts(&peer));
        tracing::debug!(%address, trusted = place.is_none(), "connection");
        let (stream, leash) = leash(client.stream);
        let was_trusted = Arc::new(AtomicBool::new(false));
        tokio::spawn(self.clone().hold(leash, Arc::clone(&peer), chain, Arc::clone(&was_trusted)));
        let network = self.clone();
        let caller = move || {
            let trusted = network.trusts(&peer);
            was_trusted.fetch_or(trusted, Ordering::AcqRel);
            Caller::Network { trusted, peer: Arc::clone(&peer) }
        };
        converse(stream, gate.clone(), tidy.clone(), caller, stop.cancelled_owned()).await;
        drop(place);
    }

    /// Some client may be trusted no more: those that were and are not are cut off now, whatever they do.
    pub(crate) fn cut_off(&self) {
        let mut removals = self.0.removals.lock().unwrap_or_else(PoisonError::into_inner);
        removals.cancel();
        *removals = CancellationToken::new();
    }

    /// Cuts a connection when its client was trusted and is no more.
    async fn hold(
        self,
        leash: Leash,
        peer: Arc<Peer>,
        chain: Vec<transport::Certificate>,
        was_trusted: Arc<AtomicBool>,
    ) {
        loop {
            let removal = self.0.removals.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if was_trusted.load(Ordering::Acquire) && !self.trusts_as(&peer, self.0.pki.standing(&chain)) {
                tracing::info!(address = %peer.address, "a client is trusted no more: its connection is closed");
                return leash.cut.cancel();
            }
            tokio::select! {
                () = leash.gone.cancelled() => return,
                () = removal.cancelled() => {}
                () = tokio::time::sleep(RECHECK) => {}
            }
        }
    }

    fn trusts(&self, peer: &Peer) -> bool {
        self.trusts_as(peer, peer.standing)
    }

    /// Whether the client would be trusted if the authority saw it so.
    fn trusts_as(&self, peer: &Peer, standing: Standing) -> bool {
        let Some((fingerprint, certificate)) = &peer.certificate else { return false };
        let known = || {
            self.0.certificates.trusts(fingerprint, certificate) || self.certificate() == Some(certificate)
        };
        match standing {
            Standing::Stranger => false,
            Standing::NoAuthority => known(),
            Standing::Vouched => {
                let all = self.0.settings.trust_ca_certificates() && certificate.holds_at(SystemTime::now());
                all || known()
            }
        }
    }
}

impl Prepared {
    /// Takes the place of the listener before. Connections that are open go on, unless there is no
    /// listener any more.
    pub(crate) fn take_over(mut self) {
        self.before = None;
        if let Some((address, listener)) = self.next.take() {
            self.network.accept(address, listener);
        } else {
            self.network.close_listener();
            self.network.close_connections();
        }
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        self.next = None;
        let Some(before) = self.before.take() else { return };
        let network = self.network.clone();
        // Dropped inside the runtime, as everything that is not the end of the process.
        tokio::spawn(async move {
            match bind(&before).await {
                Ok(listener) => network.accept(before, listener),
                Err(error) => tracing::error!(%error, "clients of the network are not served any more"),
            }
        });
    }
}

/// Binds and listens.
async fn bind(address: &Address) -> Result<TcpListener, ListenError> {
    let wanted = address.clone();
    let made = tokio::task::spawn_blocking(move || {
        let mut last = io::Error::other("the name has no address");
        for candidate in wanted.resolve()? {
            match std::net::TcpListener::bind(candidate) {
                Ok(listener) => return listener.set_nonblocking(true).map(|()| listener),
                // The other version may be there.
                Err(error) if no_such_version(&error) => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    });
    let made = made.await.unwrap_or_else(|error| Err(io::Error::other(error)));
    made.and_then(TcpListener::from_std).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => ListenError::Taken(address.clone()),
        io::ErrorKind::AddrNotAvailable => ListenError::NotLocal(address.clone()),
        _ => ListenError::Other { address: address.clone(), reason: error.to_string() },
    })
}

fn no_such_version(error: &io::Error) -> bool {
    let errno = rustix::io::Errno::from_io_error(error);
    matches!(errno, Some(rustix::io::Errno::AFNOSUPPORT | rustix::io::Errno::ADDRNOTAVAIL))
}
