//! `lxd init --auto`: choosing everything, as a function of what is there.

use super::preseed::{Network, Pool, Preseed};
use crate::args::Init;
use crate::talk::{Daemon, TalkError};
use api::Config;
use api::profiles::Profile;
use http::Method;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// What a pool is made with when nobody says.
pub(super) const DRIVER: &str = "dir";
/// What a pool is called when nobody says.
pub(super) const POOL: &str = "default";
/// Where the daemon listens when nobody says.
pub(super) const PORT: u16 = 8443;
/// What bridges are called, followed by a number.
const BRIDGE: &str = "lxdbr";

/// Flags that do not go together, or not with what is there.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum AutoError {
    /// A directory needs nothing.
    #[error(
        "None of --storage-pool, --storage-create-device or --storage-create-loop may be used with the 'dir' backend"
    )]
    Dir,
    /// One or the other.
    #[error("Only one of --storage-create-device or --storage-create-loop can be specified")]
    DeviceAndLoop,
    /// These do nothing alone.
    #[error("--network-port and --trust-password need --network-address")]
    Address,
    /// There is a pool.
    #[error("Storage has already been configured")]
    Configured,
}

/// What the storage flags say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Storage {
    driver: Option<String>,
    device: Option<String>,
    loop_size: Option<u32>,
    pool: Option<String>,
}

impl From<&Init> for Storage {
    fn from(options: &Init) -> Self {
        Self {
            driver: options.storage_backend.clone(),
            device: options.storage_create_device.clone(),
            loop_size: options.storage_create_loop,
            pool: options.storage_pool.clone(),
        }
    }
}

/// What the network flags say, as keys of the server; empty without them.
///
/// # Errors
/// Flags that do not go together.
pub(super) fn network(options: &Init) -> Result<Config, AutoError> {
    let Some(address) = options.network_address.as_deref().filter(|address| !address.is_empty()) else {
        let details = options.network_port.is_some() || options.trust_password.is_some();
        return if details { Err(AutoError::Address) } else { Ok(Config::new()) };
    };
    let port = options.network_port.unwrap_or(PORT);
    Ok(listener(address, port, options.trust_password.as_deref().unwrap_or_default()))
}

/// The keys of the server that make it listen; without a password where that is empty.
pub(super) fn listener(address: &str, port: u16, password: &str) -> Config {
    let host = match address {
        "all" => "[::]".to_owned(),
        address if address.contains(':') && !address.starts_with('[') => format!("[{address}]"),
        address => address.to_owned(),
    };
    let mut config = Config::from([("core.https_address".to_owned(), format!("{host}:{port}"))]);
    if !password.is_empty() {
        config.insert("core.trust_password".to_owned(), password.to_owned());
    }
    config
}

/// What is there already.
#[derive(Clone, Debug, Default)]
pub(super) struct Observed {
    /// Names of storage pools.
    pub(super) pools: Vec<String>,
    /// Names of managed networks.
    pub(super) networks: Vec<String>,
    /// Names of all interfaces and networks.
    pub(super) interfaces: Vec<String>,
    /// Storage drivers of the daemon's host, the best ones first.
    pub(super) drivers: Vec<String>,
    /// The daemon's directory, which is on this host too.
    pub(super) var: PathBuf,
    /// It is on a btrfs.
    pub(super) on_btrfs: bool,
    /// How large a loop file should be, in GB.
    pub(super) loop_size: u64,
    /// Names and types of the devices of the profile `default`.
    pub(super) default_devices: Vec<(String, String)>,
}

impl Observed {
    /// Asks the daemon.
    ///
    /// # Errors
    /// It does not answer.
    pub(super) async fn ask(daemon: &Daemon) -> Result<Self, TalkError> {
        let list = async |path: &str| daemon.ask(Method::GET, path, None).await;
        let name = |object: &Value| object["name"].as_str().map(str::to_owned);
        let objects = |value: Value| match value {
            Value::Array(objects) => objects,
            _ => Vec::new(),
        };
        let pools = objects(list("/1.0/storage-pools?recursion=1").await?);
        let networks = objects(list("/1.0/networks?recursion=1").await?);
        let profile = match list("/1.0/profiles/default").await {
            Err(error) if error.is_not_found() => Profile::default(),
            answer => serde_json::from_value(answer?).unwrap_or_default(),
        };
        let kind = |device: &std::collections::BTreeMap<String, String>| {
            device.get("type").cloned().unwrap_or_default()
        };
        let server = list("/1.0").await?;
        let supported = objects(server["environment"]["storage_supported_drivers"].clone());
        let driver = |object: &Value| object["Name"].as_str().map(str::to_owned);
        let var = daemon.var();
        Ok(Self {
            drivers: supported.iter().filter_map(driver).collect(),
            on_btrfs: rustix::fs::statfs(&var).is_ok_and(|found| found.f_type == BTRFS),
            loop_size: loop_size(&var),
            var,
            pools: pools.iter().filter_map(name).collect(),
            networks: networks.iter().filter(|network| network["managed"] == true).filter_map(name).collect(),
            interfaces: networks.iter().filter_map(name).collect(),
            default_devices: profile
                .devices
                .iter()
                .map(|(name, device)| (name.clone(), kind(device)))
                .collect(),
        })
    }

    fn has_device(&self, name: &str, kind: &str) -> bool {
        self.default_devices.iter().any(|(other, other_kind)| other == name || other_kind == kind)
    }

    /// The first name for a bridge that nothing has.
    pub(super) fn free_bridge(&self) -> String {
        let taken = |name: &String| self.interfaces.contains(name);
        (0_u32..).map(|number| format!("{BRIDGE}{number}")).find(|name| !taken(name)).unwrap_or_default()
    }
}

/// The type of a btrfs (`statfs(2)`).
const BTRFS: rustix::fs::FsWord = 0x9123_683e;

/// A fifth of the disk in whole GB, but no less than 15 and no more than 100.
fn loop_size(var: &Path) -> u64 {
    let total = rustix::fs::statvfs(var).map_or(0, |found| found.f_blocks.saturating_mul(found.f_frsize));
    ((total / 5) >> 30).clamp(15, 100)
}

/// What to make: a pool and a bridge where there are none, and what the default profile lacks to use them.
///
/// # Errors
/// Flags that do not go together.
pub(super) fn plan(storage: &Storage, network: Config, observed: &Observed) -> Result<Preseed, AutoError> {
    let driver = storage.driver.as_deref().unwrap_or(DRIVER);
    let details = storage.device.is_some() || storage.loop_size.is_some() || storage.pool.is_some();
    if driver == DRIVER && details {
        return Err(AutoError::Dir);
    }
    if storage.device.is_some() && storage.loop_size.is_some() {
        return Err(AutoError::DeviceAndLoop);
    }
    if !observed.pools.is_empty() && *storage != Storage::default() {
        return Err(AutoError::Configured);
    }
    let mut preseed = Preseed::default();
    preseed.config = network;
    let pool = match observed.pools.first() {
        Some(pool) => pool.clone(),
        None => {
            let pool = pool(storage, driver);
            let name = pool.name.clone();
            preseed.storage_pools.push(pool);
            name
        }
    };
    let bridge = match observed.networks.first() {
        Some(bridge) => bridge.clone(),
        None => {
            let name = observed.free_bridge();
            preseed.networks.push(bridge(&name, "auto"));
            name
        }
    };
    let root = (!observed.has_device("root", "disk")).then_some(pool.as_str());
    let nic = (!observed.has_device("eth0", "nic")).then_some(bridge.as_str());
    if root.is_some() || nic.is_some() {
        preseed.profiles.push(Preseed::default_profile(root, nic));
    }
    Ok(preseed)
}

fn pool(storage: &Storage, driver: &str) -> Pool {
    let mut config = Config::new();
    let mut name = POOL.to_owned();
    if let Some(device) = &storage.device {
        config.insert("source".to_owned(), device.clone());
    } else if let Some(size) = storage.loop_size {
        config.insert("size".to_owned(), format!("{size}GB"));
    }
    match (&storage.pool, config.is_empty()) {
        (Some(existing), true) => {
            config.insert("source".to_owned(), existing.clone());
        }
        (Some(wanted), false) => name.clone_from(wanted),
        (None, _) => {}
    }
    Pool { name, driver: driver.to_owned(), config, ..Pool::default() }
}

/// A bridge with this IPv4 address, translated if it is a private one of our choice.
pub(super) fn bridge(name: &str, ipv4: &str) -> Network {
    let mut config = Config::from([("ipv4.address".to_owned(), ipv4.to_owned())]);
    if ipv4 != "none" {
        config.insert("ipv4.nat".to_owned(), "true".to_owned());
    }
    Network { name: name.to_owned(), kind: "bridge".to_owned(), config, ..Network::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(driver: &str, device: Option<&str>, loop_size: Option<u32>, pool: Option<&str>) -> Storage {
        Storage {
            driver: Some(driver.to_owned()),
            device: device.map(str::to_owned),
            loop_size,
            pool: pool.map(str::to_owned),
        }
    }

    #[test]
    fn an_empty_daemon_gets_everything() {
        let preseed = plan(&Storage::default(), Config::new(), &Observed::default()).unwrap();
        assert_eq!(preseed.storage_pools[0].driver, "dir");
        assert_eq!(preseed.networks[0].name, "lxdbr0");
        assert_eq!(preseed.networks[0].config["ipv4.nat"], "true");
        assert_eq!(preseed.profiles[0].devices["root"]["pool"], "default");
        assert_eq!(preseed.profiles[0].devices["eth0"]["parent"], "lxdbr0");
    }

    #[test]
    fn what_is_there_stays() {
        let observed = Observed {
            pools: vec!["fast".to_owned()],
            networks: vec!["br7".to_owned()],
            interfaces: vec!["br7".to_owned()],
            default_devices: vec![("eth0".to_owned(), "nic".to_owned())],
            ..Observed::default()
        };
        let preseed = plan(&Storage::default(), Config::new(), &observed).unwrap();
        assert!(preseed.storage_pools.is_empty() && preseed.networks.is_empty());
        assert_eq!(preseed.profiles[0].devices.len(), 1);
        assert_eq!(preseed.profiles[0].devices["root"]["pool"], "fast");
        let complete = Observed {
            default_devices: vec![("a".into(), "disk".into()), ("b".into(), "nic".into())],
            ..observed
        };
        assert_eq!(plan(&Storage::default(), Config::new(), &complete).unwrap(), Preseed::default());
    }

    #[test]
    fn a_bridge_of_somebody_else_is_not_ours() {
        let observed = Observed { interfaces: vec!["lo".into(), "lxdbr0".into()], ..Observed::default() };
        assert_eq!(plan(&Storage::default(), Config::new(), &observed).unwrap().networks[0].name, "lxdbr1");
    }

    #[test]
    fn storage_flags_mean_what_they_always_meant() {
        let observed = Observed::default();
        let pool = |storage: &Storage| {
            plan(storage, Config::new(), &observed).map(|mut preseed| preseed.storage_pools.remove(0))
        };
        let made = pool(&flags("zfs", None, Some(20), Some("tank"))).unwrap();
        assert_eq!((made.name.as_str(), made.config["size"].as_str()), ("tank", "20GB"));
        let made = pool(&flags("zfs", None, None, Some("tank"))).unwrap();
        assert_eq!((made.name.as_str(), made.config["source"].as_str()), ("default", "tank"));
        assert_eq!(pool(&flags("dir", Some("/dev/sdb"), None, None)), Err(AutoError::Dir));
        assert_eq!(pool(&flags("zfs", Some("/dev/sdb"), Some(1), None)), Err(AutoError::DeviceAndLoop));
        let configured = Observed { pools: vec!["p".to_owned()], ..Observed::default() };
        assert_eq!(
            plan(&flags("btrfs", None, None, None), Config::new(), &configured),
            Err(AutoError::Configured)
        );
    }

    #[test]
    fn network_flags_become_keys() {
        let keys = |arguments: &[&str]| {
            use clap::Parser as _;
            let arguments = ["lxd", "init", "--auto"].iter().chain(arguments);
            let Some(crate::args::Command::Init(init)) = crate::args::Lxd::parse_from(arguments).command
            else {
                panic!()
            };
            network(&init).map(|config| config.into_values().collect::<Vec<_>>())
        };
        assert_eq!(keys(&[]), Ok(vec![]));
        assert_eq!(keys(&["--network-address", "all"]), Ok(vec!["[::]:8443".to_owned()]));
        let both = ["--network-address", "fd00::1", "--network-port", "9", "--trust-password", "p"];
        assert_eq!(keys(&both), Ok(vec!["[fd00::1]:9".to_owned(), "p".to_owned()]));
        assert_eq!(keys(&["--network-port", "9"]), Err(AutoError::Address));
        assert_eq!(keys(&["--trust-password", "p"]), Err(AutoError::Address));
    }
}
