//! All tables of keys and properties in one shape: for the reference in `docs/`, for clients that
//! ask what there is, and for shells that complete it.

use crate::config::{self, Live, server};
use crate::devices;
use std::fmt::Write as _;

/// What the rows of a section belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entity {
    /// Containers and profiles.
    Instance,
    /// Devices of this type.
    Device(&'static str),
    /// The server.
    Server,
}

/// A group of rows.
#[derive(Clone, Debug)]
pub struct Section {
    /// What they belong to.
    pub entity: Entity,
    /// The first part of the keys; for devices `device`.
    pub group: &'static str,
    /// One line about it; empty for keys.
    pub doc: &'static str,
    /// In the order of the table.
    pub rows: Vec<Row>,
}

/// One key or property.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its name; `*` stands for any name.
    pub name: &'static str,
    /// `bool`, `integer` or `string`.
    pub kind: &'static str,
    /// What values may be.
    pub allowed: String,
    /// What holds when it is not set; empty: nothing in particular.
    pub default: &'static str,
    /// It has to be set.
    pub required: bool,
    /// When a change takes effect.
    pub live: Live,
    /// Where it can be set besides containers.
    pub in_profiles: bool,
    /// This version acts on it.
    pub applied: bool,
    /// One line of documentation.
    pub doc: &'static str,
}

impl Entity {
    /// `instance`, `device-nic`, `server`.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Instance => "instance".to_owned(),
            Self::Device(kind) => format!("device-{kind}"),
            Self::Server => "server".to_owned(),
        }
    }
}

/// Everything, in the order of the reference.
#[must_use]
pub fn sections() -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    let mut add = |entity, name: &'static str, row| {
        let group = name.split_once('.').map_or(name, |(group, _)| group);
        match sections.iter_mut().find(|section| (section.entity, section.group) == (entity, group)) {
            Some(section) => section.rows.push(row),
            None => sections.push(Section { entity, group, doc: "", rows: vec![row] }),
        }
    };
    for key in config::KEYS {
        add(Entity::Instance, key.pattern, of_key(key));
    }
    for key in server::KEYS {
        add(Entity::Server, key.name, of_server(key));
    }
    let at = sections.iter().position(|section| section.entity == Entity::Server).unwrap_or(sections.len());
    let devices = devices::KINDS.iter().map(|kind| Section {
        entity: Entity::Device(kind.name),
        group: "device",
        doc: kind.doc,
        rows: kind.properties.iter().map(of_property).collect(),
    });
    sections.splice(at..at, devices);
    sections
}

fn of_key(key: &config::Key) -> Row {
    Row {
        name: key.pattern,
        kind: key.grammar.kind(),
        allowed: key.grammar.allowed(),
        default: key.default,
        required: false,
        live: key.live,
        in_profiles: key.in_profiles,
        applied: key.applied,
        doc: key.doc,
    }
}

fn of_server(key: &server::ServerKey) -> Row {
    Row {
        name: key.name,
        kind: key.grammar.kind(),
        allowed: key.grammar.allowed(),
        default: key.default,
        required: false,
        live: Live::Now,
        in_profiles: false,
        applied: key.applied,
        doc: key.doc,
    }
}

fn of_property(property: &devices::Property) -> Row {
    Row {
        name: property.name,
        kind: if property.allowed == config::BOOL { "bool" } else { "string" },
        allowed: property.allowed.to_owned(),
        default: property.default,
        required: property.required,
        live: if property.in_place { Live::Now } else { Live::Replaced },
        in_profiles: true,
        applied: true,
        doc: property.doc,
    }
}

/// The page `docs/configuration.md`.
#[must_use]
pub fn markdown() -> String {
    let mut page = String::from(
        "# Configuration reference\n\n\
         Made from the tables in `crates/model` by `cargo xtask reference`: change those, not this page.\n\
         `lxc config keys` prints the same.\n\n\
         A key that is not here is refused, and so is a value that is not allowed. An empty value is the\n\
         same as none. Under **live**: *now* takes effect at once on a container that runs, *next start*\n\
         when it is started again, *when read* has nothing to apply, *replaced* takes the device away and\n\
         adds it anew. Keys marked ¹ belong to one container and cannot be set in profiles; those marked ²\n\
         are kept and have no effect in this version.\n",
    );
    let mut last = None;
    for section in sections() {
        let title = match section.entity {
            Entity::Instance => "Containers and profiles",
            Entity::Device(_) => "Devices",
            Entity::Server => "The server",
        };
        if last.replace(title) != Some(title) {
            let _ = write!(page, "\n## {title}\n");
        }
        put_section(&mut page, &section);
    }
    page
}

fn put_section(page: &mut String, section: &Section) {
    let _ = match section.entity {
        Entity::Device(kind) => write!(page, "\n### type={kind}\n\n{}.\n", section.doc),
        _ => write!(page, "\n### {}\n", section.group),
    };
    if section.rows.is_empty() {
        return;
    }
    page.push_str("\n| key | what it is | values | default | live |\n|---|---|---|---|---|\n");
    for row in &section.rows {
        let marks = match (row.in_profiles || section.entity == Entity::Server, row.applied) {
            (true, true) => "",
            (false, true) => "¹",
            (true, false) => "²",
            (false, false) => "¹²",
        };
        let default = if row.required { "**needed**" } else { row.default };
        let cells = [row.doc, &row.allowed, default, row.live.words()].map(cell);
        let _ = writeln!(page, "| `{}`{marks} | {} |", row.name, cells.join(" | "));
    }
}

/// Text that does not end a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;").replace('*', "\\*")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_in_exactly_one_section() {
        let sections = sections();
        let count = |entity: fn(Entity) -> bool| -> usize {
            sections.iter().filter(|s| entity(s.entity)).map(|s| s.rows.len()).sum()
        };
        assert_eq!(count(|e| e == Entity::Instance), config::KEYS.len());
        assert_eq!(count(|e| e == Entity::Server), server::KEYS.len());
        let properties: usize = devices::KINDS.iter().map(|kind| kind.properties.len()).sum();
        assert_eq!(count(|e| matches!(e, Entity::Device(_))), properties);
    }

    #[test]
    fn the_page_has_one_heading_for_each_kind_of_thing() {
        let page = markdown();
        for title in ["## Containers and profiles\n", "## Devices\n", "## The server\n"] {
            assert_eq!(page.matches(title).count(), 1, "{title}");
        }
        assert!(page.contains("both\\|uid\\|gid") || !page.contains("both|uid"), "cells stay cells");
    }
}
