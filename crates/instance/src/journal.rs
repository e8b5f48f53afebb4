//! What is under way, written down before it begins, so that a start-up can finish or undo what a
//! `kill -9` interrupted.

use crate::Error;
use crate::volumes::VolumeWork;
use model::names::{Fingerprint, InstanceName, PoolName, SnapshotName};
use serde::{Deserialize, Serialize};
use storage::Staged;
use store::Store;
use store::journal::JournalId;

/// One piece of work of several steps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(crate) enum Entry {
    /// A container is made: undone when it has no record.
    Create { name: InstanceName, pool: PoolName },
    /// A container is removed: finished.
    Delete { name: InstanceName, pool: PoolName },
    /// A container gets another name: the record decides which.
    Rename { from: InstanceName, to: InstanceName, pool: PoolName },
    /// A container moves to another pool: the record decides which.
    ChangePool { name: InstanceName, from: PoolName, to: PoolName },
    /// A container is frozen for a moment: thawed.
    Still { name: InstanceName },
    /// A snapshot is taken: undone when it has no record.
    Snapshot { name: InstanceName, snapshot: SnapshotName, pool: PoolName },
    /// A snapshot is removed: finished.
    DeleteSnapshot { name: InstanceName, snapshot: SnapshotName, pool: PoolName },
    /// A snapshot gets another name: the record decides which.
    RenameSnapshot { name: InstanceName, from: SnapshotName, to: SnapshotName, pool: PoolName },
    /// A container gets other files: finished once they are written down here, undone before.
    Restore { name: InstanceName, pool: PoolName, staged: Option<Staged> },
    /// Something is done to a custom volume.
    Volume(VolumeWork),
    /// Image files are put into place: undone when there is no record.
    Import { fingerprint: Fingerprint },
    /// An image is removed: finished.
    Remove { fingerprint: Fingerprint },
}

impl Entry {
    /// What is done, for people who read the table.
    const fn verb(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create",
            Self::Delete { .. } => "delete",
            Self::Rename { .. } => "rename",
            Self::ChangePool { .. } => "change-pool",
            Self::Still { .. } => "still",
            Self::Snapshot { .. } => "snapshot",
            Self::DeleteSnapshot { .. } => "delete-snapshot",
            Self::RenameSnapshot { .. } => "rename-snapshot",
            Self::Restore { .. } => "restore",
            Self::Volume(work) => work.verb(),
            Self::Import { .. } => "import",
            Self::Remove { .. } => "remove",
        }
    }

    /// What it is done to, likewise.
    fn subject(&self) -> String {
        match self {
            Self::Create { name, .. }
            | Self::Delete { name, .. }
            | Self::ChangePool { name, .. }
            | Self::Still { name }
            | Self::Restore { name, .. } => name.to_string(),
            Self::Snapshot { name, snapshot, .. } | Self::DeleteSnapshot { name, snapshot, .. } => {
                format!("{name}/{snapshot}")
            }
            Self::RenameSnapshot { name, from, .. } => format!("{name}/{from}"),
            Self::Rename { from, .. } => from.to_string(),
            Self::Volume(work) => work.subject(),
            Self::Import { fingerprint } | Self::Remove { fingerprint } => fingerprint.to_string(),
        }
    }
}

/// Writes down that work begins; the number ends it. A power cut may take it: a volume that is left
/// without a record then is named at the next start.
pub(crate) async fn begin(store: &Store, entry: Entry) -> Result<JournalId, Error> {
    Ok(store.write_lazy(move |tx| store::journal::begin(tx, entry.verb(), &entry.subject(), &entry)).await?)
}

/// Writes down that work begins, together with other changes.
pub(crate) fn write(tx: &store::Tx<'_>, entry: &Entry) -> store::Result<JournalId> {
    store::journal::begin(tx, entry.verb(), &entry.subject(), entry)
}

/// The work was undone.
pub(crate) async fn give_up(store: Store, id: JournalId) {
    if let Err(error) = store.write(move |tx| store::journal::end(tx, id)).await {
        tracing::error!(error = &error as &dyn std::error::Error, "cannot end an entry of the journal");
    }
}

/// The work is done, and so it is after a power cut.
pub(crate) async fn done(store: &Store, id: JournalId) {
    if let Err(error) = store.write_lazy(move |tx| store::journal::end(tx, id)).await {
        tracing::error!(error = &error as &dyn std::error::Error, "cannot end an entry of the journal");
    }
}

/// Everything that was interrupted.
pub(crate) async fn interrupted(store: &Store) -> Result<Vec<(JournalId, Option<Entry>)>, Error> {
    let rows = store.read(store::journal::list).await?;
    Ok(rows.into_iter().map(|row| (row.id, serde_json::from_value(row.detail).ok())).collect())
}
