//! Storage pools, volumes and their snapshots (`rest-api` §11).

use crate::instances::MigrationTarget;
use crate::{Config, Time, null_default};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A storage pool.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Pool {
    #[serde(deserialize_with = "null_default")]
    pub config: Config,
    #[serde(deserialize_with = "null_default")]
    pub description: String,
    pub name: String,
    pub driver: String,
    #[serde(deserialize_with = "null_default")]
    pub used_by: Vec<String>,
    /// `Created`, or `Unavailable` while it cannot be used.
    pub status: String,
    /// Why it is unavailable.
    #[serde(deserialize_with = "null_default", skip_serializing_if = "String::is_empty")]
    pub reason: String,
    #[serde(deserialize_with = "null_default")]
    pub locations: Vec<String>,
}

/// `POST /storage-pools`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct PoolsPost {
    #[serde(deserialize_with = "null_default")]
    pub name: String,
    #[serde(deserialize_with = "null_default")]
    pub driver: String,
    #[serde(deserialize_with = "null_default")]
    pub config: Config,
    #[serde(deserialize_with = "null_default")]
    pub description: String,
}

/// `PUT /storage-pools/<p>`: everything that can be changed, replaced as a whole.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct PoolPut {
    #[serde(deserialize_with = "null_default")]
    pub config: Config,
    #[serde(deserialize_with = "null_default")]
    pub description: String,
}

/// `PATCH /storage-pools/<p>`: absent fields stay as they are; keys are added to those there are.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct PoolPatch {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<Config>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// `GET /storage-pools/<p>/resources`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct PoolResources {
    pub space: Amount,
    pub inodes: Amount,
}

/// Used and total.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Amount {
    pub used: u64,
    pub total: u64,
}

/// A storage volume. In a list of volumes, a snapshot is one with the name `volume/snapshot`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Volume {
    #[serde(deserialize_with = "null_default")]
    pub config: Config,
    #[serde(deserialize_with = "null_default")]
    pub description: String,
    pub name: String,
    /// `container`, `image` or `custom`.
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(deserialize_with = "null_default")]
    pub used_by: Vec<String>,
    pub location: String,
    /// `filesystem`.
    #[serde(deserialize_with = "null_default", skip_serializing_if = "String::is_empty")]
    pub content_type: String,
    /// [`Time::UNSET`]: unknown.
    #[serde(deserialize_with = "null_default", skip_serializing_if = "is_unset")]
    pub created_at: Time,
}

/// `POST /storage-pools/<p>/volumes/custom`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct VolumesPost {
    #[serde(deserialize_with = "null_default")]
    pub config: Config,
    #[serde(deserialize_with = "null_default")]
    pub description: String,
    #[serde(deserialize_with = "null_default")]
    pub name: String,
    /// `custom`; empty: what the URL says.
    #[serde(rename = "type", deserialize_with = "null_default")]
    pub kind: String,
    /// `filesystem`, or empty; anything else is refused.
    #[serde(deserialize_with = "null_default", skip_serializing_if = "String::is_empty")]
    pub content_type: String,
    /// None, or of no type: an empty volume.
    #[serde(deserialize_with = "null_default", skip_serializing_if = "VolumeSource::is_none")]
    pub source: VolumeSource,
}

/// Where the content of a new volume comes from.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct VolumeSource {
    /// The volume to copy, or `volume/snapshot`.
    #[serde(deserialize_with = "null_default")]
    pub name: String,
    /// `copy`, `migration`, or empty where there is no source.
    #[serde(rename = "type", deserialize_with = "null_default")]
    pub kind: String,
    /// The pool of the volume to copy; empty: the same.
    #[serde(deserialize_with = "null_default", skip_serializing_if = "String::is_empty")]
    pub pool: String,
    /// Without its snapshots.
    #[serde(deserialize_with = "null_default", skip_serializing_if = "std::ops::Not::not")]
    pub volume_only: bool,
    /// Bring an earlier copy up to date.
    #[serde(deserialize_with = "null_default", skip_serializing_if = "std::ops::Not::not")]
    pub refresh: bool,
    /// For `migration`: `pull` or `push`.
    #[serde(deserialize_with = "null_default", skip_serializing_if = "String::is_empty")]
    pub mode: String,
    /// For `migration`: the operation at the other server, as `https://host:port/1.0/operations/<uuid>`.
    #[serde(deserialize_with = "null_default", skip_serializing_if = "String::is_empty")]
    pub operation: String,
    /// For `migration`: that server's certificate (PEM).
    #[serde(deserialize_with = "null_default", skip_serializing_if = "String::is_empty")]
    pub certificate: String,
    /// For `migration`: the secrets of that operation's streams.
    #[serde(deserialize_with = "null_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, String>,
}

impl VolumeSource {
    /// Whether it says that the volume is to be empty.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.kind.is_empty() && self.name.is_empty()
    }
}

/// `POST /storage-pools/<p>/volumes/<type>/<v>`: rename it, move it to another pool, or send it to
/// another server.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct VolumePost {
    /// The new name; empty with a pool: the one it has.
    #[serde(deserialize_with = "null_default")]
    pub name: String,
    /// The pool to move it to, in an operation; empty, or the one it is in: it is renamed at once.
    #[serde(deserialize_with = "null_default", skip_serializing_if = "String::is_empty")]
    pub pool: String,
    /// True to send it to another server.
    #[serde(deserialize_with = "null_default", skip_serializing_if = "std::ops::Not::not")]
    pub migration: bool,
    /// Who is called; none: somebody will call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<MigrationTarget>,
    /// Without its snapshots.
    #[serde(deserialize_with = "null_default", skip_serializing_if = "std::ops::Not::not")]
    pub volume_only: bool,
}

/// `PUT /storage-pools/<p>/volumes/<type>/<v>`: everything that can be changed, replaced as a whole;
/// or a snapshot to restore, and then nothing else is looked at.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct VolumePut {
    #[serde(deserialize_with = "null_default")]
    pub config: Config,
    #[serde(deserialize_with = "null_default")]
    pub description: String,
    /// The snapshot that the volume is to be like; empty: none.
    #[serde(deserialize_with = "null_default", skip_serializing_if = "String::is_empty")]
    pub restore: String,
}

/// `PATCH /storage-pools/<p>/volumes/<type>/<v>`: absent fields stay as they are; keys are added to
/// those there are.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct VolumePatch {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<Config>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// `GET /storage-pools/<p>/volumes/<type>/<v>/state`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct VolumeState {
    /// None: the driver cannot tell.
    pub usage: Option<VolumeUsage>,
}

/// How much of a volume is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct VolumeUsage {
    /// Bytes.
    pub used: u64,
    /// The volume's size in bytes; 0 or less: without a limit of its own.
    #[serde(deserialize_with = "null_default")]
    pub total: i64,
}

/// A snapshot of a volume.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct VolumeSnapshot {
    #[serde(deserialize_with = "null_default")]
    pub config: Config,
    #[serde(deserialize_with = "null_default")]
    pub description: String,
    /// `volume/snapshot`.
    pub name: String,
    /// `filesystem`.
    #[serde(deserialize_with = "null_default", skip_serializing_if = "String::is_empty")]
    pub content_type: String,
    /// [`Time::UNSET`]: unknown.
    #[serde(deserialize_with = "null_default", skip_serializing_if = "is_unset")]
    pub created_at: Time,
    /// When it is removed; none: never.
    pub expires_at: Option<Time>,
}

/// `POST /storage-pools/<p>/volumes/<type>/<v>/snapshots`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct VolumeSnapshotsPost {
    /// Its name; empty: `snap0`, `snap1` and so on.
    #[serde(deserialize_with = "null_default")]
    pub name: String,
    /// When it is removed; none or [`Time::UNSET`]: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
}

/// `POST /storage-pools/<p>/volumes/<type>/<v>/snapshots/<s>`: rename it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct VolumeSnapshotPost {
    /// The new name, without the volume's.
    #[serde(deserialize_with = "null_default")]
    pub name: String,
}

/// `PUT /storage-pools/<p>/volumes/<type>/<v>/snapshots/<s>`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct VolumeSnapshotPut {
    #[serde(deserialize_with = "null_default")]
    pub description: String,
    /// When it is removed; none or [`Time::UNSET`]: never.
    pub expires_at: Option<Time>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // what serde calls
fn is_unset(time: &Time) -> bool {
    !time.is_set()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_of_all_ages_send() {
        let post: VolumesPost =
            serde_json::from_str(r#"{"config": null, "name": "v", "type": "custom", "source": null}"#)
                .unwrap();
        assert!(post.source.is_none());
        let post: VolumesPost = serde_json::from_str(
            r#"{"name": "v", "type": "custom", "content_type": "", "source": {"name": "a/snap0", "type": "copy",
                "pool": "p", "certificate": "", "secrets": null, "project": "default", "location": ""}}"#,
        )
        .unwrap();
        assert!(!post.source.is_none() && post.source.pool == "p" && post.source.name == "a/snap0");
        let post: VolumesPost = serde_json::from_str(r#"{"name": "v", "source": {"type": "none"}}"#).unwrap();
        assert_eq!(post.source.kind, "none");
        let post: VolumePost =
            serde_json::from_str(r#"{"name": "v", "pool": "p", "target": null, "source": null}"#).unwrap();
        assert!(post.target.is_none() && !post.migration);
        let snapshot: VolumeSnapshotsPost =
            serde_json::from_str(r#"{"name": "", "expires_at": null}"#).unwrap();
        assert!(snapshot.expires_at.is_none());
    }

    #[test]
    fn what_servers_say() {
        let volume =
            Volume { name: "v".into(), kind: "custom".into(), location: "none".into(), ..Volume::default() };
        let expected =
            r#"{"config":{},"description":"","name":"v","type":"custom","used_by":[],"location":"none"}"#;
        assert_eq!(serde_json::to_string(&volume).unwrap(), expected);
        let state: VolumeState = serde_json::from_str(r#"{"usage": {"used": 10, "total": -1}}"#).unwrap();
        assert_eq!(state.usage, Some(VolumeUsage { used: 10, total: -1 }));
        assert!(serde_json::from_str::<VolumeState>(r#"{"usage": null}"#).unwrap().usage.is_none());
        let snapshot: VolumeSnapshot =
            serde_json::from_str(r#"{"name": "v/s", "expires_at": "0001-01-01T00:00:00Z"}"#).unwrap();
        assert!(!snapshot.expires_at.unwrap().is_set());
    }
}
