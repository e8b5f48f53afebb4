//! Storage volumes.

use crate::row::{Record, json, touched};
use crate::{Conn, Error, Kind, Result, Tx};
use api::{Config, Time};
use model::PoolName;
use rusqlite::params;

/// What a volume holds, with the number that it has in databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VolumeKind {
    /// A container's root.
    Container = 0,
    /// An unpacked image.
    Image = 1,
    /// Whatever its owner wants.
    Custom = 2,
}

impl VolumeKind {
    /// The word on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Image => "image",
            Self::Custom => "custom",
        }
    }
}

/// A storage volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Where it is.
    pub pool: PoolName,
    /// What it holds.
    pub kind: VolumeKind,
    /// The container's name, the image's fingerprint, or its own name.
    pub name: String,
    /// What its owner wrote.
    pub description: String,
    /// Its keys.
    pub config: Config,
    /// When it was made; [`Time::UNSET`]: nobody knows.
    pub created_at: Time,
}

const SELECT: &str = "SELECT v.*, p.name AS pool FROM volumes v JOIN pools p ON p.id = v.pool_id";

fn volume(row: &Record<'_>) -> Result<Volume> {
    let kind = match row.get::<i64>("type")? {
        0 => VolumeKind::Container,
        1 => VolumeKind::Image,
        2 => VolumeKind::Custom,
        other => return Err(row.bad("type", &other.to_string(), &"no kind of volume has this number")),
    };
    Ok(Volume {
        pool: row.parsed("pool", PoolName::parse)?,
        kind,
        name: row.get("name")?,
        description: row.get("description")?,
        config: row.json("config")?,
        created_at: row.time("created_at")?,
    })
}

/// All volumes of a kind, by pool and name.
///
/// # Errors
/// When the database cannot be read.
pub fn all(conn: &Conn<'_>, kind: VolumeKind) -> Result<Vec<Volume>> {
    let sql = format!("{SELECT} WHERE v.type = ?1 ORDER BY p.name, v.name");
    conn.all("volumes", &sql, [kind as i64], volume)
}

/// All volumes of a pool, sorted by kind and name.
///
/// # Errors
/// When the database cannot be read.
pub fn list(conn: &Conn<'_>, pool: &PoolName) -> Result<Vec<Volume>> {
    let sql = format!("{SELECT} WHERE p.name = ?1 ORDER BY v.type, v.name");
    conn.all("volumes", &sql, [pool.as_str()], volume)
}

/// One volume, if it is there.
///
/// # Errors
/// When the database cannot be read.
pub fn find(conn: &Conn<'_>, pool: &PoolName, kind: VolumeKind, name: &str) -> Result<Option<Volume>> {
    let sql = format!("{SELECT} WHERE p.name = ?1 AND v.type = ?2 AND v.name = ?3");
    conn.first("volumes", &sql, params![pool.as_str(), kind as i64, name], volume)
}

/// One volume.
///
/// # Errors
/// [`Error::NotFound`].
pub fn get(conn: &Conn<'_>, pool: &PoolName, kind: VolumeKind, name: &str) -> Result<Volume> {
    find(conn, pool, kind, name)?.ok_or_else(|| Error::not_found(Kind::Volume, name))
}

/// The pools that have a volume of this kind and name, sorted.
///
/// # Errors
/// When the database cannot be read.
pub fn pools_with(conn: &Conn<'_>, kind: VolumeKind, name: &str) -> Result<Vec<PoolName>> {
    let sql = "SELECT p.name AS pool FROM volumes v JOIN pools p ON p.id = v.pool_id
               WHERE v.type = ?1 AND v.name = ?2 ORDER BY p.name";
    conn.all("volumes", sql, params![kind as i64, name], |row| row.parsed("pool", PoolName::parse))
}

/// Stores a new volume.
///
/// # Errors
/// [`Error::Conflict`], [`Error::NotFound`] for the pool.
pub fn insert(tx: &Tx<'_>, new: &Volume) -> Result<()> {
    let pool = crate::pools::id(tx, &new.pool)?;
    let sql = "INSERT INTO volumes (pool_id, type, name, description, config, created_at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let created = new.created_at.to_string();
    tx.execute(sql, params![pool, new.kind as i64, new.name, new.description, json(&new.config)?, created])
        .map_err(|e| e.or_conflict(Kind::Volume, &new.name))
        .map(drop)
}

/// Changes description and keys.
///
/// # Errors
/// [`Error::NotFound`].
pub fn update(tx: &Tx<'_>, new: &Volume) -> Result<()> {
    let pool = crate::pools::id(tx, &new.pool)?;
    let sql =
        "UPDATE volumes SET description = ?4, config = ?5 WHERE pool_id = ?1 AND type = ?2 AND name = ?3";
    let rows =
        tx.execute(sql, params![pool, new.kind as i64, new.name, new.description, json(&new.config)?])?;
    touched(rows, Kind::Volume, &new.name)
}

/// Gives a volume another name.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Conflict`].
pub fn rename(tx: &Tx<'_>, pool: &PoolName, kind: VolumeKind, name: &str, new: &str) -> Result<()> {
    let pool = crate::pools::id(tx, pool)?;
    let sql = "UPDATE volumes SET name = ?4 WHERE pool_id = ?1 AND type = ?2 AND name = ?3";
    let rows = tx
        .execute(sql, params![pool, kind as i64, name, new])
        .map_err(|e| e.or_conflict(Kind::Volume, new))?;
    touched(rows, Kind::Volume, name)
}

/// Takes a volume to another pool, under another name or the same, with its snapshots.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Conflict`].
pub fn relocate(tx: &Tx<'_>, pool: &PoolName, name: &str, new: &Volume) -> Result<()> {
    let (pool, to) = (crate::pools::id(tx, pool)?, crate::pools::id(tx, &new.pool)?);
    let sql = "UPDATE volumes SET pool_id = ?4, name = ?5, config = ?6
               WHERE pool_id = ?1 AND type = ?2 AND name = ?3";
    let rows = tx
        .execute(sql, params![pool, new.kind as i64, name, to, new.name, json(&new.config)?])
        .map_err(|e| e.or_conflict(Kind::Volume, &new.name))?;
    touched(rows, Kind::Volume, name)
}

/// Forgets a volume.
///
/// # Errors
/// [`Error::NotFound`].
pub fn delete(tx: &Tx<'_>, pool: &PoolName, kind: VolumeKind, name: &str) -> Result<()> {
    let pool = crate::pools::id(tx, pool)?;
    let sql = "DELETE FROM volumes WHERE pool_id = ?1 AND type = ?2 AND name = ?3";
    touched(tx.execute(sql, params![pool, kind as i64, name])?, Kind::Volume, name)
}
