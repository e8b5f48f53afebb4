//! Snapshots of custom volumes. They go with their volume.

use crate::row::{Record, json, touched};
use crate::volumes::VolumeKind;
use crate::{Conn, Error, Kind, Result, Tx};
use api::{Config, Time};
use model::{PoolName, SnapshotName, VolumeName};
use rusqlite::{OptionalExtension as _, params};

/// What a volume was at some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Its name, without the volume's.
    pub name: SnapshotName,
    /// When it was taken.
    pub created_at: Time,
    /// When it is removed; [`Time::UNSET`]: never.
    pub expires_at: Time,
    /// What its owner wrote.
    pub description: String,
    /// The volume's keys, as they were.
    pub config: Config,
}

/// The volume that snapshots belong to.
#[derive(Clone, Copy, Debug)]
pub struct Of<'a> {
    /// Where it is.
    pub pool: &'a PoolName,
    /// Its name.
    pub volume: &'a VolumeName,
}

impl Of<'_> {
    fn id(self, conn: &Conn<'_>) -> Result<i64> {
        let sql = "SELECT v.id FROM volumes v JOIN pools p ON p.id = v.pool_id
                   WHERE p.name = ?1 AND v.type = ?2 AND v.name = ?3";
        let mut statement = conn.sql().prepare_cached(sql)?;
        let row = params![self.pool.as_str(), VolumeKind::Custom as i64, self.volume.as_str()];
        let id = statement.query_row(row, |row| row.get(0)).optional()?;
        id.ok_or_else(|| Error::not_found(Kind::Volume, self.volume.as_str()))
    }

    /// With both names, as messages name it.
    fn full_name(self, name: &SnapshotName) -> String {
        format!("{}/{name}", self.volume)
    }
}

fn snapshot(row: &Record<'_>) -> Result<(PoolName, VolumeName, Snapshot)> {
    let snapshot = Snapshot {
        name: row.parsed("name", SnapshotName::parse)?,
        created_at: row.time("created_at")?,
        expires_at: row.time("expires_at")?,
        description: row.get("description")?,
        config: row.json("config")?,
    };
    Ok((row.parsed("pool", PoolName::parse)?, row.parsed("volume", VolumeName::parse)?, snapshot))
}

/// All snapshots of all custom volumes, each volume's oldest first.
///
/// # Errors
/// When the database cannot be read.
pub fn list(conn: &Conn<'_>) -> Result<Vec<(PoolName, VolumeName, Snapshot)>> {
    let sql = "SELECT s.*, v.name AS volume, p.name AS pool FROM volume_snapshots s
               JOIN volumes v ON v.id = s.volume_id JOIN pools p ON p.id = v.pool_id
               WHERE v.type = ?1 ORDER BY s.id";
    conn.all("volume_snapshots", sql, [VolumeKind::Custom as i64], snapshot)
}

/// Whether a volume has a snapshot of this name.
///
/// # Errors
/// When the database cannot be read.
pub fn exists(conn: &Conn<'_>, of: Of<'_>, name: &SnapshotName) -> Result<bool> {
    let sql = "SELECT s.id FROM volume_snapshots s JOIN volumes v ON v.id = s.volume_id
               JOIN pools p ON p.id = v.pool_id
               WHERE p.name = ?1 AND v.type = ?2 AND v.name = ?3 AND s.name = ?4";
    let row = params![of.pool.as_str(), VolumeKind::Custom as i64, of.volume.as_str(), name.as_str()];
    let found = conn.first("volume_snapshots", sql, row, |row| row.get::<i64>("id"));
    Ok(found?.is_some())
}

/// Stores a new snapshot.
///
/// # Errors
/// [`Error::Conflict`] when the name is taken, [`Error::NotFound`] for the volume.
pub fn insert(tx: &Tx<'_>, of: Of<'_>, new: &Snapshot) -> Result<()> {
    let sql = "INSERT INTO volume_snapshots (volume_id, name, created_at, expires_at, description, config)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let row = params![
        of.id(tx)?,
        new.name.as_str(),
        new.created_at.to_string(),
        new.expires_at.to_string(),
        new.description,
        json(&new.config)?,
    ];
    tx.execute(sql, row).map_err(|e| e.or_conflict(Kind::Snapshot, of.full_name(&new.name))).map(drop)
}

/// Changes the description, and when it is removed.
///
/// # Errors
/// [`Error::NotFound`].
pub fn update(tx: &Tx<'_>, of: Of<'_>, new: &Snapshot) -> Result<()> {
    let sql = "UPDATE volume_snapshots SET description = ?3, expires_at = ?4
               WHERE volume_id = ?1 AND name = ?2";
    let row = params![of.id(tx)?, new.name.as_str(), new.description, new.expires_at.to_string()];
    touched(tx.execute(sql, row)?, Kind::Snapshot, of.full_name(&new.name))
}

/// Gives a snapshot another name.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Conflict`].
pub fn rename(tx: &Tx<'_>, of: Of<'_>, name: &SnapshotName, new: &SnapshotName) -> Result<()> {
    let sql = "UPDATE volume_snapshots SET name = ?3 WHERE volume_id = ?1 AND name = ?2";
    let rows = tx
        .execute(sql, params![of.id(tx)?, name.as_str(), new.as_str()])
        .map_err(|e| e.or_conflict(Kind::Snapshot, of.full_name(new)))?;
    touched(rows, Kind::Snapshot, of.full_name(name))
}

/// Forgets a snapshot.
///
/// # Errors
/// [`Error::NotFound`].
pub fn delete(tx: &Tx<'_>, of: Of<'_>, name: &SnapshotName) -> Result<()> {
    let sql = "DELETE FROM volume_snapshots WHERE volume_id = ?1 AND name = ?2";
    let rows = tx.execute(sql, params![of.id(tx)?, name.as_str()])?;
    touched(rows, Kind::Snapshot, of.full_name(name))
}
