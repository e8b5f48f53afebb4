//! The OSD pool: made or taken over, measured, removed.

use super::mounts::remove_directory;
use super::names::Device;
use super::{State, names};
use crate::block;
use crate::drivers::Resources;
use crate::error::Error;
use crate::paths::PARTS;
use crate::pool::blocking;
use std::collections::BTreeMap;
use std::sync::Arc;

impl State {
    pub(super) async fn create(self: &Arc<Self>) -> Result<BTreeMap<String, String>, Error> {
        self.check_names()?;
        let pool = &self.rbd.pool;
        let pristine = !self.rbd.access.pools().await?.contains(pool);
        if pristine {
            self.rbd.access.create_pool(pool, self.settings.pg_num).await?;
        }
        let state = self.clone();
        let made = match self.take_over(pristine).await {
            Ok(()) => blocking(move || state.make_places().map(drop)).await,
            error => error,
        };
        if let Err(error) = made {
            if pristine && let Err(failed) = self.rbd.access.delete_pool(pool).await {
                tracing::warn!(
                    pool,
                    error = &failed as &dyn std::error::Error,
                    "cannot remove an OSD pool again"
                );
            }
            return Err(error);
        }
        let settings = &self.settings;
        let keys = [
            ("source", pool.clone()),
            ("ceph.cluster_name", settings.cluster.clone()),
            ("ceph.user.name", settings.user.clone()),
            ("ceph.osd.pool_name", pool.clone()),
            ("ceph.osd.pg_num", settings.pg_num.to_string()),
            ("volatile.pool.pristine", pristine.to_string()),
        ];
        Ok(keys.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    }

    /// Names that have another meaning to Ceph's programs, or to the file system where they look for the
    /// cluster's configuration.
    fn check_names(&self) -> Result<(), Error> {
        let (settings, pool) = (&self.settings, &self.rbd.pool);
        let refused = |name: &str, why: &str| Error::Source {
            source_name: name.to_owned(),
            driver: "ceph",
            why: why.to_owned(),
        };
        if let (Some(source), Some(name)) = (&self.source, &settings.osd_pool)
            && source != name
        {
            return Err(refused(
                source,
                "it names another OSD pool than ceph.osd.pool_name; leave one of them out",
            ));
        }
        if !is_word(&settings.cluster) || !is_word(&settings.user) {
            let why = "ceph.cluster_name and ceph.user.name are made of letters, digits, dashes, dots and underscores";
            return Err(refused(pool, why));
        }
        if pool.starts_with(['-', '.']) || pool.contains(['/', '@', '%']) {
            let why = "an OSD pool's name has no '/', '@' or '%' and begins with neither '-' nor '.'; choose one with ceph.osd.pool_name";
            return Err(refused(pool, why));
        }
        Ok(())
    }

    /// Marks an OSD pool as used by a server.
    async fn take_over(&self, pristine: bool) -> Result<(), Error> {
        let mark = names::mark(&self.rbd.pool);
        if pristine {
            self.rbd.init_pool().await?;
        } else if self.rbd.info(&mark).await?.is_some() {
            if self.settings.force_reuse {
                return Ok(());
            }
            return Err(Error::Source {
                source_name: self.rbd.pool.clone(),
                driver: "ceph",
                why: "a server uses this OSD pool or has used it; set ceph.osd.force_reuse=true to use it all the same".to_owned(),
            });
        }
        Ok(self.rbd.create(&mark, 0).await?)
    }

    /// Sees whether the cluster answers and has the OSD pool.
    pub(super) async fn mount(self: &Arc<Self>) -> Result<bool, Error> {
        self.fsid().await?;
        if self.rbd.info(&names::mark(&self.rbd.pool)).await?.is_none() {
            // A list of nothing is fine; that there is no such pool is an error.
            self.rbd.list().await?;
        }
        let state = self.clone();
        blocking(move || state.make_places()).await
    }

    pub(super) async fn resources(&self) -> Result<Resources, Error> {
        let usage = self.rbd.access.usage(&self.rbd.pool).await?;
        Ok(Resources {
            space_used: usage.used,
            space_total: usage.used.saturating_add(usage.available),
            inodes_used: 0,
            inodes_total: 0,
        })
    }

    /// An OSD pool that was made for this pool goes with it. Of another one everything goes that is ours,
    /// unless it was taken over from a server that may still use it.
    pub(super) async fn delete(self: &Arc<Self>) -> Result<(), Error> {
        self.let_go().await?;
        if self.settings.pristine {
            self.rbd.access.delete_pool(&self.rbd.pool).await?;
        } else if !self.settings.force_reuse {
            let mark = names::mark(&self.rbd.pool);
            for device in self.rbd.list().await? {
                if !matches!(Device::parse(&device), Device::Other | Device::Zombie) {
                    self.retire(&device).await?;
                }
            }
            self.removals.settle().await?;
            let rows = self.rbd.list_all().await?;
            self.sweep(super::zombies::idle(&rows, &self.rbd.pool)).await?;
            if self.rbd.info(&mark).await?.is_some() {
                self.rbd.remove(&mark).await?;
            }
        }
        let state = self.clone();
        blocking(move || state.remove_places()).await
    }

    /// Unmounts everything of the pool and takes it back from the kernel.
    async fn let_go(&self) -> Result<(), Error> {
        let paths = self.paths.clone();
        let targets = blocking(move || {
            let mut targets = Vec::new();
            for (part, _) in PARTS {
                collect(&paths.part(part), 2, &mut targets);
            }
            Ok(targets)
        });
        for target in targets.await? {
            block::unmount(&target).await?;
            remove_directory(&target)?;
        }
        for mapping in self.mappings().await? {
            if self.settings.force_reuse {
                // Another server on this host may use the same OSD pool.
                self.unmap_path(&mapping.path, 1).await?;
            } else {
                self.unmap_for_good(&mapping.name).await?;
            }
        }
        Ok(())
    }

    fn remove_places(&self) -> Result<(), Error> {
        for (part, _) in PARTS {
            remove_directory(&self.paths.part(part))?;
        }
        remove_directory(&self.paths.mount)
    }
}

/// Directories that something may be mounted on, the deepest first.
fn collect(directory: &std::path::Path, depth: u32, targets: &mut Vec<std::path::PathBuf>) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        // What is below a volume's own root is a user's.
        if depth > 1 && !block::is_mounted(&path).unwrap_or(true) {
            collect(&path, depth - 1, targets);
        }
        targets.push(path);
    }
}

fn is_word(name: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !name.is_empty() && !name.starts_with(['-', '.']) && name.chars().all(good)
}
