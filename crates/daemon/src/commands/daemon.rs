//! `lxd`: the daemon itself, from its first system call to its last.

use crate::app::{App, Ending, Life};
use crate::args::Daemon;
use crate::events::Hub;
use crate::identity;
use crate::listen::{Network, OwnedSocket, Tidy, bind, inherited, lock, notify, serve};
use crate::logging::{self, Detail};
use crate::operations::Operations;
use crate::paths::{self, Paths};
use crate::routes::{Gate, router};
use anyhow::Context as _;
use instance::{Host, Options};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit, umask};
use std::os::unix::net::UnixListener;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// `SIGPWR`: the host is going down.
const POWER: i32 = 30;
/// How long work in the background may take to end before the daemon does; the next one repairs the rest.
const SETTLE: Duration = Duration::from_secs(10);
/// How long the start waits for the listener of the network.
const OPENING: Duration = Duration::from_secs(1);
/// Threads that only wait for disks are kept this long.
const IDLE: Duration = Duration::from_secs(2);

/// Is the daemon until it is told to end.
pub(super) fn run(options: &Daemon, paths: Paths) -> anyhow::Result<()> {
    umask(rustix::fs::Mode::from_raw_mode(0o077));
    raise_descriptors();
    instance::Host::prepare_process();
    paths.create()?;
    let _only_one = lock(&paths.var)?;
    let hub = Hub::new();
    let mut files = vec![paths.logs.join("lxd.log")];
    files.extend(options.logfile.clone());
    logging::start(detail(options), &files, hub.clone())?;
    let keeper = paths::keeper()?;
    let (listener, _socket) = listen(options, &paths)?;
    let threads = std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 4);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_keep_alive(IDLE)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let host = Options { var: paths.var, logs: paths.logs, keeper };
    let result = runtime.block_on(live(host, listener, hub));
    // Clients that still wait are cut off.
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

fn detail(options: &Daemon) -> Detail {
    match (options.debug, options.verbose) {
        (true, _) => Detail::Debug,
        (false, true) => Detail::Verbose,
        (false, false) => Detail::Normal,
    }
}

/// Each exec needs a handful of descriptors, so all that are allowed are used.
fn raise_descriptors() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // With the limit as it was, the daemon works for fewer clients.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

/// The socket that systemd holds for us, or one of our own.
fn listen(options: &Daemon, paths: &Paths) -> anyhow::Result<(UnixListener, Option<OwnedSocket>)> {
    if let Some(listener) = inherited()? {
        return Ok((listener, None));
    }
    let (listener, socket) = bind(&paths.var, options.group.as_deref())?;
    Ok((listener, Some(socket)))
}

/// Serves until the end. Clients that connect before everything is there wait in the socket's queue.
async fn live(options: Options, listener: UnixListener, hub: Hub) -> anyhow::Result<()> {
    let listener = tokio::net::UnixListener::from_std(listener).context("cannot listen")?;
    let life = Life::new();
    watch_signals(&life)?;
    let (lifecycle, changes) = mpsc::unbounded_channel();
    let (opened, doors) = mpsc::unbounded_channel();
    let directory = options.var.clone();
    let identity = tokio::task::spawn_blocking({
        let directory = directory.clone();
        move || identity::load_or_make(&directory)
    });
    let host = Host::open(options, lifecycle, opened).await.context("cannot start")?;
    let network = Network::new(identity.await?, &directory, &host);
    tokio::spawn(publish(changes, hub.clone()));
    tokio::spawn(crate::guest::serve_all(doors));
    let operations = Operations::new(hub.clone());
    let app = App::new(host.clone(), network.clone(), operations.clone(), hub, life.clone());
    let gate = Gate::new(router(app), life.clone(), host.settings.clone());
    let address = host.settings.get("core.https_address").unwrap_or_default();
    let tidy = Tidy::start();
    let opening = tokio::spawn({
        let (gate, tidy) = (gate.clone(), tidy.clone());
        async move { network.start(gate, tidy, &address).await }
    });
    // The name of an address may take its time to be looked up; nobody here waits for that.
    let _ = tokio::time::timeout(OPENING, opening).await;
    tokio::spawn(async move { match serve(listener, gate, tidy).await {} });
    notify("READY=1");
    tracing::info!(version = crate::VERSION, "LXD is ready for requests");
    let up = tokio::spawn({
        let (host, life) = (host.clone(), life.clone());
        async move {
            tokio::select! {
                () = host.bring_up() => life.ready(),
                // What is being started is seen to its end by those who start it.
                _ = life.ending() => {}
            }
        }
    });
    let ending = life.ending().await;
    notify("STOPPING=1");
    tracing::info!(?ending, "LXD is stopping");
    if ending == Ending::StopContainers {
        // Its panics have been logged.
        let _ = up.await;
        host.bring_down().await;
    }
    if tokio::time::timeout(SETTLE, operations.settle()).await.is_err() {
        tracing::warn!("operations still run; the next start repairs what they leave");
    }
    host.close().await;
    Ok(())
}

/// Makes events of what happens to containers.
async fn publish(mut changes: mpsc::UnboundedReceiver<api::events::Lifecycle>, hub: Hub) {
    while let Some(change) = changes.recv().await {
        hub.lifecycle(&change);
    }
}

/// Lets signals end the daemon.
fn watch_signals(life: &Life) -> anyhow::Result<()> {
    for (kind, ending) in [
        (SignalKind::terminate(), Ending::LeaveContainers),
        (SignalKind::interrupt(), Ending::LeaveContainers),
        (SignalKind::quit(), Ending::LeaveContainers),
        (SignalKind::hangup(), Ending::LeaveContainers),
        (SignalKind::from_raw(POWER), Ending::StopContainers),
    ] {
        let mut signals = signal(kind).context("cannot watch for signals")?;
        let life = life.clone();
        tokio::spawn(async move {
            if signals.recv().await.is_some() {
                life.end(ending);
            }
        });
    }
    Ok(())
}
