//! The limits of one container: with its control groups at the start, and while it runs.

use super::owner::Owner;
use crate::Error;
use crate::limits::{Setting, Settings, disks, groups, packets, rates};
use api::instances::Instance;
use model::DeviceName;
use model::config::{Effective, Priority};
use model::devices::Device;
use model::expand::Checked;
use model::names::InstanceName;
use std::collections::BTreeMap;
use std::sync::Arc;

type Devices = BTreeMap<DeviceName, Device>;

impl Owner {
    /// What its new control groups need written.
    pub(super) async fn limits_at_start(&self, checked: &Checked) -> Result<Settings, Error> {
        const KEY: &str = "limits.cpu";
        let limits = &checked.config.limits;
        let mut settings = groups::at_start(limits, self.context.platform.limit_facts());
        if let Some(cpus) = self.context.balancer.first(limits.cpu.as_ref())? {
            let setting = Setting::new(KEY, "cpuset", "cpuset.cpus", &cpus);
            settings.v1.push(setting.clone());
            settings.v2.push(setting);
        }
        let rates = self.disk_limits(checked.devices.clone()).await?;
        settings.extend(rates::changes(&rates::Averages::new(), &rates));
        Ok(settings)
    }

    /// What depends on the interfaces of the host, its own among them, which are there by now.
    pub(super) async fn give_network_priority(&self, priority: Option<Priority>) {
        let wanted = self.context.platform.layout().version_of("net_prio").is_some();
        let Some(live) = self.entry().live().filter(|_| wanted) else { return };
        let given = tokio::task::spawn_blocking(move || {
            packets::give(&live.cgroup, priority, &packets::interfaces());
        });
        // A panic in there has been logged.
        let _ = given.await;
    }

    /// Writes what is different now. Nothing is done for a container that does not run.
    pub(super) async fn follow_limits(&mut self, before: &Instance, after: &Instance) -> Result<(), Error> {
        if self.entry().live().is_none() {
            return Ok(());
        }
        let new = Effective::parse(&after.expanded_config)?.limits;
        // A value that cannot be read was never in effect.
        let old = Effective::parse(&before.expanded_config).map(|old| old.limits).unwrap_or_default();
        if old.cpu != new.cpu {
            self.context.balancer.check(new.cpu.as_ref())?;
        }
        let mut settings = groups::changes(&old, &new, self.context.platform.limit_facts());
        if before.expanded_devices != after.expanded_devices {
            let typed =
                |view: &Instance| model::devices::parse_all(&view.expanded_devices).unwrap_or_default();
            let had = self.disk_limits(typed(before)).await.unwrap_or_default();
            let has = self.disk_limits(typed(after)).await?;
            settings.extend(rates::changes(&had, &has));
        }
        if old.network_priority != new.network_priority {
            self.give_network_priority(new.network_priority).await;
        }
        let memory = (old.memory, old.memory_hard) != (new.memory, new.memory_hard);
        self.write_limits(settings).await?;
        if memory || old.cpu != new.cpu {
            self.context.balancer.now().await;
        }
        Ok(())
    }

    /// The limits of block devices, where the kernel can limit any.
    async fn disk_limits(&self, devices: Devices) -> Result<rates::Averages, Error> {
        let layout = self.context.platform.layout();
        let limited = |device: &Device| match device {
            Device::Disk(disk) => disk.limits.read.is_some() || disk.limits.write.is_some(),
            _ => false,
        };
        let possible = layout.version_of("blkio").or(layout.version_of("io")).is_some();
        if !possible || !devices.values().any(limited) {
            return Ok(rates::Averages::new());
        }
        let name: &InstanceName = &self.record.name;
        let mounted = self.context.pools.container(&self.record.pool, name).await?;
        let root = mounted.path().join("rootfs");
        let (mut volumes, mut held) = (BTreeMap::new(), Vec::new());
        for (name, device) in devices.iter().filter(|(_, device)| limited(device)) {
            if let Some(mounted) = crate::devices::mount_volume(&self.context, device).await? {
                volumes.insert(name.clone(), mounted.path().to_owned());
                held.push(mounted);
            }
        }
        let found = tokio::task::spawn_blocking(move || disks::limits_of(&devices, &root, &volumes)).await;
        drop(held);
        found.map_err(|_| Error::Shutdown)?
    }

    async fn write_limits(&self, settings: Settings) -> Result<(), Error> {
        let Some(live) = self.entry().live() else { return Ok(()) };
        let live = Arc::clone(&live);
        // Taking memory back may take a while.
        tokio::task::spawn_blocking(move || {
            for setting in settings.all() {
                live.cgroup
                    .set(&setting.file)
                    .map_err(|source| Error::Limit { key: setting.key.clone(), source })?;
            }
            Ok(())
        })
        .await
        .map_err(|_| Error::Shutdown)?
    }
}
