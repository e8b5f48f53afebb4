//! `lxc complete`: what the scripts of `lxc completion` ask when the words depend on the server.
//!
//! Which kind of word is wanted is decided without asking anybody ([`wanted`]); nothing is printed
//! when it is one that the scripts know themselves, or when the server does not answer.

use crate::output;
use crate::session::Session;
use api::storage::Volume;
use client::{Client, VolumePlace};
use std::collections::BTreeSet;
use std::time::Duration;

/// A kind of word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word<'a> {
    Container,
    /// A server; with its colon, or without.
    Remote(&'static str),
    ContainerOrServerKey,
    Profile,
    /// A key of containers; with the sign that separates it from its value, or without.
    Key(&'static str),
    ServerKey,
    DeviceType,
    /// A property of a type of device.
    Property(&'a str),
    /// A property of a device that exists, in a container or a profile.
    PropertyOf {
        profile: bool,
        name: &'a str,
        device: &'a str,
    },
    Pool,
    /// A kind of pool.
    Driver,
    /// A key that a pool can have, or has.
    PoolKey {
        pool: &'a str,
        set: bool,
    },
    /// A volume of one's own.
    VolumeOf(&'a str),
    /// A key that a volume can have, or has.
    VolumeKey {
        pool: &'a str,
        volume: &'a str,
        set: bool,
    },
    /// `pool/volume`.
    PoolVolume,
    /// A snapshot of a volume.
    SnapshotOf {
        pool: &'a str,
        volume: &'a str,
    },
    /// A device that exists.
    DeviceOf {
        profile: bool,
        name: &'a str,
    },
}

/// How long a server may take: a shell that waits for the network is of no help.
const PATIENCE: Duration = Duration::from_secs(1);

impl Word<'_> {
    /// Whether it may have the name of a server before it.
    fn has_servers(self) -> bool {
        matches!(self, Self::Container | Self::Profile | Self::ContainerOrServerKey | Self::Pool)
    }
}

pub(crate) async fn run(session: &Session, words: &[String]) -> anyhow::Result<()> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let Some((typed, before)) = words.split_last() else { return Ok(()) };
    let (before, typed, own) = whole(before, typed);
    let before: Vec<&str> = before.iter().map(String::as_str).collect();
    let Some(word) = wanted(&before) else { return Ok(()) };
    // What is typed may begin with the name of a server, which the words are then looked for on.
    let remote = typed.split_once(':').map(|(remote, _)| remote).filter(|_| word.has_servers());
    let server = remote.unwrap_or(&session.settings.default_remote);
    let mut found = match (word, session.client(server)) {
        (Word::Remote(_), _) | (_, Err(_)) => BTreeSet::new(),
        (word, Ok(client)) => {
            let asked = tokio::time::timeout(PATIENCE, candidates(&client, word));
            asked.await.ok().and_then(Result::ok).unwrap_or_default()
        }
    };
    match remote {
        Some(remote) => found = found.iter().map(|name| format!("{remote}:{name}")).collect(),
        None => found.extend(remotes(session, word)),
    }
    let fitting = found.iter().filter(|word| word.starts_with(&typed)).map(|word| &word[own..]);
    let lines: String = fitting.map(|word| format!("{word}\n")).collect();
    Ok(output::print(&lines)?)
}

/// The words before the one that is typed, that one, and how much of it the shell has cut off as words of
/// their own and wants no answer about: bash cuts `server:name`.
fn whole(before: &[&str], typed: &str) -> (Vec<String>, String, usize) {
    let mut words = before.to_vec();
    words.push(typed);
    let mut whole = joined(&words);
    let last = whole.pop().unwrap_or_default();
    let cut = match words[..] {
        [.., _, ":"] => last.len(),
        [.., ":", typed] => last.len() - typed.len(),
        _ => 0,
    };
    // A value is none of our words.
    if last.contains('=') && last != typed {
        return (joined(before), typed.to_owned(), 0);
    }
    (whole, last, cut)
}

/// Servers, where their names may stand.
fn remotes(session: &Session, word: Word<'_>) -> Vec<String> {
    let all = session.settings.remotes.iter();
    match word {
        Word::Remote(sign) => all.map(|(name, _)| format!("{name}{sign}")).collect(),
        Word::Container | Word::Profile | Word::ContainerOrServerKey | Word::Pool => {
            let daemons = all.filter(|(_, remote)| remote.protocol != "simplestreams");
            daemons.map(|(name, _)| format!("{name}:")).collect()
        }
        _ => Vec::new(),
    }
}

/// Bash cuts `key=value` and `server:name` into three words.
fn joined(words: &[&str]) -> Vec<String> {
    let mut joined: Vec<String> = Vec::new();
    let mut open = false;
    for word in words {
        let sign = matches!(*word, "=" | ":");
        match joined.last_mut() {
            Some(last) if sign || open => last.push_str(word),
            _ => joined.push((*word).to_owned()),
        }
        open = sign;
    }
    joined
}

/// What fits behind these words.
fn wanted<'a>(before: &[&'a str]) -> Option<Word<'a>> {
    let plain: Vec<&str> = before.iter().copied().filter(|word| !word.starts_with('-')).collect();
    if let (["launch" | "init" | "copy" | "cp", ..], Some(&("-c" | "--config"))) = (&plain[..], before.last())
    {
        return Some(Word::Key("="));
    }
    if let (["launch" | "init" | "copy" | "cp" | "move" | "mv", ..], Some(&("-s" | "--storage"))) =
        (&plain[..], before.last())
    {
        return Some(Word::Pool);
    }
    if before.last().is_some_and(|word| word.starts_with('-')) {
        return None;
    }
    match plain[..] {
        ["remote", "remove" | "rm" | "rename" | "mv" | "set-default" | "set-url"] => Some(Word::Remote("")),
        ["list" | "ls" | "monitor" | "version"] => Some(Word::Remote(":")),
        ["image" | "profile" | "network" | "storage" | "operation", "list" | "ls"] => Some(Word::Remote(":")),
        ["image", "info" | "show" | "export" | "copy" | "cp"] | ["launch" | "init"] => {
            Some(Word::Remote(":"))
        }
        ["config", "get" | "set" | "unset"] => Some(Word::ContainerOrServerKey),
        ["config", "get" | "unset", _] => Some(Word::Key("")),
        ["config", "set", name, ..] if name.contains('.') => Some(Word::ServerKey),
        ["config", "set", _, ref rest @ ..] if key_comes_next(rest) => Some(Word::Key("")),
        ["config", "show" | "edit"] => Some(Word::Container),
        ["profile", "get" | "unset", _] => Some(Word::Key("")),
        ["profile", "set", _, ref rest @ ..] if key_comes_next(rest) => Some(Word::Key("")),
        ["profile", "show" | "edit" | "delete" | "rename" | "get" | "set" | "unset"] => Some(Word::Profile),
        ["profile", "add" | "assign" | "apply" | "remove"] => Some(Word::Container),
        ["profile", "add" | "assign" | "apply" | "remove", _] => Some(Word::Profile),
        ["storage", "volume", ref rest @ ..] => volume(rest),
        ["storage", ref rest @ ..] => pool(rest),
        [holder @ ("config" | "profile"), "device", ref rest @ ..] => device(holder == "profile", rest),
        ["start" | "stop" | "restart" | "pause" | "delete" | "rm", ..] => Some(Word::Container),
        ["exec" | "console" | "info" | "move" | "mv" | "copy" | "cp" | "rename" | "publish"] => {
            Some(Word::Container)
        }
        _ => None,
    }
}

/// After a key without `=` comes its value; pairs may be many.
fn key_comes_next(pairs: &[&str]) -> bool {
    pairs.iter().all(|pair| pair.contains('='))
}

fn pool<'a>(words: &[&'a str]) -> Option<Word<'a>> {
    match *words {
        ["show" | "info" | "get" | "set" | "unset" | "edit" | "delete" | "rm"] => Some(Word::Pool),
        ["create", _] => Some(Word::Driver),
        ["get" | "unset", pool] => Some(Word::PoolKey { pool, set: false }),
        ["set", pool, ref pairs @ ..] if key_comes_next(pairs) => Some(Word::PoolKey { pool, set: true }),
        _ => None,
    }
}

fn volume<'a>(words: &[&'a str]) -> Option<Word<'a>> {
    const OF_A_POOL: &[&str] = &[
        "attach",
        "attach-profile",
        "create",
        "delete",
        "rm",
        "detach",
        "detach-profile",
        "edit",
        "get",
        "info",
        "list",
        "ls",
        "rename",
        "restore",
        "set",
        "show",
        "snapshot",
        "unset",
    ];
    match *words {
        ["copy" | "cp" | "move" | "mv", ..] if words.len() <= 2 => Some(Word::PoolVolume),
        ["list" | "ls" | "create", _, ..] => None,
        [verb] if OF_A_POOL.contains(&verb) => Some(Word::Pool),
        ["delete" | "rm", pool, ..] => Some(Word::VolumeOf(pool)),
        [verb, pool] if OF_A_POOL.contains(&verb) => Some(Word::VolumeOf(pool)),
        ["attach" | "detach", _, _] => Some(Word::Container),
        ["attach-profile" | "detach-profile", _, _] => Some(Word::Profile),
        ["restore", pool, volume] => Some(Word::SnapshotOf { pool, volume }),
        ["get" | "unset", pool, volume] => Some(Word::VolumeKey { pool, volume, set: false }),
        ["set", pool, volume, ref pairs @ ..] if key_comes_next(pairs) => {
            Some(Word::VolumeKey { pool, volume, set: true })
        }
        _ => None,
    }
}

fn device<'a>(profile: bool, words: &[&'a str]) -> Option<Word<'a>> {
    match *words {
        ["add" | "get" | "list" | "ls" | "override" | "remove" | "rm" | "set" | "show" | "unset"] => {
            Some(if profile { Word::Profile } else { Word::Container })
        }
        ["add", _, _] => Some(Word::DeviceType),
        ["add", _, _, kind, ref pairs @ ..] if key_comes_next(pairs) => Some(Word::Property(kind)),
        ["get" | "remove" | "rm" | "set" | "unset" | "override", name] => {
            Some(Word::DeviceOf { profile, name })
        }
        ["get" | "unset", name, device] => Some(Word::PropertyOf { profile, name, device }),
        ["set" | "override", name, device, ref pairs @ ..] if key_comes_next(pairs) => {
            Some(Word::PropertyOf { profile, name, device })
        }
        _ => None,
    }
}

async fn candidates(client: &Client, word: Word<'_>) -> Result<BTreeSet<String>, client::Error> {
    Ok(match word {
        Word::Remote(_) => BTreeSet::new(),
        Word::Container => names(client).await?,
        Word::Profile => client.profiles().await?.into_iter().map(|profile| profile.name).collect(),
        Word::ContainerOrServerKey => {
            let mut words = names(client).await?;
            words.extend(keys(client, "server", "").await?);
            words
        }
        Word::Key(sign) => keys(client, "instance", sign).await?,
        Word::ServerKey => keys(client, "server", "").await?,
        Word::DeviceType => {
            let all = client.configuration().await?;
            all.configs
                .keys()
                .filter_map(|entity| entity.strip_prefix("device-"))
                .map(str::to_owned)
                .collect()
        }
        Word::Property(kind) => keys(client, &format!("device-{kind}"), "=").await?,
        Word::Pool => pool_names(client).await?,
        Word::Driver => ["btrfs", "ceph", "dir", "lvm", "zfs"].map(str::to_owned).into(),
        Word::PoolKey { pool, set } => {
            let pool = client.pool(pool).await?.value;
            let mut words: BTreeSet<String> = pool.config.into_keys().collect();
            if set {
                words.extend(storage_keys(client, &pool.driver, "pool-conf").await?);
            }
            words
        }
        Word::VolumeOf(pool) => custom_volumes(client, pool).await?,
        Word::VolumeKey { pool, volume, set } => {
            let place = VolumePlace { pool, kind: "custom", name: volume };
            let mut words: BTreeSet<String> = client.volume(place).await?.value.config.into_keys().collect();
            if set {
                let driver = client.pool(pool).await?.value.driver;
                words.extend(storage_keys(client, &driver, "volume-conf").await?);
            }
            words
        }
        Word::PoolVolume => {
            let mut words = BTreeSet::new();
            for pool in pool_names(client).await? {
                let volumes = custom_volumes(client, &pool).await.unwrap_or_default();
                words.extend(volumes.into_iter().map(|volume| format!("{pool}/{volume}")));
            }
            words
        }
        Word::SnapshotOf { pool, volume } => {
            let snapshots =
                client.volume_snapshots(VolumePlace { pool, kind: "custom", name: volume }).await?;
            let name = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
            snapshots.iter().map(|snapshot| name(&snapshot.name)).collect()
        }
        Word::DeviceOf { profile, name } => devices(client, profile, name).await?.into_keys().collect(),
        Word::PropertyOf { profile, name, device } => {
            let devices = devices(client, profile, name).await?;
            let kind = devices.get(device).and_then(|device| device.get("type"));
            keys(client, &format!("device-{}", kind.map_or("", String::as_str)), "").await?
        }
    })
}

async fn names(client: &Client) -> Result<BTreeSet<String>, client::Error> {
    Ok(client.containers().await?.into_iter().map(|container| container.name).collect())
}

async fn pool_names(client: &Client) -> Result<BTreeSet<String>, client::Error> {
    Ok(client.pools().await?.into_iter().map(|pool| pool.name).collect())
}

/// Volumes of one's own in a pool.
async fn custom_volumes(client: &Client, pool: &str) -> Result<BTreeSet<String>, client::Error> {
    let custom = |volume: &Volume| volume.kind == "custom";
    Ok(client.volumes(pool).await?.into_iter().filter(custom).map(|volume| volume.name).collect())
}

async fn devices(client: &Client, profile: bool, name: &str) -> Result<api::Devices, client::Error> {
    if profile {
        return Ok(client.profile(name).await?.value.devices);
    }
    Ok(client.container(name).await?.value.expanded_devices)
}

/// Keys that people set; of a family the part that is always the same.
async fn keys(client: &Client, entity: &str, sign: &str) -> Result<BTreeSet<String>, client::Error> {
    let all = client.configuration().await?;
    let set = all.rows().filter(|(of, key, about)| *of == entity && (sign.is_empty() || !own(key, about)));
    Ok(set
        .map(|(_, key, _)| match key.split_once('*') {
            Some((family, _)) => family.to_owned(),
            None => format!("{key}{sign}"),
        })
        .collect())
}

/// Keys of pools or volumes of a driver.
async fn storage_keys(client: &Client, driver: &str, group: &str) -> Result<BTreeSet<String>, client::Error> {
    let all = client.configuration().await?;
    let fits = |of: &str, found: &str| of.strip_prefix("storage-") == Some(driver) && found == group;
    let rows =
        all.grouped_rows().filter(|(of, found, key, _)| fits(of, found) && !key.starts_with("volatile."));
    Ok(rows.map(|(_, _, key, _)| key.to_owned()).collect())
}

/// A key that nobody sets at creation.
fn own(key: &str, about: &api::metadata::Key) -> bool {
    !about.scope.is_empty() || key.starts_with("volatile.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_where() {
        let fits = |text: &'static str| {
            let words: Vec<&'static str> = text.split_whitespace().collect();
            wanted(&words)
        };
        assert_eq!(fits("config set"), Some(Word::ContainerOrServerKey));
        assert_eq!(fits("config set c1"), Some(Word::Key("")));
        assert_eq!(fits("config set c1 limits.cpu"), None, "its value comes next");
        assert_eq!(fits("config set c1 limits.cpu=2"), Some(Word::Key("")));
        assert_eq!(fits("--quiet config get c1"), Some(Word::Key("")));
        assert_eq!(fits("profile set default"), Some(Word::Key("")));
        assert_eq!(fits("launch busybox c1 -c"), Some(Word::Key("=")));
        assert_eq!(fits("launch busybox"), None);
        assert_eq!(fits("config device add c1 eth0"), Some(Word::DeviceType));
        assert_eq!(fits("config device add c1 eth0 nic"), Some(Word::Property("nic")));
        assert_eq!(fits("config device add c1 eth0 nic nictype=p2p"), Some(Word::Property("nic")));
        let of = Word::PropertyOf { profile: true, name: "p", device: "root" };
        assert_eq!(fits("profile device set p root"), Some(of));
        assert_eq!(fits("config device remove c1"), Some(Word::DeviceOf { profile: false, name: "c1" }));
        assert_eq!(fits("start c1"), Some(Word::Container));
        assert_eq!(fits("image list"), Some(Word::Remote(":")));
        assert_eq!(fits("remote remove"), Some(Word::Remote("")));
        assert_eq!(fits("image import"), None);
        assert_eq!(fits("launch busybox -s"), Some(Word::Pool));
        assert_eq!(fits("storage show"), Some(Word::Pool));
        assert_eq!(fits("storage create p"), Some(Word::Driver));
        assert_eq!(fits("storage set p"), Some(Word::PoolKey { pool: "p", set: true }));
        assert_eq!(fits("storage set p volume.size"), None);
        assert_eq!(fits("storage list"), Some(Word::Remote(":")));
        assert_eq!(fits("storage volume attach"), Some(Word::Pool));
        assert_eq!(fits("storage volume attach p"), Some(Word::VolumeOf("p")));
        assert_eq!(fits("storage volume attach p v"), Some(Word::Container));
        assert_eq!(fits("storage volume attach-profile p v"), Some(Word::Profile));
        assert_eq!(fits("storage volume create p"), None);
        assert_eq!(fits("storage volume copy p/v"), Some(Word::PoolVolume));
        assert_eq!(fits("storage volume copy p/v q/v"), None);
        assert_eq!(fits("storage volume delete p v"), Some(Word::VolumeOf("p")));
        assert_eq!(fits("storage volume restore p v"), Some(Word::SnapshotOf { pool: "p", volume: "v" }));
        let key = Word::VolumeKey { pool: "p", volume: "v", set: false };
        assert_eq!(fits("storage volume get p v"), Some(key));
    }

    #[test]
    fn what_bash_has_cut_is_whole_again() {
        let words = ["config", "set", "c1", "limits.cpu", "=", "2", "limits.memory", "="];
        assert_eq!(joined(&words), ["config", "set", "c1", "limits.cpu=2", "limits.memory="]);
        let found = |words: &[&str]| {
            let (typed, before) = words.split_last().unwrap();
            let (before, typed, cut) = whole(before, typed);
            (before.join(" "), typed, cut)
        };
        let is = |before: &str, typed: &str, cut| (before.to_owned(), typed.to_owned(), cut);
        assert_eq!(found(&["start", "c"]), is("start", "c", 0));
        assert_eq!(found(&["start", "lab:c"]), is("start", "lab:c", 0));
        assert_eq!(found(&["start", "lab", ":"]), is("start", "lab:", 4));
        assert_eq!(found(&["start", "lab", ":", "c"]), is("start", "lab:c", 4));
        assert_eq!(found(&["start", "lab", ":", "c1", ""]), is("start lab:c1", "", 0));
        assert_eq!(found(&["config", "set", "c1", "a", "=", "b"]), is("config set c1 a=", "b", 0));
        assert_eq!(found(&["config", "set", "c1", "a", "="]), is("config set c1 a", "=", 0));
    }
}
