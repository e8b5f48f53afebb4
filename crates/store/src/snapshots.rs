//! Snapshots of containers. They go with their container.

use crate::instances::Update;
use crate::row::{Record, json, touched};
use crate::{Conn, Kind, Result, Tx};
use api::{Config, Devices, Time};
use model::{InstanceName, SnapshotName};
use rusqlite::params;
use std::collections::BTreeMap;

/// A snapshot: what its container was when it was taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// Its name, without the container's.
    pub name: SnapshotName,
    /// When it was taken.
    pub created_at: Time,
    /// When it is removed; [`Time::UNSET`]: never.
    pub expires_at: Time,
    /// The state of the processes is saved on disk.
    pub stateful: bool,
    /// When its container had last been started.
    pub last_used_at: Time,
    /// What can be changed of a container, as it was.
    pub content: Update,
}

/// With both names, as messages name it.
fn full_name(container: &InstanceName, name: &SnapshotName) -> String {
    format!("{container}/{name}")
}

/// The row with the number of its container, still without its profiles.
fn snapshot(row: &Record<'_>) -> Result<(i64, i64, Snapshot)> {
    let content = Update {
        architecture: row.architecture("architecture")?,
        ephemeral: row.get("ephemeral")?,
        description: row.get("description")?,
        config: row.json::<Config>("config")?,
        devices: row.json::<Devices>("devices")?,
        profiles: vec![],
    };
    let snapshot = Snapshot {
        name: row.parsed("name", SnapshotName::parse)?,
        created_at: row.time("created_at")?,
        expires_at: row.time("expires_at")?,
        stateful: row.get("stateful")?,
        last_used_at: row.time("last_used_at")?,
        content,
    };
    Ok((row.get("id")?, row.get("instance_id")?, snapshot))
}

/// All snapshots of all containers: by the container's number, oldest first.
///
/// # Errors
/// When the database cannot be read.
pub fn list(conn: &Conn<'_>) -> Result<BTreeMap<i64, Vec<Snapshot>>> {
    let rows = conn.all("snapshots", "SELECT * FROM snapshots ORDER BY id", [], snapshot)?;
    let mut profiles = crate::profiles::of_all(
        conn,
        "SELECT sp.snapshot_id AS id, p.name AS name FROM snapshots_profiles sp
         JOIN profiles p ON p.id = sp.profile_id ORDER BY sp.snapshot_id, sp.position",
    )?;
    let mut all: BTreeMap<i64, Vec<Snapshot>> = BTreeMap::new();
    for (id, instance, mut snapshot) in rows {
        snapshot.content.profiles = profiles.remove(&id).unwrap_or_default();
        all.entry(instance).or_default().push(snapshot);
    }
    Ok(all)
}

/// Whether a container has a snapshot of this name.
///
/// # Errors
/// When the database cannot be read.
pub fn exists(conn: &Conn<'_>, container: &InstanceName, name: &SnapshotName) -> Result<bool> {
    let sql = "SELECT s.id FROM snapshots s JOIN instances i ON i.id = s.instance_id
               WHERE i.name = ?1 AND s.name = ?2";
    let found = conn.first("snapshots", sql, [container.as_str(), name.as_str()], |row| row.get::<i64>("id"));
    Ok(found?.is_some())
}

/// Stores a new snapshot.
///
/// # Errors
/// [`crate::Error::Conflict`] when the name is taken, [`crate::Error::NotFound`] for the container or a profile.
pub fn insert(tx: &Tx<'_>, container: &InstanceName, new: &Snapshot) -> Result<()> {
    let instance = tx.id_of(Kind::Instance, crate::instances::ID, container.as_str())?;
    let sql = "INSERT INTO snapshots (instance_id, name, architecture, ephemeral, stateful, created_at,
                   last_used_at, expires_at, description, config, devices)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    let row = params![
        instance,
        new.name.as_str(),
        new.content.architecture.id(),
        new.content.ephemeral,
        new.stateful,
        new.created_at.to_string(),
        new.last_used_at.to_string(),
        new.expires_at.to_string(),
        new.content.description,
        json(&new.content.config)?,
        json(&new.content.devices)?,
    ];
    tx.execute(sql, row).map_err(|e| e.or_conflict(Kind::Snapshot, full_name(container, &new.name)))?;
    let snapshot = tx.sql().last_insert_rowid();
    for (position, profile) in (0_i64..).zip(&new.content.profiles) {
        let id = crate::profiles::id(tx, profile)?;
        tx.execute(
            "INSERT INTO snapshots_profiles (snapshot_id, position, profile_id) VALUES (?1, ?2, ?3)",
            [snapshot, position, id],
        )?;
    }
    Ok(())
}

/// Says when a snapshot is removed; [`Time::UNSET`]: never.
///
/// # Errors
/// [`crate::Error::NotFound`].
pub fn set_expiry(
    tx: &Tx<'_>,
    container: &InstanceName,
    name: &SnapshotName,
    expires_at: Time,
) -> Result<()> {
    let sql = "UPDATE snapshots SET expires_at = ?3
               WHERE name = ?2 AND instance_id = (SELECT id FROM instances WHERE name = ?1)";
    let rows = tx.execute(sql, [container.as_str(), name.as_str(), &expires_at.to_string()])?;
    touched(rows, Kind::Snapshot, full_name(container, name))
}

/// Gives a snapshot another name.
///
/// # Errors
/// [`crate::Error::NotFound`], [`crate::Error::Conflict`].
pub fn rename(tx: &Tx<'_>, container: &InstanceName, name: &SnapshotName, new: &SnapshotName) -> Result<()> {
    let sql = "UPDATE snapshots SET name = ?3
               WHERE name = ?2 AND instance_id = (SELECT id FROM instances WHERE name = ?1)";
    let rows = tx
        .execute(sql, [container.as_str(), name.as_str(), new.as_str()])
        .map_err(|e| e.or_conflict(Kind::Snapshot, full_name(container, new)))?;
    touched(rows, Kind::Snapshot, full_name(container, name))
}

/// Forgets a snapshot.
///
/// # Errors
/// [`crate::Error::NotFound`].
pub fn delete(tx: &Tx<'_>, container: &InstanceName, name: &SnapshotName) -> Result<()> {
    let sql = "DELETE FROM snapshots
               WHERE name = ?2 AND instance_id = (SELECT id FROM instances WHERE name = ?1)";
    touched(tx.execute(sql, [container.as_str(), name.as_str()])?, Kind::Snapshot, full_name(container, name))
}
