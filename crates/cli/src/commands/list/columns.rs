//! Columns of `lxc list`.

use crate::output::{dates, sizes};
use anyhow::{Context as _, bail, ensure};
use api::StatusCode;
use api::instances::InstanceFull;

/// A column.
#[derive(Debug)]
pub(crate) enum Column {
    /// One with a letter of its own.
    Letter(&'static Letter),
    /// A configuration key.
    Key { key: String, header: String, width: Option<usize> },
}

/// The letter, the header, whether live state or snapshots are needed, and the cell.
type Letter = (char, &'static str, bool, fn(&InstanceFull) -> String);

const LETTERS: &[Letter] = &[
    ('4', "IPV4", true, |c| addresses(c, "inet")),
    ('6', "IPV6", true, |c| addresses(c, "inet6")),
    ('a', "ARCHITECTURE", false, |c| c.instance.architecture.clone()),
    ('b', "STORAGE POOL", false, storage_pool),
    ('c', "CREATED AT", false, |c| dates::short(c.instance.created_at)),
    ('d', "DESCRIPTION", false, |c| c.instance.description.clone()),
    ('D', "DISK USAGE", true, disk_usage),
    ('l', "LAST USED AT", false, |c| dates::short(c.instance.last_used_at)),
    ('L', "LOCATION", false, |c| c.instance.location.clone()),
    ('m', "MEMORY USAGE", true, |c| running(c).map_or_else(String::new, |state| size(state.memory.usage))),
    ('n', "NAME", false, |c| c.instance.name.clone()),
    ('N', "PROCESSES", true, |c| running(c).map_or_else(String::new, |state| state.processes.to_string())),
    ('p', "PID", true, |c| running(c).map_or_else(String::new, |state| state.pid.to_string())),
    ('P', "PROFILES", false, |c| c.instance.profiles.join("\n")),
    ('s', "STATE", false, |c| c.instance.status.to_uppercase()),
    ('S', "SNAPSHOTS", true, |c| c.snapshots.as_ref().map_or(0, Vec::len).to_string()),
    ('t', "TYPE", false, |c| if c.instance.ephemeral { "EPHEMERAL" } else { "PERSISTENT" }.to_owned()),
];

impl Column {
    pub(crate) fn header(&self) -> &str {
        match self {
            Self::Letter(letter) => letter.1,
            Self::Key { header, .. } => header,
        }
    }

    pub(crate) fn needs_state(&self) -> bool {
        matches!(self, Self::Letter((_, _, true, _)))
    }

    pub(crate) fn value(&self, container: &InstanceFull) -> String {
        match self {
            Self::Letter(letter) => letter.3(container),
            Self::Key { key, width, .. } => {
                let instance = &container.instance;
                let value = instance.config.get(key).or_else(|| instance.expanded_config.get(key));
                let value = value.cloned().unwrap_or_default();
                match width {
                    Some(width) => value.chars().take(*width).collect(),
                    None => value,
                }
            }
        }
    }
}

/// Reads the value of `--columns`.
pub(crate) fn parse(text: &str) -> anyhow::Result<Vec<Column>> {
    let mut columns = Vec::new();
    for group in text.split(',') {
        ensure!(!group.is_empty(), "Empty column entry (redundant, leading or trailing comma) in \"{text}\"");
        if group.contains('.') {
            columns.push(key_column(group)?);
            continue;
        }
        for letter in group.chars() {
            let found = LETTERS.iter().find(|candidate| candidate.0 == letter);
            columns.push(Column::Letter(
                found.with_context(|| {
                    format!("Unknown column '{letter}' in \"{text}\"; see lxc list --help")
                })?,
            ));
        }
    }
    Ok(columns)
}

/// `key[:HEADER[:width]]`
fn key_column(text: &str) -> anyhow::Result<Column> {
    let text = text.strip_prefix("config:").unwrap_or(text);
    let pieces: Vec<&str> = text.split(':').collect();
    let (key, header, width) = match pieces.as_slice() {
        [key] => (*key, *key, "-1"),
        [key, header] => (*key, *header, "-1"),
        [key, header, width] => (*key, *header, *width),
        _ => bail!("Too many parts in the column \"{text}\"; use key:HEADER:width"),
    };
    let header = if header.is_empty() { key } else { header }.to_uppercase();
    let width: i64 =
        width.parse().ok().with_context(|| format!("\"{width}\" is no column width in \"{text}\""))?;
    let width = match width {
        -1 => None,
        0 => Some(header.chars().count()),
        width => Some(
            usize::try_from(width)
                .ok()
                .with_context(|| format!("{width} is no column width in \"{text}\""))?,
        ),
    };
    Ok(Column::Key { key: key.to_owned(), header, width })
}

/// The live state of what has processes.
fn running(container: &InstanceFull) -> Option<&api::state::State> {
    container.state.as_ref().filter(|_| container.instance.status_code != StatusCode::Stopped)
}

/// A size, if it is known.
fn size(bytes: i64) -> String {
    if bytes > 0 { sizes::bytes(bytes) } else { String::new() }
}

/// What the root takes up, also while nothing runs.
fn disk_usage(container: &InstanceFull) -> String {
    let disks = container.state.as_ref().and_then(|state| state.disk.as_ref());
    disks.and_then(|disks| disks.get("root")).map_or_else(String::new, |root| size(root.usage))
}

fn addresses(container: &InstanceFull, family: &str) -> String {
    let networks = running(container).and_then(|state| state.network.as_ref());
    let mut found: Vec<String> = networks
        .into_iter()
        .flatten()
        .filter(|(_, network)| network.kind != "loopback")
        .flat_map(|(name, network)| network.addresses.iter().map(move |address| (name, address)))
        .filter(|(_, address)| {
            address.family == family && !matches!(address.scope.as_str(), "link" | "local")
        })
        .map(|(name, address)| format!("{} ({name})", address.address))
        .collect();
    found.sort_unstable_by(|a, b| b.cmp(a));
    found.join("\n")
}

fn storage_pool(container: &InstanceFull) -> String {
    let mut devices = container.instance.expanded_devices.values();
    let root = devices.find(|device| {
        device.get("type").is_some_and(|kind| kind == "disk")
            && device.get("path").is_some_and(|path| path == "/")
    });
    root.and_then(|device| device.get("pool")).cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container() -> InstanceFull {
        serde_json::from_value(serde_json::json!({
            "name": "web", "status": "Running", "status_code": 103, "architecture": "x86_64",
            "profiles": ["default", "web"], "created_at": "2016-03-20T02:11:00Z",
            "config": {"user.note": "hello world"},
            "expanded_config": {"user.note": "from profile", "limits.cpu": "2"},
            "expanded_devices": {"root": {"type": "disk", "path": "/", "pool": "fast"}},
            "state": {"status": "Running", "status_code": 103, "disk": {"root": {"usage": 2048}}, "memory": {"usage": 1024}, "pid": 42, "processes": 7, "network": {
                "lo": {"type": "loopback", "addresses": [{"family": "inet", "address": "127.0.0.1", "scope": "local"}]},
                "eth0": {"type": "broadcast", "addresses": [
                    {"family": "inet", "address": "10.0.0.2", "scope": "global"},
                    {"family": "inet6", "address": "fe80::1", "scope": "link"},
                    {"family": "inet6", "address": "fd42::2", "scope": "global"}]},
                "docker0": {"type": "broadcast", "addresses": [
                    {"family": "inet", "address": "172.17.0.1", "scope": "global"}]}}},
            "snapshots": [{"name": "snap0"}], "backups": null
        }))
        .unwrap()
    }

    fn values(columns: &str) -> Vec<String> {
        parse(columns).unwrap().iter().map(|column| column.value(&container())).collect()
    }

    #[test]
    fn every_letter() {
        assert_eq!(values("ns"), ["web", "RUNNING"]);
        assert_eq!(values("46"), ["172.17.0.1 (docker0)\n10.0.0.2 (eth0)", "fd42::2 (eth0)"]);
        assert_eq!(values("abcP"), ["x86_64", "fast", "2016/03/20 02:11 UTC", "default\nweb"]);
        assert_eq!(values("Dm"), ["2.00kB", "1.00kB"]);
        assert_eq!(values("dlLNptS"), ["", "", "", "7", "42", "PERSISTENT", "1"]);
    }

    #[test]
    fn keys_with_headers_and_widths() {
        assert_eq!(values("n,user.note,limits.cpu:CPU"), ["web", "hello world", "2"]);
        assert_eq!(values("user.note:N:3,user.note:note:0"), ["hel", "hell"]);
        let columns = parse("limits.cpu,limits.cpu:cpus").unwrap();
        assert_eq!(columns[0].header(), "LIMITS.CPU");
        assert_eq!(columns[1].header(), "CPUS");
    }

    #[test]
    fn what_is_not_a_column_is_refused() {
        for text in ["n,", "nx", "", "a.b:c:d:e", "a.b:c:x", "a.b:c:-2"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn stopped_containers_have_no_addresses() {
        let mut container = container();
        container.instance.status_code = StatusCode::Stopped;
        assert_eq!(parse("4pN").unwrap().iter().map(|c| c.value(&container)).collect::<String>(), "");
    }
}
