//! `/1.0/metadata/configuration`: the tables of keys and properties.

use crate::wire::{Answer, sync};
use api::metadata::{Configuration, Group, Key};
use instance::{DriverKind, POOL_KEYS, StorageKey, VOLUME_KEYS};
use model::config::Live;
use model::reference::{Row, sections};
use std::collections::BTreeMap;

/// `GET /1.0/metadata/configuration`.
pub(crate) async fn configuration() -> Answer {
    let mut all = Configuration::default();
    for section in sections() {
        let groups = all.configs.entry(section.entity.name()).or_default();
        let group = groups.entry(section.group.to_owned()).or_default();
        group.keys.extend(section.rows.iter().map(|row| BTreeMap::from([(row.name.to_owned(), key(row))])));
    }
    for driver in DriverKind::ALL {
        let groups = all.configs.entry(format!("storage-{}", driver.name())).or_default();
        for (group, table) in [("pool-conf", POOL_KEYS), ("volume-conf", VOLUME_KEYS)] {
            let rows = table.iter().filter(|row| row.drivers.contains(&driver));
            let keys = rows.map(|row| BTreeMap::from([(row.name.to_owned(), storage_key(row))])).collect();
            groups.insert(group.to_owned(), Group { keys });
        }
    }
    sync(&all)
}

fn storage_key(row: &StorageKey) -> Key {
    Key {
        kind: row.kind().to_owned(),
        defaultdesc: row.default.to_owned(),
        liveupdate: if row.changeable { "yes" } else { "no" }.to_owned(),
        shortdesc: row.doc.trim_end_matches('.').to_owned(),
        longdesc: row.expects().to_owned(),
        ..Key::default()
    }
}

fn key(row: &Row) -> Key {
    let unless = |text: &str, said: bool| if said { String::new() } else { text.to_owned() };
    Key {
        kind: row.kind.to_owned(),
        defaultdesc: row.default.to_owned(),
        liveupdate: match row.live {
            Live::Now => "yes",
            Live::NextStart => "no",
            other => other.words(),
        }
        .to_owned(),
        required: unless("yes", !row.required),
        scope: unless("container", row.in_profiles),
        shortdesc: row.doc.to_owned(),
        longdesc: match row.applied {
            true => row.allowed.clone(),
            false => format!("{} (kept, but without effect in this version)", row.allowed),
        },
    }
}
