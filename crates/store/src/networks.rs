//! Managed networks.

use crate::row::{Record, json, touched};
use crate::{Conn, Error, Kind, Result, Tx};
use api::Config;
use model::NetworkName;
use rusqlite::params;

/// A managed network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// Its name.
    pub name: NetworkName,
    /// `bridge`.
    pub kind: String,
    /// What its owner wrote.
    pub description: String,
    /// Its keys.
    pub config: Config,
}

fn network(row: &Record<'_>) -> Result<Network> {
    Ok(Network {
        name: row.parsed("name", NetworkName::parse)?,
        kind: row.get("type")?,
        description: row.get("description")?,
        config: row.json("config")?,
    })
}

/// All networks, sorted by name.
///
/// # Errors
/// When the database cannot be read.
pub fn list(conn: &Conn<'_>) -> Result<Vec<Network>> {
    conn.all("networks", "SELECT * FROM networks ORDER BY name", [], network)
}

/// The network with this name, if there is one.
///
/// # Errors
/// When the database cannot be read.
pub fn find(conn: &Conn<'_>, name: &NetworkName) -> Result<Option<Network>> {
    conn.first("networks", "SELECT * FROM networks WHERE name = ?1", [name.as_str()], network)
}

/// The network with this name.
///
/// # Errors
/// [`Error::NotFound`].
pub fn get(conn: &Conn<'_>, name: &NetworkName) -> Result<Network> {
    find(conn, name)?.ok_or_else(|| Error::not_found(Kind::Network, name))
}

/// Stores a new network.
///
/// # Errors
/// [`Error::Conflict`].
pub fn insert(tx: &Tx<'_>, new: &Network) -> Result<()> {
    let sql = "INSERT INTO networks (name, type, description, config) VALUES (?1, ?2, ?3, ?4)";
    tx.execute(sql, params![new.name.as_str(), new.kind, new.description, json(&new.config)?])
        .map_err(|e| e.or_conflict(Kind::Network, &new.name))
        .map(drop)
}

/// Changes description and keys.
///
/// # Errors
/// [`Error::NotFound`].
pub fn update(tx: &Tx<'_>, new: &Network) -> Result<()> {
    let sql = "UPDATE networks SET description = ?2, config = ?3 WHERE name = ?1";
    let rows = tx.execute(sql, params![new.name.as_str(), new.description, json(&new.config)?])?;
    touched(rows, Kind::Network, &new.name)
}

/// Gives a network another name.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Conflict`].
pub fn rename(tx: &Tx<'_>, name: &NetworkName, new: &NetworkName) -> Result<()> {
    let sql = "UPDATE networks SET name = ?2 WHERE name = ?1";
    let rows =
        tx.execute(sql, [name.as_str(), new.as_str()]).map_err(|e| e.or_conflict(Kind::Network, new))?;
    touched(rows, Kind::Network, name)
}

/// Forgets a network.
///
/// # Errors
/// [`Error::NotFound`].
pub fn delete(tx: &Tx<'_>, name: &NetworkName) -> Result<()> {
    touched(tx.execute("DELETE FROM networks WHERE name = ?1", [name.as_str()])?, Kind::Network, name)
}
