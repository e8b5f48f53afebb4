//! What closures get to work with.

use rusqlite::Connection;

/// A connection to read from, with one unchanging view of the database.
pub struct Conn<'a> {
    sql: &'a Connection,
}

impl<'a> Conn<'a> {
    pub(crate) const fn new(sql: &'a Connection) -> Self {
        Self { sql }
    }

    pub(crate) const fn sql(&self) -> &Connection {
        self.sql
    }
}

/// A transaction to change things in. It ends with the closure: well, if that returns well.
pub struct Tx<'a> {
    conn: Conn<'a>,
}

impl<'a> Tx<'a> {
    pub(crate) const fn new(sql: &'a Connection) -> Self {
        Self { conn: Conn::new(sql) }
    }

    /// Runs one statement; returns how many rows it touched.
    pub(crate) fn execute(&self, sql: &str, params: impl rusqlite::Params) -> Result<usize, crate::Error> {
        Ok(self.conn.sql.prepare_cached(sql)?.execute(params)?)
    }
}

impl<'a> std::ops::Deref for Tx<'a> {
    type Target = Conn<'a>;

    fn deref(&self) -> &Conn<'a> {
        &self.conn
    }
}
