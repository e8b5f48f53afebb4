//! Opening the file: modes, settings, and whether it can be trusted.

use crate::{Error, Result};
use rusqlite::{Connection, OpenFlags};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

/// How long a statement waits for another process (a backup, a shell) to let go of the file.
const BUSY: Duration = Duration::from_secs(5);

/// Opens the file for the writer, making it if it is not there, and checks it.
pub(crate) fn writer(path: &Path) -> Result<Connection> {
    create(path)?;
    let sql = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(|e| e.at(path))?;
    settle(&sql).map_err(|e| e.at(path))?;
    check(&sql, path)?;
    Ok(sql)
}

/// Opens the file for a reader.
pub(crate) fn reader(path: &Path) -> Result<Connection> {
    let open = || {
        let sql = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        sql.pragma_update(None, "query_only", true)?;
        Ok(sql)
    };
    open().map_err(|e: Error| e.at(path))
}

/// SQLite would make the file readable for others; those beside it take its mode.
fn create(path: &Path) -> Result<()> {
    let opened = std::fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
    opened.map(drop).map_err(|source| Error::Open { path: path.to_owned(), source })
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection> {
    // Each connection stays with one thread.
    let sql = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    sql.busy_timeout(BUSY)?;
    sql.set_prepared_statement_cache_capacity(64);
    // Below zero: KiB. The default would be 2 MiB for each connection; the kernel keeps the file anyway.
    sql.pragma_update(None, "cache_size", -256)?;
    sql.pragma_update(None, "foreign_keys", true)?;
    sql.pragma_update(None, "temp_store", "MEMORY")?;
    // Text in the schema is not to be trusted with functions that have side effects.
    sql.pragma_update(None, "trusted_schema", false)?;
    Ok(sql)
}

fn settle(sql: &Connection) -> Result<()> {
    sql.pragma_update(None, "journal_mode", "WAL")?;
    sql.pragma_update(None, "synchronous", "FULL")?;
    // The log shrinks back to this after a burst.
    sql.pragma_update(None, "journal_size_limit", 4 * 1024 * 1024)?;
    Ok(())
}

fn check(sql: &Connection, path: &Path) -> Result<()> {
    let verdict: Result<String> =
        sql.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(Error::from);
    match verdict {
        Ok(ok) if ok == "ok" => Ok(()),
        Ok(detail) => Err(Error::Damaged { path: path.to_owned(), detail }),
        Err(error) => Err(error.at(path)),
    }
}
