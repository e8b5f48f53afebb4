//! The server's own configuration and what it runs on.

use crate::Error;
use crate::apparmor::Apparmor;
use crate::certificates::guesses::Guesses;
use crate::certificates::password;
use crate::platform::Platform;
use crate::pools::Pools;
use crate::settings::Settings;
use api::Config;
use api::server::{Environment, ServerPut, StorageDriver};
use model::config::server::{find, validate};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use storage::DriverKind;
use store::Store;
use tokio::sync::OwnedMutexGuard;
use transport::proxy::Proxies;

/// The key whose value is kept as a hash.
const PASSWORD: &str = "core.trust_password";

/// Addresses under which this host can be reached; none when the kernel does not tell. Blocks for a
/// moment.
#[must_use]
pub fn host_addresses() -> Vec<IpAddr> {
    network::interfaces::reachable().unwrap_or_else(|error| {
        tracing::warn!(error = &error as &dyn std::error::Error, "cannot list the host's addresses");
        Vec::new()
    })
}

/// Configuration and environment. Cheap to clone.
#[derive(Clone)]
pub struct Server {
    store: Store,
    platform: Platform,
    pools: Pools,
    apparmor: Apparmor,
    settings: Settings,
    /// Changes come one after the other: each starts from what the last one left.
    turn: Arc<tokio::sync::Mutex<()>>,
    guesses: Arc<Mutex<Guesses>>,
    guessing: Arc<tokio::sync::Mutex<()>>,
}

impl Server {
    pub(crate) fn new(
        store: Store,
        platform: Platform,
        pools: Pools,
        apparmor: Apparmor,
        settings: Settings,
    ) -> Self {
        let guesses = Arc::new(Mutex::new(Guesses::new(Instant::now())));
        let (turn, guessing) = Default::default();
        Self { store, platform, pools, apparmor, settings, turn, guesses, guessing }
    }

    /// Typed values of the configuration.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The proxies to download through.
    #[must_use]
    pub fn proxies(&self) -> Proxies {
        self.settings.proxies()
    }

    /// Checks a guess of the trust password that came from an address.
    ///
    /// # Errors
    /// It is wrong, or there is none; too many guesses were wrong.
    pub async fn check_password(&self, from: IpAddr, guess: String) -> Result<(), Error> {
        let stored = self.settings.all().get(PASSWORD).cloned();
        let Some(stored) = stored.filter(|_| !guess.is_empty()) else { return Err(Error::NotAuthorized) };
        self.guesses()
            .take(from, Instant::now())
            .map_err(|wait| Error::TooManyGuesses { seconds: wait.as_secs() + 1 })?;
        // One at a time: each needs 16 MiB.
        let turn = self.guessing.lock().await;
        let right = tokio::task::spawn_blocking(move || password::matches(&stored, &guess)).await;
        drop(turn);
        if !right.map_err(|_| Error::Shutdown)? {
            tracing::warn!(%from, "somebody gave a wrong trust password");
            return Err(Error::NotAuthorized);
        }
        self.guesses().right(from);
        Ok(())
    }

    fn guesses(&self) -> MutexGuard<'_, Guesses> {
        self.guesses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keys that are set, as clients see them: hidden ones read `true`.
    #[must_use]
    pub fn config(&self) -> BTreeMap<String, serde_json::Value> {
        let shown = |key: &str, value: &str| -> serde_json::Value {
            if find(key).is_some_and(|row| row.hidden) { true.into() } else { value.into() }
        };
        let all = self.settings.all();
        all.iter().map(|(key, value)| (key.clone(), shown(key, value))).collect()
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
            storage_supported_drivers: self.storage_drivers(),
            storage_version,
            warnings: self.platform.warnings().into_iter().chain(self.apparmor.warning()).collect(),
            ..Environment::default()
        }
    }

    /// True: the environment will not change by itself.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.pools.supported().is_some()
    }

    fn storage_drivers(&self) -> Vec<StorageDriver> {
        let shown = |kind: DriverKind, version: &str| StorageDriver {
            name: kind.name().to_owned(),
            version: version.to_owned(),
            remote: kind == DriverKind::Ceph,
        };
        match self.pools.supported() {
            Some(known) => known.iter().map(|driver| shown(driver.kind, &driver.version)).collect(),
            None => storage::available().into_iter().map(|kind| shown(kind, "")).collect(),
        }
    }

    /// Begins to set keys: all of them (`replace`), or the given ones. Nothing is changed before
    /// [`Change::keep`]; other changes wait until then.
    ///
    /// # Errors
    /// Unknown keys and bad values.
    pub async fn change(&self, put: ServerPut, replace: bool) -> Result<Change, Error> {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let old = self.settings.all();
        let mut new = if replace { Config::new() } else { Config::clone(&old) };
        for (key, value) in put.config {
            match value {
                serde_json::Value::String(text) => drop(new.insert(key, text)),
                serde_json::Value::Null => drop(new.remove(&key)),
                // What a client reads of a hidden key comes back as it was shown.
                serde_json::Value::Bool(true) if find(&key).is_some_and(|row| row.hidden) => {
                    if let Some(kept) = old.get(&key) {
                        new.insert(key, kept.clone());
                    }
                }
                other => return Err(Error::ServerValue { key, kind: kind(&other) }),
            }
        }
        new.retain(|_, value| !value.is_empty());
        validate(&new)?;
        if let Some(password) = new.get(PASSWORD).filter(|new| old.get(PASSWORD) != Some(new)).cloned() {
            let hash = tokio::task::spawn_blocking(move || password::hash(&password));
            new.insert(PASSWORD.to_owned(), hash.await.map_err(|_| Error::Shutdown)?);
        }
        Ok(Change { server: self.clone(), old, new, _turn: turn })
    }
}

fn kind(value: &serde_json::Value) -> &'static str {
    match value {
        serde_json::Value::Null => "null",
        serde_json::Value::Bool(_) => "bool",
        serde_json::Value::Number(_) => "number",
        serde_json::Value::String(_) => "string",
        serde_json::Value::Array(_) => "list",
        serde_json::Value::Object(_) => "map",
    }
}

/// A change that is good, but not made yet.
pub struct Change {
    server: Server,
    old: Arc<Config>,
    new: Config,
    _turn: OwnedMutexGuard<()>,
}

impl Change {
    /// What a key will be, if it is to change; empty for unset.
    #[must_use]
    pub fn of(&self, key: &str) -> Option<&str> {
        let (old, new) = (self.old.get(key), self.new.get(key));
        (old != new).then(|| new.map_or("", String::as_str))
    }

    /// Makes it.
    ///
    /// # Errors
    /// It cannot be stored; nothing is changed then.
    pub async fn keep(self) -> Result<(), Error> {
        let stored = self.new.clone();
        self.server.store.write(move |tx| store::server_config::replace(tx, &stored)).await?;
        self.server.settings.replace(self.new);
        Ok(())
    }
}
