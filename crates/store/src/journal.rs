//! Work of several steps that is under way.
//!
//! An entry is made before the first step and removed after the last. What is still there when
//! the daemon starts was cut short, and says what has to be cleaned up or finished.
//!
//! [`crate::Store::write_lazy`] is enough to begin: entries are for daemons that were killed. The
//! end belongs into the same write as the record that the work leads to.

use crate::row::{json, touched};
use crate::{Conn, Kind, Result, Tx};
use api::Time;
use rusqlite::params;
use serde::Serialize;

/// Names an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JournalId(pub i64);

impl std::fmt::Display for JournalId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Work that was begun.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Names it.
    pub id: JournalId,
    /// What is being done, such as `create`.
    pub kind: String,
    /// What it is done to, such as a container's name.
    pub subject: String,
    /// Whatever is needed to undo or finish it.
    pub detail: serde_json::Value,
    /// When it was begun.
    pub started_at: Time,
}

/// Notes that work begins.
///
/// # Errors
/// When the database cannot be written.
pub fn begin(tx: &Tx<'_>, kind: &str, subject: &str, detail: &impl Serialize) -> Result<JournalId> {
    let sql = "INSERT INTO journal (kind, subject, detail, started_at) VALUES (?1, ?2, ?3, ?4)";
    tx.execute(sql, params![kind, subject, json(detail)?, Time::now().to_string()])?;
    Ok(JournalId(tx.sql().last_insert_rowid()))
}

/// Notes how far the work is.
///
/// # Errors
/// [`crate::Error::NotFound`].
pub fn set_detail(tx: &Tx<'_>, id: JournalId, detail: &impl Serialize) -> Result<()> {
    let rows = tx.execute("UPDATE journal SET detail = ?2 WHERE id = ?1", params![id.0, json(detail)?])?;
    touched(rows, Kind::Journal, id)
}

/// Notes that work is done, or undone. An entry that is not there is no error: undoing may be
/// done twice.
///
/// # Errors
/// When the database cannot be written.
pub fn end(tx: &Tx<'_>, id: JournalId) -> Result<()> {
    tx.execute("DELETE FROM journal WHERE id = ?1", [id.0]).map(drop)
}

/// All work that was begun and has not ended, oldest first.
///
/// # Errors
/// When the database cannot be read.
pub fn list(conn: &Conn<'_>) -> Result<Vec<Entry>> {
    conn.all("journal", "SELECT * FROM journal ORDER BY id", [], |row| {
        Ok(Entry {
            id: JournalId(row.get("id")?),
            kind: row.get("kind")?,
            subject: row.get("subject")?,
            detail: row.json("detail")?,
            started_at: row.time("started_at")?,
        })
    })
}
