//! The schema and the steps that lead to it.
//!
//! The table `schema` has a row for each step that was made. A step is a list of statements and
//! is made in one transaction; a step that was released is never changed, the next one is added.

mod steps;
#[cfg(test)]
mod tests;

use crate::{Error, Result};
use rusqlite::Connection;
use std::path::Path;
use std::sync::Arc;

/// The statements of a step; its number is its place in the list, from 1.
pub(crate) type Step = &'static str;

/// Brings a database to the newest schema.
pub(crate) fn update(sql: &mut Connection, path: &Path) -> Result<()> {
    update_with(sql, path, steps::STEPS)
}

fn update_with(sql: &mut Connection, path: &Path, steps: &[Step]) -> Result<()> {
    let found = version(sql).map_err(|e| e.at(path))?;
    let known = i64::try_from(steps.len()).unwrap_or(i64::MAX);
    if found > known {
        return Err(Error::TooNew { path: path.to_owned(), found, known });
    }
    // A table that is rebuilt while keys are enforced takes the rows that point at it along. The
    // setting is ignored inside a transaction.
    sql.pragma_update(None, "foreign_keys", false)?;
    let done = (1..).zip(steps).filter(|(number, _)| *number > found).try_for_each(|(number, step)| {
        make(sql, number, step).map_err(|e| Error::Schema {
            path: path.to_owned(),
            version: number,
            source: Arc::new(e.at(path)),
        })
    });
    sql.pragma_update(None, "foreign_keys", true)?;
    done
}

/// The newest step that was made; 0 for an empty file.
fn version(sql: &Connection) -> Result<i64> {
    let there: bool = sql.query_row(
        "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema')",
        [],
        |row| row.get(0),
    )?;
    if !there {
        return Ok(0);
    }
    Ok(sql.query_row("SELECT coalesce(max(version), 0) FROM schema", [], |row| row.get(0))?)
}

fn make(sql: &mut Connection, number: i64, step: Step) -> Result<()> {
    let tx = sql.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    tx.execute_batch(step)?;
    let time = api::Time::now().to_string();
    tx.execute("INSERT INTO schema (version, time) VALUES (?1, ?2)", rusqlite::params![number, time])?;
    let dangling = tx.query_row("PRAGMA foreign_key_check", [], |row| row.get::<_, String>(0));
    match dangling {
        Err(rusqlite::Error::QueryReturnedNoRows) => Ok(tx.commit()?),
        Ok(table) => Err(Error::Dangling { table }),
        Err(error) => Err(error.into()),
    }
}
