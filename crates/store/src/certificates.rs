//! Certificates of clients that are trusted.

use crate::row::{Record, touched};
use crate::{Conn, Kind, Result, Tx};
use rusqlite::params;

/// A client that is trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// SHA-256 of `der`, in small hexadecimal digits.
    pub fingerprint: String,
    /// What its owner calls it.
    pub name: String,
    /// The certificate in its binary form.
    pub der: Vec<u8>,
}

fn certificate(row: &Record<'_>) -> Result<Certificate> {
    Ok(Certificate { fingerprint: row.get("fingerprint")?, name: row.get("name")?, der: row.get("der")? })
}

/// All of them, sorted by fingerprint.
///
/// # Errors
/// When the database cannot be read.
pub fn list(conn: &Conn<'_>) -> Result<Vec<Certificate>> {
    let sql = "SELECT fingerprint, name, der FROM certificates ORDER BY fingerprint";
    conn.all("certificates", sql, [], certificate)
}

/// Trusts one more.
///
/// # Errors
/// [`crate::Error::Conflict`].
pub fn insert(tx: &Tx<'_>, new: &Certificate) -> Result<()> {
    let sql = "INSERT INTO certificates (fingerprint, name, der) VALUES (?1, ?2, ?3)";
    tx.execute(sql, params![new.fingerprint, new.name, new.der])
        .map_err(|e| e.or_conflict(Kind::Certificate, &new.fingerprint))
        .map(drop)
}

/// Gives one another name.
///
/// # Errors
/// [`crate::Error::NotFound`].
pub fn rename(tx: &Tx<'_>, fingerprint: &str, name: &str) -> Result<()> {
    let sql = "UPDATE certificates SET name = ?2 WHERE fingerprint = ?1";
    touched(tx.execute(sql, [fingerprint, name])?, Kind::Certificate, fingerprint)
}

/// Trusts one no more.
///
/// # Errors
/// [`crate::Error::NotFound`].
pub fn delete(tx: &Tx<'_>, fingerprint: &str) -> Result<()> {
    let sql = "DELETE FROM certificates WHERE fingerprint = ?1";
    touched(tx.execute(sql, [fingerprint])?, Kind::Certificate, fingerprint)
}
