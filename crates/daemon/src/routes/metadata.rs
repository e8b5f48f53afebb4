//! `/1.0/metadata/configuration`: the tables of keys and properties.

use crate::wire::{Answer, sync};
use api::metadata::{Configuration, Key};
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
    sync(&all)
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
