//! Everything of one daemon directory.

use crate::Error;
use crate::apparmor::Apparmor;
use crate::certificates::Certificates;
use crate::devices::Trees;
use crate::exec::Sessions;
use crate::forwarder::Forwarder;
use crate::guest::Door;
use crate::images::Images;
use crate::instances::context::Context;
use crate::instances::{Instances, Registry, repair};
use crate::keeper::Keeper;
use crate::limits::Balancer;
use crate::networks::Networks;
use crate::platform::Platform;
use crate::pools::Pools;
use crate::profiles::{Catalog, Profiles};
use crate::seccomp::Filters;
use crate::server::Server;
use crate::settings::Settings;
use crate::var::Var;
use crate::volumes::{self, Handles, Volumes};
use api::events::Lifecycle;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use store::Store;
use tokio::sync::mpsc::UnboundedSender;

/// Where things are.
#[derive(Clone, Debug)]
pub struct Options {
    /// The daemon's directory (`LXD_DIR`).
    pub var: PathBuf,
    /// The log directory; containers have a directory each in it.
    pub logs: PathBuf,
    /// The program `lxd-keeper`.
    pub keeper: PathBuf,
}

/// Everything of one daemon directory.
#[derive(Clone)]
#[allow(missing_docs)]
pub struct Host {
    pub instances: Instances,
    pub profiles: Profiles,
    pub images: Images,
    pub networks: Networks,
    pub pools: Pools,
    pub volumes: Volumes,
    pub server: Server,
    pub settings: Settings,
    pub certificates: Certificates,
    store: Store,
}

impl Host {
    /// Settles how the process keeps memory. To be called before it has other threads.
    pub fn prepare_process() {
        sys::mallopt::few_arenas();
    }

    /// Gives memory that is free back to the kernel. Blocks for less than a millisecond or so.
    pub fn give_back_memory() {
        sys::mallopt::give_back();
    }

    /// Opens the database, repairs what an interrupted daemon left, finds running containers.
    /// What happens to containers is told to `lifecycle`; their `/dev/lxd` come out of `doors`.
    ///
    /// # Errors
    /// What keeps the daemon from starting at all: no directory, no database, no keeper.
    pub async fn open(
        options: Options,
        lifecycle: UnboundedSender<Lifecycle>,
        doors: UnboundedSender<Door>,
    ) -> Result<Self, Error> {
        let Options { var: root, logs, keeper: program } = options;
        let (var, platform, store) = tokio::task::spawn_blocking(move || {
            let var = Var::prepare(&root, &logs)?;
            let store = Store::open(&var.database())?;
            let platform = Platform::detect(&var.cgroup_base())?;
            Ok::<_, Error>((var, platform, store))
        })
        .await
        .map_err(|_| Error::Shutdown)??;
        for warning in platform.warnings() {
            tracing::warn!("{warning}");
        }
        let settings = Settings::open(&store).await?;
        let certificates = Certificates::open(store.clone()).await?;
        let (keeper, notices) = Keeper::connect_or_spawn(var.root(), &program).await?;
        let forwarder = Forwarder::new(var.root(), &program);
        let registry = Registry::default();
        let balancer = Balancer::start(registry.clone(), platform.layout().clone(), var.cgroup_base());
        let catalog = Catalog::open(&store).await?;
        let known = volumes::Catalog::open(&store).await?;
        let opened =
            Pools::open(var.clone(), store.clone(), registry.clone(), catalog.clone(), known.clone());
        let pools = opened.await?;
        let networks = Networks::open(var.clone(), store.clone(), registry.clone()).await?;
        let images = Images::open(
            var.clone(),
            store.clone(),
            pools.clone(),
            settings.clone(),
            platform.host().architecture,
        )
        .await?;
        let apparmor = Apparmor::open(var.clone()).await?;
        let server =
            Server::new(store.clone(), platform.clone(), pools.clone(), apparmor.clone(), settings.clone());
        let handles = Handles {
            store: store.clone(),
            pools: pools.clone(),
            registry: registry.clone(),
            profiles: catalog.clone(),
            platform: platform.clone(),
            lifecycle: lifecycle.clone(),
            catalog: known,
        };
        let volumes = Volumes::new(handles);
        let context = Arc::new(Context {
            var,
            store: store.clone(),
            keeper,
            forwarder,
            sessions: Sessions::default(),
            registry,
            pools: pools.clone(),
            volumes: volumes.clone(),
            networks: networks.clone(),
            images: images.clone(),
            profiles: catalog.clone(),
            platform,
            filters: Filters::default(),
            doors,
            balancer,
            apparmor,
            trees: Trees::of_host(),
            hotplug: tokio::sync::Notify::new(),
            lifecycle,
            going_down: AtomicBool::new(false),
        });
        let left = repair::interrupted(&context).await?;
        volumes.name_orphans().await;
        let instances = Instances::new(context);
        instances.load().await?;
        tokio::spawn(instances.clone().listen(notices));
        tokio::spawn(instances.clone().watch_devices());
        // Before the first request: a container that is started needs its bridge.
        networks.bring_up().await;
        let profiles = Profiles::new(store.clone(), catalog, instances.clone());
        tokio::spawn(pools.clone().await_devices(instances.clone(), left));
        Ok(Self {
            instances,
            profiles,
            images,
            networks,
            pools,
            volumes,
            server,
            settings,
            certificates,
            store,
        })
    }

    /// Starts what should run, after a boot of the host. Called once, after the socket listens.
    pub async fn bring_up(&self) {
        tokio::spawn(self.instances.clone().keep_schedules());
        tokio::spawn(self.volumes.clone().keep_expiry());
        tokio::spawn(self.images.clone().keep_cache(self.settings.clone()));
        tokio::spawn(self.images.clone().keep_up_to_date(self.settings.clone()));
        if let Err(error) = self.instances.autostart().await {
            tracing::error!(error = %error.story(), "the next daemon starts containers as after a boot");
        }
    }

    /// Stops every container (in order of `boot.stop.priority`) and the networks, remembering what ran.
    pub async fn bring_down(&self) {
        self.instances.stop_all().await;
        self.networks.bring_down().await;
    }

    /// Flushes and closes; containers go on running.
    pub async fn close(&self) {
        let store = self.store.clone();
        // Waits for the writer; nothing can be done about a writer that has died.
        let _ = tokio::task::spawn_blocking(move || store.close()).await;
    }
}
