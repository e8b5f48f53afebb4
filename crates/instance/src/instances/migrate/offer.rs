//! What a source tells about a container, and what a sink believes of it. No I/O.

use crate::Error;
use crate::instances::copy::inherited;
use api::{Config, Devices, Time};
use migration::message::{self, IdMapType, MigrationHeader};
use model::IdMap;
use model::arch::Architecture;
use model::idmap::IdRange;
use model::names::{ProfileName, SnapshotName};
use std::collections::HashSet;
use store::instances::{NewInstance, Update};
use store::snapshots::Snapshot;

/// Says whose ids the files on disk have.
pub(super) const ON_DISK: &str = "volatile.last_state.idmap";
/// More snapshots than this are nobody's.
const MOST: usize = 10_000;

/// A snapshot as it is told.
pub(super) fn tell(snapshot: &Snapshot) -> message::Snapshot {
    let content = &snapshot.content;
    message::Snapshot {
        name: snapshot.name.to_string(),
        local_config: pairs(&content.config),
        profiles: content.profiles.iter().map(ToString::to_string).collect(),
        ephemeral: content.ephemeral,
        local_devices: content
            .devices
            .iter()
            .map(|(name, device)| message::Device { name: name.clone(), config: pairs(device) })
            .collect(),
        architecture: i32::from(content.architecture.id()),
        stateful: false,
        creation_date: Some(snapshot.created_at.unix()),
        last_used_date: Some(snapshot.last_used_at.unix()),
        expiry_date: Some(snapshot.expires_at.unix()),
    }
}

fn pairs(config: &Config) -> Vec<message::Config> {
    config.iter().map(|(key, value)| message::Config { key: key.clone(), value: value.clone() }).collect()
}

fn config(pairs: &[message::Config]) -> Config {
    pairs.iter().map(|pair| (pair.key.clone(), pair.value.clone())).collect()
}

/// The ids that the files of a container or snapshot have on disk, from its keys.
pub(super) fn tell_idmap(config: &Config) -> Result<Vec<IdMapType>, Error> {
    let Some(text) = config.get(ON_DISK) else { return Ok(Vec::new()) };
    let map = IdMap::from_json(text)?;
    let entry = |range: &IdRange, isuid: bool| {
        let number = |id: u32| {
            i32::try_from(id)
                .map_err(|_| Error::BadOffer { why: format!("the id {id} is too large to be sent") })
        };
        let (hostid, nsid, maprange) = (number(range.host)?, number(range.container)?, number(range.count)?);
        Ok(IdMapType { isuid, isgid: !isuid, hostid, nsid, maprange })
    };
    let uids = map.uids.iter().map(|range| entry(range, true));
    uids.chain(map.gids.iter().map(|range| entry(range, false))).collect()
}

/// The ids that the received files have.
pub(super) fn believe_idmap(told: &[IdMapType]) -> Result<IdMap, Error> {
    let mut map = IdMap::default();
    if told.len() > MOST {
        return Err(Error::BadOffer { why: "its id map has too many parts".to_owned() });
    }
    for entry in told {
        let number = |id: i32| {
            u32::try_from(id).map_err(|_| Error::BadOffer { why: format!("its id map has the id {id}") })
        };
        // Numbers that fit into 31 bits have a sum that fits into 32.
        let range = IdRange {
            container: number(entry.nsid)?,
            host: number(entry.hostid)?,
            count: number(entry.maprange)?,
        };
        if entry.isuid {
            map.uids.push(range);
        }
        if entry.isgid {
            map.gids.push(range);
        }
    }
    Ok(map)
}

/// The snapshots of a header as records of a new container. Profiles that are not here are left out.
///
/// # Errors
/// A name that no snapshot can have, or twice the same.
pub(super) fn believe(
    header: &MigrationHeader,
    container: &NewInstance,
    idmap: &str,
    has_profile: impl Fn(&ProfileName) -> bool,
) -> Result<Vec<Snapshot>, Error> {
    let names = &header.snapshot_names;
    if names.len() > MOST || header.snapshots.len() > MOST {
        return Err(Error::BadOffer { why: format!("it has more than {MOST} snapshots") });
    }
    let mut seen = HashSet::new();
    if let Some(twice) = names.iter().find(|name| !seen.insert(name.as_str())) {
        return Err(Error::BadOffer { why: format!("it has two snapshots named {twice:?}") });
    }
    let described = names.len() == header.snapshots.len();
    let one = |(position, name): (usize, &String)| {
        let name = SnapshotName::parse(name)?;
        match header.snapshots.get(position).filter(|snapshot| described && snapshot.name == name.as_str()) {
            Some(told) => believe_one(told, name, container, idmap, &has_profile),
            // An old server tells the names only.
            None => Ok(plain(name, container, idmap)),
        }
    };
    names.iter().enumerate().map(one).collect()
}

fn believe_one(
    told: &message::Snapshot,
    name: SnapshotName,
    container: &NewInstance,
    idmap: &str,
    has_profile: impl Fn(&ProfileName) -> bool,
) -> Result<Snapshot, Error> {
    let mut devices: Devices =
        told.local_devices.iter().map(|device| (device.name.clone(), config(&device.config))).collect();
    for device in devices.values_mut() {
        let is = |key: &str, value: &str| device.get(key).is_some_and(|found| found == value);
        if is("type", "disk") && is("path", "/") {
            device.insert("pool".to_owned(), container.pool.to_string());
        }
    }
    let mut profiles = Vec::new();
    for profile in &told.profiles {
        let profile = ProfileName::parse(profile)?;
        if has_profile(&profile) && !profiles.contains(&profile) {
            profiles.push(profile);
        }
    }
    let mut config = inherited(&config(&told.local_config));
    config.insert(ON_DISK.to_owned(), idmap.to_owned());
    let time = |seconds: Option<i64>| Time::from_unix(seconds.unwrap_or(0).max(0));
    Ok(Snapshot {
        name,
        created_at: time(told.creation_date),
        expires_at: time(told.expiry_date),
        stateful: false,
        last_used_at: time(told.last_used_date),
        content: Update {
            architecture: Architecture::from_id(told.architecture.into()).unwrap_or(container.architecture),
            ephemeral: told.ephemeral,
            description: String::new(),
            config,
            devices,
            profiles,
        },
    })
}

fn plain(name: SnapshotName, container: &NewInstance, idmap: &str) -> Snapshot {
    let mut config = inherited(&container.config);
    config.insert(ON_DISK.to_owned(), idmap.to_owned());
    Snapshot {
        name,
        created_at: Time::now(),
        expires_at: Time::UNSET,
        stateful: false,
        last_used_at: Time::UNSET,
        content: Update {
            architecture: container.architecture,
            ephemeral: container.ephemeral,
            description: container.description.clone(),
            config,
            devices: container.devices.clone(),
            profiles: container.profiles.clone(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container() -> NewInstance {
        NewInstance {
            name: "c1".parse_as(),
            architecture: Architecture::X86_64,
            ephemeral: false,
            created_at: Time::UNSET,
            description: String::new(),
            config: Config::new(),
            devices: Devices::new(),
            profiles: Vec::new(),
            pool: model::names::PoolName::parse("here").unwrap(),
        }
    }

    trait ParseAs {
        fn parse_as(&self) -> model::names::InstanceName;
    }

    impl ParseAs for str {
        fn parse_as(&self) -> model::names::InstanceName {
            model::names::InstanceName::parse(self).unwrap()
        }
    }

    fn told(name: &str) -> message::Snapshot {
        let pair = |key: &str, value: &str| message::Config { key: key.into(), value: value.into() };
        message::Snapshot {
            name: name.into(),
            local_config: vec![pair("user.k", "v"), pair("volatile.eth0.hwaddr", "x")],
            local_devices: vec![message::Device {
                name: "root".into(),
                config: vec![pair("type", "disk"), pair("path", "/"), pair("pool", "there")],
            }],
            profiles: vec!["default".into(), "gone".into()],
            architecture: 2,
            creation_date: Some(1000),
            expiry_date: Some(-5),
            ..message::Snapshot::default()
        }
    }

    fn header(names: &[&str], snapshots: Vec<message::Snapshot>) -> MigrationHeader {
        let snapshot_names = names.iter().map(|name| (*name).to_owned()).collect();
        MigrationHeader { snapshot_names, snapshots, ..MigrationHeader::default() }
    }

    #[test]
    fn snapshots_become_records_of_this_server() {
        let has = |profile: &ProfileName| *profile == "default";
        let all = believe(&header(&["s1"], vec![told("s1")]), &container(), "[]", has).unwrap();
        let snapshot = &all[0];
        assert_eq!((snapshot.created_at.unix(), snapshot.expires_at), (1000, Time::UNSET));
        assert_eq!(snapshot.content.profiles, ["default"].map(|p| ProfileName::parse(p).unwrap()));
        assert_eq!(snapshot.content.devices["root"]["pool"], "here");
        let keys: Vec<_> = snapshot.content.config.keys().collect();
        assert_eq!(keys, ["user.k", ON_DISK]);
        assert_eq!(tell(snapshot).name, "s1");
        // Told by an old server: names alone.
        let all = believe(&header(&["a", "b"], vec![told("a")]), &container(), "[]", has).unwrap();
        assert_eq!((all.len(), all[0].content.devices.len()), (2, 0));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for names in [&["../x"][..], &["a", "a"], &["a/b"], &[""]] {
            assert!(believe(&header(names, vec![]), &container(), "[]", |_| true).is_err(), "{names:?}");
        }
        let entry = |hostid| IdMapType { isuid: true, isgid: true, hostid, nsid: 0, maprange: 65536 };
        assert!(believe_idmap(&[entry(-1)]).is_err());
        let map = believe_idmap(&[entry(1_000_000)]).unwrap();
        assert_eq!(map, IdMap::contiguous(1_000_000, 65536));
        let keys = Config::from([(ON_DISK.to_owned(), map.to_json())]);
        assert_eq!(believe_idmap(&tell_idmap(&keys).unwrap()).unwrap(), map);
        assert!(tell_idmap(&Config::new()).unwrap().is_empty());
    }
}
