//! Start: from a stopped container to an init that runs.

use super::confine;
use super::gate;
use super::live::Live;
use super::owner::Owner;
use crate::compose::{self, Facts, compose};
use crate::devices::{self, nic};
use crate::instances::context::Context;
use crate::steps::Steps;
use crate::volumes::Attached;
use crate::{Error, keeper, raw_lxc};
use api::{Config, Time};
use container::cgroup::Cgroup;
use model::IdMap;
use model::config::raw_lxc::Interface;
use model::expand::Checked;
use model::power::LastPower;
use model::runtime::spec::ContainerSpec;
use model::state::InstanceState;
use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use storage::Mounted;

/// What is put together before anything is done.
struct Prepared {
    spec: ContainerSpec,
    volume: Mounted,
    nics: Vec<nic::Plan>,
    idmap: Option<IdMap>,
    seccomp: Option<std::os::fd::OwnedFd>,
    /// Mounts that the specification takes as given.
    given: Vec<std::os::fd::OwnedFd>,
    /// The volumes among its devices.
    volumes: BTreeMap<String, Attached>,
    /// Keys of the container's own configuration that change with this start.
    changes: Config,
}

impl Owner {
    /// Starts it; on failure it is stopped again and nothing of the attempt remains.
    pub(super) async fn start(&mut self) -> Result<(), Error> {
        if self.context.going_down.load(Ordering::SeqCst) {
            return Err(Error::Shutdown);
        }
        self.set_state(InstanceState::Starting);
        // The server of a stopped container's files must not outlive its being stopped.
        self.entry().set_live(None);
        match self.start_steps().await {
            Ok((live, checked)) => {
                let pid = live.pid;
                self.entry().set_live(Some(live));
                self.context.balancer.soon();
                let priority = checked.config.limits.network_priority;
                if priority.is_some() {
                    self.give_network_priority(priority).await;
                }
                self.set_state(InstanceState::Running { pid });
                self.context.hotplug.notify_one();
                self.context.tell("container-started", self.name());
                Ok(())
            }
            Err(error) => {
                self.set_state(InstanceState::Stopped);
                Err(error)
            }
        }
    }

    async fn start_steps(&mut self) -> Result<(Arc<Live>, Checked), Error> {
        let name = self.name().to_owned();
        let context = self.context.clone();
        let mut steps = Steps::new(&name);
        let checked = steps.run("start:check", async { gate::read(&self.expanded()) }).await?;
        // What is prepared of them, whether or not all of it could be.
        steps.undo("start:prepare", forget_devices(context.clone(), name.clone()));
        steps.run("start:modules", super::modules::load(&checked.config.kernel_modules)).await?;
        steps.run("start:size", self.apply_size()).await?;
        let mut prepared = steps.run("start:prepare", self.prepare(&checked)).await?;
        let listener = steps.run("start:guest", self.build_door()).await?;
        steps.undo("start:guest", self.tear_down_door());
        let (seccomp, given) = (prepared.seccomp.take(), std::mem::take(&mut prepared.given));
        let mut spec = prepared.spec.clone();
        steps.undo("start:apparmor", unconfine(context.clone(), name.clone()));
        let wish = confine::wish(&checked.config, prepared.idmap.is_none());
        spec.apparmor = steps.run("start:apparmor", context.apparmor.load(&name, &wish)).await?;
        let cgroup_path = spec.cgroup.path.clone();
        let cloned =
            steps.run("start:clone", async { Ok(context.keeper.start(spec, seccomp, given).await?) }).await?;
        steps.undo("start:clone", abandon(context.clone(), name.clone()));
        steps.run("start:reserve", self.reserve(&mut prepared.nics)).await?;
        let netns =
            cloned.netns.try_clone().map_err(|source| Error::Io { doing: "hold a namespace", source })?;
        steps.undo("start:reserve", self.give_back(&checked, netns));
        steps
            .run("start:network", async {
                for plan in &prepared.nics {
                    nic::attach(&context, plan, cloned.netns.as_fd()).await?;
                }
                addresses(&checked.config.raw_lxc.interfaces, &prepared.nics, cloned.netns.as_fd()).await?;
                Ok(())
            })
            .await?;
        let started = steps.run("start:init", async { Ok(context.keeper.proceed(&name).await?) }).await?;
        let volume = prepared.volume;
        let live = steps
            .run("start:open", async {
                Ok(Live {
                    pid: started.pid,
                    pidfd: cloned.pidfd,
                    netns: cloned.netns,
                    devpts: started.devpts,
                    cgroup: Cgroup::open(context.platform.layout(), &cgroup_path).map_err(Error::Cgroup)?,
                    door: Mutex::default(),
                    interfaces: Mutex::default(),
                    idmap: prepared.idmap.clone(),
                    volumes: Mutex::new(std::mem::take(&mut prepared.volumes)),
                    volume,
                })
            })
            .await?;
        if let Some(listener) = listener {
            self.open_door(&live, listener)?;
        }
        let live = Arc::new(live);
        steps.run("start:proxies", self.forward(&live)).await?;
        let changes = std::mem::take(&mut prepared.changes);
        steps.run("start:record", self.record_start(changes)).await?;
        steps.keep();
        Ok((live, checked))
    }

    /// Everything that can be done before there is a process.
    async fn prepare(&mut self, checked: &Checked) -> Result<Prepared, Error> {
        let mut changes = Config::new();
        let allocation = if checked.config.privileged { None } else { Some(self.allocate_ids(checked)?) };
        if let Some(own) = allocation.as_ref().and_then(|allocation| allocation.own) {
            changes.insert("volatile.idmap.base".to_owned(), own.base.to_string());
        }
        let idmap = allocation.map(|allocation| allocation.map);
        let volume = self.context.pools.container(&self.record.pool, &self.record.name).await?;
        let home = volume.path().to_owned();
        let idmapped = self.fit_owners(&home, idmap.as_ref(), &mut changes).await?;
        self.apply_templates(&home, if idmapped { None } else { idmap.as_ref() }, &mut changes).await?;
        let logs = self.prepare_logs().await?;
        let mut config = self.record.config.clone();
        for (key, value) in
            nic::missing_keys(&checked.devices, &config, BTreeSet::new(), || self.context.random())
        {
            config.insert(key.clone(), value.clone());
            changes.insert(key, value);
        }
        let nics = nic::plan(&checked.devices, &config, || u32::from_le_bytes(crate::random::bytes()))?;
        let seccomp = self.context.filters.program(&checked.config)?;
        let limits = self.limits_at_start(checked).await?;
        // In a user namespace the host that is around it decides.
        let restricted = idmap.is_none() && self.context.platform.is_initial();
        let expanded = self.entry().view().expanded_devices.clone();
        let devices = devices::prepare(
            &self.context,
            self.name(),
            (&checked.devices, &expanded),
            idmap.as_ref(),
            if restricted { raw_lxc::usual_devices(&checked.config.raw_lxc) } else { None },
        )
        .await?;
        let mut spec = compose(Facts {
            name: self.name().to_owned(),
            idmap: idmap.clone(),
            nesting: checked.config.nesting,
            environment: checked.config.environment.iter().cloned().collect(),
            rootfs: home.join("rootfs"),
            idmapped,
            rootfs_read_only: checked.root.1.readonly,
            devlxd: self.context.var.guest(self.name()),
            mounts: devices.mounts,
            devices: devices.rules,
            nics: nics.iter().map(|nic| nic.inside.to_string()).collect(),
            cgroup_base: self.context.var.cgroup_base(),
            limits,
            rlimits: checked.config.limits.kernel.iter().map(compose::rlimit).collect(),
            console_log: logs.join("console.log"),
            seccomp: seccomp.is_some(),
            personality: self.context.platform.personality(self.record.architecture),
        });
        raw_lxc::apply(&mut spec, &checked.config.raw_lxc, &self.context.platform.layout().mounts());
        tokio::fs::write(logs.join("lxc.conf"), describe(&spec)).await.map_err(|source| Error::Path {
            doing: "write",
            path: logs.join("lxc.conf"),
            source,
        })?;
        if !self.record.config.contains_key("volatile.uuid") {
            // Made by a version that did not give them any.
            changes.insert("volatile.uuid".to_owned(), uuid::Uuid::new_v4().to_string());
        }
        changes.insert("volatile.idmap.next".to_owned(), json(idmap.as_ref()));
        changes.insert("volatile.idmap.current".to_owned(), json(idmap.as_ref()));
        Ok(Prepared {
            spec,
            volume,
            nics,
            idmap,
            seccomp,
            given: devices.fds,
            volumes: devices.volumes,
            changes,
        })
    }

    /// Makes the owners on disk what the mount needs. True: the mount maps ids, so they are the
    /// container's own; false: they are the host's.
    async fn fit_owners(
        &mut self,
        home: &std::path::Path,
        idmap: Option<&IdMap>,
        changes: &mut Config,
    ) -> Result<bool, Error> {
        const KEY: &str = "volatile.last_state.idmap";
        let on_disk = match self.record.config.get(KEY) {
            Some(text) if !text.is_empty() => {
                Some(IdMap::from_json(text)?).filter(|map| !map.is_privileged())
            }
            _ => None,
        };
        let platform = self.context.platform.clone();
        let (rootfs, wanted) = (home.join("rootfs"), idmap.cloned());
        let (maps, target) = tokio::task::spawn_blocking(move || {
            let maps = wanted.is_some() && platform.maps_ids(&rootfs)?;
            let target = if maps { None } else { wanted };
            if on_disk != target {
                // Ids that were shifted before a crash are outside the old map: shifting again is
                // harmless.
                storage::tree::shift(&rootfs, on_disk.as_ref(), target.as_ref())
                    .map_err(storage::Error::from)?;
            }
            Ok::<_, Error>((maps, target))
        })
        .await
        .map_err(|_| Error::Shutdown)??;
        changes.insert(KEY.to_owned(), json(target.as_ref()));
        Ok(maps)
    }

    async fn record_start(&mut self, mut changes: Config) -> Result<(), Error> {
        changes.insert(model::power::KEY.to_owned(), LastPower::Running.value().to_owned());
        changes.insert("volatile.apply_template".to_owned(), String::new());
        changes.insert(crate::guest::READY_KEY.to_owned(), String::new());
        self.record.last_used_at = Time::now();
        self.save_keys(changes).await
    }

    async fn prepare_logs(&self) -> Result<std::path::PathBuf, Error> {
        let logs = self.context.var.log_dir(self.name());
        let (dir, name) = (logs.clone(), self.name().to_owned());
        tokio::task::spawn_blocking(move || {
            crate::var::directory(&dir, 0o700)?;
            let log = dir.join("lxc.log");
            // The first start has none.
            let _ = std::fs::rename(&log, dir.join("lxc.log.old"));
            let line = format!("{} {name} starts\n", Time::now());
            std::fs::write(&log, line).map_err(|source| Error::Path { doing: "write", path: log, source })
        })
        .await
        .map_err(|_| Error::Shutdown)??;
        Ok(logs)
    }
}

/// Gives interfaces the addresses that `raw.lxc` names by the interfaces' numbers.
async fn addresses(wished: &[Interface], nics: &[nic::Plan], netns: BorrowedFd<'_>) -> Result<(), Error> {
    for interface in wished {
        let Some(nic) = nics.get(interface.number) else {
            return Err(Error::NoInterface { number: interface.number, count: nics.len() });
        };
        let netns = netns
            .try_clone_to_owned()
            .map_err(|source| Error::Io { doing: "duplicate a descriptor", source })?;
        let (name, interface) = (nic.inside.clone(), interface.clone());
        tokio::task::spawn_blocking(move || {
            network::interfaces::configure(&netns, &name, &interface.addresses, &interface.gateways)
        })
        .await
        .map_err(|_| Error::Shutdown)?
        .map_err(network::Error::from)?;
    }
    Ok(())
}

/// Takes the profile of a container that did not start out of the kernel.
async fn unconfine(context: Arc<Context>, name: String) {
    context.apparmor.unload(&name).await;
}

/// Removes what devices of a start that failed have left.
async fn forget_devices(context: Arc<Context>, name: String) {
    if let Err(error) = devices::clear(&context, &name).await {
        tracing::warn!(instance = name, error = %error.story(), "cannot clear its devices away");
    }
}

/// Ends whatever a start that failed has left, in either of its two halves.
async fn abandon(context: Arc<Context>, name: String) {
    if context.keeper.abort(&name).await.is_ok() {
        return;
    }
    if let Ok(handles) = context.keeper.handles(&name).await {
        let keeper::Handles { pidfd, .. } = handles;
        if let Err(error) = sys::pidfd::send_signal(pidfd.as_fd(), 9) {
            tracing::warn!(instance = name, %error, "cannot kill what a failed start has left");
        }
    }
}

fn json(idmap: Option<&IdMap>) -> String {
    idmap.map_or_else(|| "[]".to_owned(), IdMap::to_json)
}

/// The specification for people who look for what a container was given.
fn describe(spec: &ContainerSpec) -> String {
    serde_json::to_string_pretty(spec).unwrap_or_default()
}
