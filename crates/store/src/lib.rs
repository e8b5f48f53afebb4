//! All SQL.
//!
//! One SQLite file in WAL mode. Every write goes through one thread, in transactions that begin
//! `IMMEDIATE`; writes that wait at the same time are committed together. Two more threads
//! answer reads from their own connections, which never wait for the writer. Work is a closure
//! that gets a connection and returns a value, so that no transaction is ever held over an await.
//!
//! Durability: [`Store::write`] returns when the change is on the disk (`synchronous=FULL`), and
//! so survives both a killed daemon and a power cut. [`Store::write_lazy`] leaves out the flush:
//! the change survives a killed daemon, and a power cut may lose it and later lazy ones, never
//! damage the file. It is for what is worth nothing after a power cut, such as that a container
//! runs.
//!
//! Each group of tables has its file with typed records; functions that only read take a
//! [`Conn`], those that change something a [`Tx`] (which is also a `Conn`).

pub mod aliases;
pub mod certificates;
mod conn;
mod error;
mod handle;
pub mod images;
pub mod instances;
pub mod journal;
pub mod networks;
mod open;
pub mod pools;
pub mod profiles;
mod readers;
mod row;
mod schema;
pub mod server_config;
pub mod snapshots;
#[cfg(test)]
mod tests;
pub mod volume_snapshots;
pub mod volumes;
mod writer;

pub use conn::{Conn, Tx};
pub use error::{Error, Kind};
pub use handle::Store;

/// What functions of this crate return.
pub type Result<T, E = Error> = std::result::Result<T, E>;
