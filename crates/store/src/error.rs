//! What can go wrong.

use std::path::PathBuf;
use std::sync::Arc;

/// A kind of stored thing, as messages name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A container.
    Instance,
    /// A container's snapshot.
    Snapshot,
    /// A profile.
    Profile,
    /// An image.
    Image,
    /// An image's alias.
    Alias,
    /// A managed network.
    Network,
    /// A storage pool.
    Pool,
    /// A storage volume.
    Volume,
    /// A trusted client.
    Certificate,
    /// An entry of the journal.
    Journal,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Instance => "container",
            Self::Snapshot => "snapshot",
            Self::Profile => "profile",
            Self::Image => "image",
            Self::Alias => "image alias",
            Self::Network => "network",
            Self::Pool => "storage pool",
            Self::Volume => "storage volume",
            Self::Certificate => "certificate",
            Self::Journal => "journal entry",
        })
    }
}

/// What can go wrong with the database.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such thing.
    #[error("{kind} {name:?} not found")]
    NotFound {
        /// What it would be.
        kind: Kind,
        /// Its name.
        name: String,
    },
    /// The name is taken.
    #[error("{kind} {name:?} already exists: choose another name, or remove that one first")]
    Conflict {
        /// What has the name.
        kind: Kind,
        /// The name.
        name: String,
    },
    /// Something else needs it.
    #[error("{kind} {name:?} is currently in use")]
    InUse {
        /// What it is.
        kind: Kind,
        /// Its name.
        name: String,
    },
    /// It always has to be there, under that name.
    #[error("the {kind} {name:?} cannot be renamed or deleted")]
    Protected {
        /// What it is.
        kind: Kind,
        /// Its name.
        name: String,
    },
    /// The beginning of a fingerprint that several images share.
    #[error("the fingerprint {prefix:?} is ambiguous, it could be {}: give more digits", matches.join(" or "))]
    Ambiguous {
        /// What was given.
        prefix: String,
        /// Some of the fingerprints that begin with it, shortened.
        matches: Vec<String>,
    },
    /// Another program holds the database.
    #[error("the database {path} is busy: another program has it open for writing")]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// The database was closed.
    #[error("the database is closed, because the daemon is stopping")]
    Closed,
    /// The file is no database, or parts of it cannot be read.
    #[error(
        "the database {path} is damaged ({detail}): stop the daemon, keep a copy of the file and of those beside it with -wal and -shm, and put a backup in its place, or move all three away to begin with an empty one"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        detail: String,
    },
    /// The file was written by a newer version.
    #[error(
        "the database {path} has schema {found} and this version knows {known}: run the version that wrote it, or a newer one"
    )]
    TooNew {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest that is known.
        known: i64,
    },
    /// The file cannot be made or opened.
    #[error("cannot open the database {path}")]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A thread cannot be started.
    #[error("cannot start a thread for the database")]
    Thread {
        /// Why.
        source: std::io::Error,
    },
    /// A step of the schema failed; the file is as it was.
    #[error("cannot bring the database {path} to schema {version}, it was left as it was")]
    Schema {
        /// The file.
        path: PathBuf,
        /// The step.
        version: i64,
        /// Why.
        source: Arc<Error>,
    },
    /// A step of the schema would have left rows that point nowhere.
    #[error("rows of table {table} point at rows that are not there")]
    Dangling {
        /// The table.
        table: String,
    },
    /// A stored value that means nothing.
    #[error("the database has {value:?} as {column} in table {table}, which cannot be read: {reason}")]
    BadValue {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The beginning of the value.
        value: String,
        /// Why it cannot be read.
        reason: String,
    },
    /// A value that has no stored form.
    #[error("cannot store a value")]
    Encode {
        /// Why.
        source: serde_json::Error,
    },
    /// A statement failed.
    #[error("database error")]
    Sql {
        /// Why.
        source: Arc<rusqlite::Error>,
    },
    /// A change was made and could not be kept.
    #[error("cannot write the database {path}; nothing was changed")]
    Lost {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Arc<Error>,
    },
    /// The work panicked; what it did was undone.
    #[error("a bug in the daemon stopped a change of the database; nothing was changed")]
    Panicked,
}

impl From<rusqlite::Error> for Error {
    fn from(source: rusqlite::Error) -> Self {
        Self::Sql { source: Arc::new(source) }
    }
}

impl Error {
    /// The SQLite error number, with details, if it was a statement that failed.
    fn extended_code(&self) -> Option<i32> {
        match self {
            Self::Sql { source } => match &**source {
                rusqlite::Error::SqliteFailure(failure, _) => Some(failure.extended_code),
                _ => None,
            },
            _ => None,
        }
    }

    /// Names what a broken uniqueness was about.
    pub(crate) fn or_conflict(self, kind: Kind, name: impl std::fmt::Display) -> Self {
        use rusqlite::ffi::{SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE};
        match self.extended_code() {
            Some(SQLITE_CONSTRAINT_UNIQUE | SQLITE_CONSTRAINT_PRIMARYKEY) => {
                Self::Conflict { kind, name: name.to_string() }
            }
            _ => self,
        }
    }

    /// Names what is still pointed at.
    pub(crate) fn or_in_use(self, kind: Kind, name: impl std::fmt::Display) -> Self {
        use rusqlite::ffi::{SQLITE_CONSTRAINT_FOREIGNKEY, SQLITE_CONSTRAINT_TRIGGER};
        match self.extended_code() {
            Some(SQLITE_CONSTRAINT_FOREIGNKEY | SQLITE_CONSTRAINT_TRIGGER) => {
                Self::InUse { kind, name: name.to_string() }
            }
            _ => self,
        }
    }

    /// Tells the few causes that are the file's from those that are the statement's.
    pub(crate) fn at(self, path: &std::path::Path) -> Self {
        use rusqlite::ErrorCode as Code;
        let Self::Sql { source } = &self else { return self };
        match source.sqlite_error_code() {
            Some(Code::DatabaseBusy | Code::DatabaseLocked) => Self::Busy { path: path.to_owned() },
            Some(Code::DatabaseCorrupt | Code::NotADatabase) => {
                Self::Damaged { path: path.to_owned(), detail: source.to_string() }
            }
            _ => self,
        }
    }

    pub(crate) fn not_found(kind: Kind, name: impl std::fmt::Display) -> Self {
        Self::NotFound { kind, name: name.to_string() }
    }
}
