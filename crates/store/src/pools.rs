//! Storage pools.

use crate::row::{Record, json, touched};
use crate::{Conn, Error, Kind, Result, Tx};
use api::Config;
use model::{InstanceName, PoolName};
use rusqlite::params;

/// A storage pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Its name.
    pub name: PoolName,
    /// `dir`, `btrfs`, …
    pub driver: String,
    /// What its owner wrote.
    pub description: String,
    /// Its keys.
    pub config: Config,
}

fn pool(row: &Record<'_>) -> Result<Pool> {
    Ok(Pool {
        name: row.parsed("name", PoolName::parse)?,
        driver: row.get("driver")?,
        description: row.get("description")?,
        config: row.json("config")?,
    })
}

/// The number of a pool.
pub(crate) fn id(conn: &Conn<'_>, name: &PoolName) -> Result<i64> {
    conn.id_of(Kind::Pool, "SELECT id FROM pools WHERE name = ?1", name.as_str())
}

/// All pools, sorted by name.
///
/// # Errors
/// When the database cannot be read.
pub fn list(conn: &Conn<'_>) -> Result<Vec<Pool>> {
    conn.all("pools", "SELECT * FROM pools ORDER BY name", [], pool)
}

/// The pool with this name, if there is one.
///
/// # Errors
/// When the database cannot be read.
pub fn find(conn: &Conn<'_>, name: &PoolName) -> Result<Option<Pool>> {
    conn.first("pools", "SELECT * FROM pools WHERE name = ?1", [name.as_str()], pool)
}

/// The pool with this name.
///
/// # Errors
/// [`Error::NotFound`].
pub fn get(conn: &Conn<'_>, name: &PoolName) -> Result<Pool> {
    find(conn, name)?.ok_or_else(|| Error::not_found(Kind::Pool, name))
}

/// Stores a new pool.
///
/// # Errors
/// [`Error::Conflict`].
pub fn insert(tx: &Tx<'_>, new: &Pool) -> Result<()> {
    let sql = "INSERT INTO pools (name, driver, description, config) VALUES (?1, ?2, ?3, ?4)";
    tx.execute(sql, params![new.name.as_str(), new.driver, new.description, json(&new.config)?])
        .map_err(|e| e.or_conflict(Kind::Pool, &new.name))
        .map(drop)
}

/// Changes description and keys.
///
/// # Errors
/// [`Error::NotFound`].
pub fn update(tx: &Tx<'_>, new: &Pool) -> Result<()> {
    let sql = "UPDATE pools SET description = ?2, config = ?3 WHERE name = ?1";
    let rows = tx.execute(sql, params![new.name.as_str(), new.description, json(&new.config)?])?;
    touched(rows, Kind::Pool, &new.name)
}

/// Forgets a pool.
///
/// # Errors
/// [`Error::InUse`] while it has containers or volumes, [`Error::NotFound`].
pub fn delete(tx: &Tx<'_>, name: &PoolName) -> Result<()> {
    let rows = tx
        .execute("DELETE FROM pools WHERE name = ?1", [name.as_str()])
        .map_err(|e| e.or_in_use(Kind::Pool, name))?;
    touched(rows, Kind::Pool, name)
}

/// The containers whose root is in a pool, sorted by name.
///
/// # Errors
/// When the database cannot be read.
pub fn used_by(conn: &Conn<'_>, name: &PoolName) -> Result<Vec<InstanceName>> {
    let sql = "SELECT i.name AS name FROM instances i JOIN pools p ON p.id = i.pool_id
               WHERE p.name = ?1 ORDER BY i.name";
    conn.all("instances", sql, [name.as_str()], |row| row.parsed("name", InstanceName::parse))
}
