//! Between columns and types.

use crate::{Conn, Error, Kind, Result};
use api::Time;
use rusqlite::{OptionalExtension as _, Params, Row};
use serde::{Serialize, de::DeserializeOwned};

/// A row, with the names that a message about it needs.
pub(crate) struct Record<'a> {
    table: &'static str,
    row: &'a Row<'a>,
}

impl Record<'_> {
    pub(crate) fn get<T: rusqlite::types::FromSql>(&self, column: &'static str) -> Result<T> {
        Ok(self.row.get(column)?)
    }

    /// A column of text that becomes a type of ours.
    pub(crate) fn parsed<T, E: std::fmt::Display>(
        &self,
        column: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T> {
        let text: String = self.get(column)?;
        parse(&text).map_err(|reason| self.bad(column, &text, &reason))
    }

    /// A column of JSON.
    pub(crate) fn json<T: DeserializeOwned>(&self, column: &'static str) -> Result<T> {
        self.parsed(column, |text| serde_json::from_str(text))
    }

    /// A column with a point in time.
    pub(crate) fn time(&self, column: &'static str) -> Result<Time> {
        self.parsed(column, |text| text.parse().map(Time))
    }

    pub(crate) fn architecture(&self, column: &'static str) -> Result<model::Architecture> {
        let id: i64 = self.get(column)?;
        model::Architecture::from_id(id)
            .ok_or_else(|| self.bad(column, &id.to_string(), &"no architecture has this number"))
    }

    pub(crate) fn bad(&self, column: &'static str, value: &str, reason: &dyn std::fmt::Display) -> Error {
        let value = value.chars().take(100).collect();
        Error::BadValue { table: self.table, column, value, reason: reason.to_string() }
    }
}

impl Conn<'_> {
    /// Every row that a query gives.
    pub(crate) fn all<T>(
        &self,
        table: &'static str,
        sql: &str,
        params: impl Params,
        make: impl Fn(&Record<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut statement = self.sql().prepare_cached(sql)?;
        let mut rows = statement.query(params)?;
        let mut all = vec![];
        while let Some(row) = rows.next()? {
            all.push(make(&Record { table, row })?);
        }
        Ok(all)
    }

    /// The first row that a query gives.
    pub(crate) fn first<T>(
        &self,
        table: &'static str,
        sql: &str,
        params: impl Params,
        make: impl Fn(&Record<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        let mut statement = self.sql().prepare_cached(sql)?;
        let mut rows = statement.query(params)?;
        rows.next()?.map(|row| make(&Record { table, row })).transpose()
    }

    /// The row number of something with a name.
    pub(crate) fn id_of(&self, kind: Kind, sql: &str, name: &str) -> Result<i64> {
        let id = self.sql().prepare_cached(sql)?.query_row([name], |row| row.get(0)).optional()?;
        id.ok_or_else(|| Error::not_found(kind, name))
    }
}

/// The stored form of a map or list.
pub(crate) fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|source| Error::Encode { source })
}

/// An error unless exactly one row was touched.
pub(crate) fn touched(rows: usize, kind: Kind, name: impl std::fmt::Display) -> Result<()> {
    if rows == 1 { Ok(()) } else { Err(Error::not_found(kind, name)) }
}
