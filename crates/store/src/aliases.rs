//! Aliases of images.

use crate::row::{Record, touched};
use crate::{Conn, Error, Kind, Result, Tx};
use model::{AliasName, Fingerprint};
use rusqlite::params;
use std::collections::BTreeMap;

/// An alias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// Its name.
    pub name: AliasName,
    /// What its owner wrote.
    pub description: String,
    /// The image that it stands for.
    pub target: Fingerprint,
    /// That image may be seen by clients that are not trusted.
    pub public: bool,
}

const SELECT: &str = "SELECT a.name AS name, a.description AS description, i.fingerprint AS target,
    i.public AS public FROM aliases a JOIN images i ON i.id = a.image_id";

fn alias(row: &Record<'_>) -> Result<Alias> {
    Ok(Alias {
        name: row.parsed("name", AliasName::parse)?,
        description: row.get("description")?,
        target: row.parsed("target", Fingerprint::parse)?,
        public: row.get("public")?,
    })
}

/// All aliases, sorted by name.
///
/// # Errors
/// When the database cannot be read.
pub fn list(conn: &Conn<'_>) -> Result<Vec<Alias>> {
    conn.all("aliases", &format!("{SELECT} ORDER BY a.name"), [], alias)
}

/// All aliases by the image that they stand for.
///
/// # Errors
/// When the database cannot be read.
pub fn by_image(conn: &Conn<'_>) -> Result<BTreeMap<Fingerprint, Vec<Alias>>> {
    let mut all: BTreeMap<Fingerprint, Vec<Alias>> = BTreeMap::new();
    for alias in list(conn)? {
        all.entry(alias.target.clone()).or_default().push(alias);
    }
    Ok(all)
}

/// The aliases of one image, sorted by name.
///
/// # Errors
/// When the database cannot be read.
pub fn of(conn: &Conn<'_>, image: &Fingerprint) -> Result<Vec<Alias>> {
    let sql = format!("{SELECT} WHERE i.fingerprint = ?1 ORDER BY a.name");
    conn.all("aliases", &sql, [image.as_str()], alias)
}

/// The alias with this name, if there is one.
///
/// # Errors
/// When the database cannot be read.
pub fn find(conn: &Conn<'_>, name: &AliasName) -> Result<Option<Alias>> {
    conn.first("aliases", &format!("{SELECT} WHERE a.name = ?1"), [name.as_str()], alias)
}

/// The alias with this name.
///
/// # Errors
/// [`Error::NotFound`].
pub fn get(conn: &Conn<'_>, name: &AliasName) -> Result<Alias> {
    find(conn, name)?.ok_or_else(|| Error::not_found(Kind::Alias, name))
}

/// Stores a new alias.
///
/// # Errors
/// [`Error::Conflict`], [`Error::NotFound`] for the image.
pub fn insert(tx: &Tx<'_>, name: &AliasName, description: &str, target: &Fingerprint) -> Result<()> {
    let image = crate::images::id(tx, target)?;
    let sql = "INSERT INTO aliases (name, description, image_id) VALUES (?1, ?2, ?3)";
    tx.execute(sql, params![name.as_str(), description, image])
        .map_err(|e| e.or_conflict(Kind::Alias, name))
        .map(drop)
}

/// Changes everything but the name.
///
/// # Errors
/// [`Error::NotFound`] for the alias or the image.
pub fn update(tx: &Tx<'_>, name: &AliasName, description: &str, target: &Fingerprint) -> Result<()> {
    let image = crate::images::id(tx, target)?;
    let sql = "UPDATE aliases SET description = ?2, image_id = ?3 WHERE name = ?1";
    touched(tx.execute(sql, params![name.as_str(), description, image])?, Kind::Alias, name)
}

/// Gives an alias another name.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Conflict`].
pub fn rename(tx: &Tx<'_>, name: &AliasName, new: &AliasName) -> Result<()> {
    let sql = "UPDATE aliases SET name = ?2 WHERE name = ?1";
    let rows = tx.execute(sql, [name.as_str(), new.as_str()]).map_err(|e| e.or_conflict(Kind::Alias, new))?;
    touched(rows, Kind::Alias, name)
}

/// Forgets an alias.
///
/// # Errors
/// [`Error::NotFound`].
pub fn delete(tx: &Tx<'_>, name: &AliasName) -> Result<()> {
    touched(tx.execute("DELETE FROM aliases WHERE name = ?1", [name.as_str()])?, Kind::Alias, name)
}
