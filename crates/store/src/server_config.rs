//! The server's own configuration.

use crate::{Conn, Result, Tx};
use api::Config;

/// All keys that are set.
///
/// # Errors
/// When the database cannot be read.
pub fn get(conn: &Conn<'_>) -> Result<Config> {
    let pairs = conn
        .all("config", "SELECT key, value FROM config", [], |row| Ok((row.get("key")?, row.get("value")?)))?;
    Ok(pairs.into_iter().collect())
}

/// Replaces all keys; empty values are left out.
///
/// # Errors
/// When the database cannot be written.
pub fn replace(tx: &Tx<'_>, config: &Config) -> Result<()> {
    tx.execute("DELETE FROM config", [])?;
    for (key, value) in config.iter().filter(|(_, value)| !value.is_empty()) {
        tx.execute("INSERT INTO config (key, value) VALUES (?1, ?2)", [key, value])?;
    }
    Ok(())
}
