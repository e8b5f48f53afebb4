//! The server's own configuration and what it runs on.

use crate::Error;
use crate::apparmor::Apparmor;
use crate::platform::Platform;
use crate::pools::Pools;
use api::Config;
use api::server::{Environment, ServerPut};
use model::config::server::{find, validate};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use store::Store;

/// Configuration and environment. Cheap to clone.
#[derive(Clone)]
pub struct Server {
    store: Store,
    platform: Platform,
    pools: Pools,
    apparmor: Apparmor,
    config: Arc<RwLock<Config>>,
}

impl Server {
    pub(crate) async fn open(
        store: Store,
        platform: Platform,
        pools: Pools,
        apparmor: Apparmor,
    ) -> Result<Self, Error> {
        let config = store.read(store::server_config::get).await?;
        Ok(Self { store, platform, pools, apparmor, config: Arc::new(RwLock::new(config)) })
    }

    fn stored(&self) -> Config {
        self.config.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keys that are set, as clients see them: hidden ones read `true`.
    #[must_use]
    pub fn config(&self) -> BTreeMap<String, serde_json::Value> {
        let shown = |key: &str, value: String| {
            if find(key).is_some_and(|row| row.hidden) { true.into() } else { value.into() }
        };
        self.stored()
            .into_iter()
            .map(|(key, value)| {
                let value = shown(&key, value);
                (key, value)
            })
            .collect()
    }

    /// What the server is and runs on; the daemon adds addresses, version and certificate.
    #[must_use]
    pub fn environment(&self) -> Environment {
        let (storage, storage_version) = self.pools.drivers();
        let kernel = self.platform.kernel();
        let text = |value: &std::ffi::CStr| value.to_string_lossy().into_owned();
        let architecture = self.platform.host().architecture;
        Environment {
            architectures: std::iter::once(architecture)
                .chain(architecture.personalities().iter().copied())
                .map(|architecture| architecture.name().to_owned())
                .collect(),
            driver: "lxc".to_owned(),
            driver_version: env!("CARGO_PKG_VERSION").to_owned(),
            firewall: "nftables".to_owned(),
            kernel: text(kernel.sysname()),
            kernel_architecture: text(kernel.machine()),
            kernel_version: text(kernel.release()),
            lxc_features: self.platform.lxc_features(),
            project: "default".to_owned(),
            server: "lxd".to_owned(),
            server_name: text(kernel.nodename()),
            server_pid: std::process::id(),
            storage,
            storage_version,
            warnings: self.platform.warnings().into_iter().chain(self.apparmor.warning()).collect(),
            ..Environment::default()
        }
    }

    /// Sets keys: all of them (`replace`), or the given ones.
    ///
    /// # Errors
    /// Unknown keys and bad values; nothing is changed then.
    pub async fn update(&self, put: ServerPut, replace: bool) -> Result<(), Error> {
        let old = self.stored();
        let mut config = if replace { Config::new() } else { old.clone() };
        for (key, value) in put.config {
            match value {
                serde_json::Value::String(text) => drop(config.insert(key, text)),
                serde_json::Value::Null => drop(config.remove(&key)),
                // What a client reads of a hidden key comes back as it was shown.
                serde_json::Value::Bool(true) if find(&key).is_some_and(|row| row.hidden) => {
                    if let Some(kept) = old.get(&key) {
                        config.insert(key, kept.clone());
                    }
                }
                other => return Err(Error::ServerValue { key, value: other.to_string() }),
            }
        }
        config.retain(|_, value| !value.is_empty());
        validate(&config)?;
        if let Some(key) = config.keys().find(|key| {
            config.get(*key) != old.get(*key)
                && find(key).is_none_or(|row| !row.applied)
                && !key.starts_with("user.")
        }) {
            return Err(Error::Unsupported {
                subject: format!("The server key {key}"),
                feature: "what this key controls",
                hint: "leave it unset",
            });
        }
        let stored = config.clone();
        self.store.write(move |tx| store::server_config::replace(tx, &stored)).await?;
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }
}
