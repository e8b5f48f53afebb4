//! What is done to volumes in several steps, as the journal keeps it.

use super::Place;
use crate::journal::Entry;
use model::names::{PoolName, SnapshotName, VolumeName};
use serde::{Deserialize, Serialize};
use storage::Staged;

/// Work on a custom volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "work", rename_all = "kebab-case")]
pub(crate) enum VolumeWork {
    /// It is made: undone when it has no record.
    Create { pool: PoolName, volume: VolumeName },
    /// It is removed: finished.
    Delete { pool: PoolName, volume: VolumeName },
    /// It gets another name: the record decides which.
    Rename { pool: PoolName, from: VolumeName, to: VolumeName },
    /// It gets another size: the record decides which.
    Resize { pool: PoolName, volume: VolumeName },
    /// It gets other files: finished once they are written down here, undone before.
    Restore { pool: PoolName, volume: VolumeName, staged: Option<Staged> },
    /// A snapshot is taken: undone when it has no record.
    Snapshot { pool: PoolName, volume: VolumeName, snapshot: SnapshotName },
    /// A snapshot is removed: finished.
    DeleteSnapshot { pool: PoolName, volume: VolumeName, snapshot: SnapshotName },
    /// A snapshot gets another name: the record decides which.
    RenameSnapshot { pool: PoolName, volume: VolumeName, from: SnapshotName, to: SnapshotName },
}

impl VolumeWork {
    /// What is done, for people who read the table.
    pub(crate) const fn verb(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create-volume",
            Self::Delete { .. } => "delete-volume",
            Self::Rename { .. } => "rename-volume",
            Self::Resize { .. } => "resize-volume",
            Self::Restore { .. } => "restore-volume",
            Self::Snapshot { .. } => "snapshot-volume",
            Self::DeleteSnapshot { .. } => "delete-volume-snapshot",
            Self::RenameSnapshot { .. } => "rename-volume-snapshot",
        }
    }

    /// The volume that it is done to.
    pub(super) fn place(&self) -> Place {
        let (Self::Create { pool, volume }
        | Self::Delete { pool, volume }
        | Self::Resize { pool, volume }
        | Self::Restore { pool, volume, .. }
        | Self::Rename { pool, from: volume, .. }
        | Self::Snapshot { pool, volume, .. }
        | Self::DeleteSnapshot { pool, volume, .. }
        | Self::RenameSnapshot { pool, volume, .. }) = self;
        Place { pool: pool.clone(), name: volume.clone() }
    }

    /// What it is done to, likewise.
    pub(crate) fn subject(&self) -> String {
        match self {
            Self::Snapshot { snapshot, .. }
            | Self::DeleteSnapshot { snapshot, .. }
            | Self::RenameSnapshot { from: snapshot, .. } => format!("{}/{snapshot}", self.place()),
            _ => self.place().to_string(),
        }
    }
}

impl From<VolumeWork> for Entry {
    fn from(work: VolumeWork) -> Self {
        Self::Volume(work)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let (pool, volume) = (PoolName::parse("p").unwrap(), VolumeName::parse("v").unwrap());
        let snapshot = SnapshotName::parse("s").unwrap();
        for work in [
            VolumeWork::Create { pool: pool.clone(), volume: volume.clone() },
            VolumeWork::Restore { pool: pool.clone(), volume: volume.clone(), staged: None },
            VolumeWork::RenameSnapshot { pool, volume, from: snapshot.clone(), to: snapshot },
        ] {
            let entry = Entry::from(work);
            let text = serde_json::to_string(&entry).unwrap();
            assert!(text.contains(r#""kind":"volume","work":"#), "{text}");
            assert_eq!(serde_json::from_str::<Entry>(&text).unwrap(), entry);
        }
    }
}
