//! What changed between two expanded sets of devices, for containers that run.

use super::{Devices, Properties};

/// Names of devices by what has to be done, each list sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// To be taken away; a device that is replaced is here and in `added`.
    pub removed: Vec<String>,
    /// To be added.
    pub added: Vec<String>,
    /// To be changed in place.
    pub updated: Vec<String>,
}

/// Compares two sets.
#[must_use]
pub fn changes(old: &Devices, new: &Devices) -> Changes {
    let mut changes = Changes::default();
    for (name, before) in old {
        match new.get(name) {
            None => changes.removed.push(name.clone()),
            Some(after) if same(before, after) => {}
            Some(after) if in_place(before, after) => changes.updated.push(name.clone()),
            Some(_) => {
                changes.removed.push(name.clone());
                changes.added.push(name.clone());
            }
        }
    }
    changes.added.extend(new.keys().filter(|name| !old.contains_key(*name)).cloned());
    changes.added.sort();
    changes
}

/// A property's value; an empty one is none.
fn value<'a>(properties: &'a Properties, key: &str) -> &'a str {
    properties.get(key).map_or("", String::as_str)
}

fn differing<'a>(a: &'a Properties, b: &'a Properties) -> impl Iterator<Item = &'a String> {
    a.keys().chain(b.keys()).filter(move |key| value(a, key) != value(b, key))
}

fn same(a: &Properties, b: &Properties) -> bool {
    differing(a, b).next().is_none()
}

/// Whether only properties differ that the table says can be changed in place.
fn in_place(a: &Properties, b: &Properties) -> bool {
    let Some(kind) = super::kind(value(b, "type")) else { return false };
    differing(a, b).all(|key| kind.property(key).is_some_and(|row| row.in_place))
}
