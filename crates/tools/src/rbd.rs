//! `rbd(8)`: block devices in a pool of a Ceph cluster, their snapshots and clones.
//!
//! Names are given as options, never as `pool/image@snapshot`. The program ends with the number of
//! the system's error that stopped it, which is what [`failed_with`] looks at.

use crate::ceph::{Access, PATIENCE, parse};
use crate::run::{Run, RunError};
use rustix::io::Errno;
use serde::{Deserialize, Deserializer};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a question may take.
const QUESTION: Duration = Duration::from_secs(60);
/// How long a change may take that moves no data.
const CHANGE: Duration = Duration::from_secs(5 * 60);
/// How long a change may take that touches each object of a device.
const LONG: Duration = Duration::from_secs(24 * 60 * 60);

/// What every kernel that knows clones can map.
const FEATURES: &str = "--image-feature=layering";
/// Snapshots are protected while they have clones, so that they are never lost.
const CLONES: &str = "--rbd_default_clone_format=1";

/// A pool of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rbd {
    /// The cluster, and who asks it.
    pub access: Access,
    /// The pool in it.
    pub pool: String,
}

/// A device.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Info {
    /// What it keeps when it gets another name, and no other has.
    #[serde(default)]
    pub id: String,
    /// In bytes.
    pub size: u64,
    /// What it is a clone of.
    #[serde(default)]
    pub parent: Option<Parent>,
}

/// What a device is a clone of.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Parent {
    /// The pool.
    pub pool: String,
    /// The device.
    pub image: String,
    /// Its snapshot.
    pub snapshot: String,
}

/// A snapshot of a device.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Snapshot {
    /// Its name.
    pub name: String,
    /// How large the device was, in bytes.
    pub size: u64,
    /// It may have clones.
    #[serde(default, deserialize_with = "word_or_flag")]
    pub protected: bool,
}

/// A row of the long list: a device, or a snapshot of one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Row {
    /// The device.
    pub image: String,
    /// The snapshot; `None`: the row is the device's own.
    #[serde(default)]
    pub snapshot: Option<String>,
    /// What it is a clone of.
    #[serde(default)]
    pub parent: Option<Parent>,
}

/// Some versions write flags as words.
fn word_or_flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Flag(bool),
        Word(String),
    }
    Ok(match Either::deserialize(deserializer)? {
        Either::Flag(flag) => flag,
        Either::Word(word) => word == "true",
    })
}

#[derive(Deserialize)]
struct Status {
    /// A list; of older versions, an object.
    #[serde(default)]
    watchers: serde_json::Value,
}

impl Status {
    fn is_used(&self) -> bool {
        match &self.watchers {
            serde_json::Value::Array(watchers) => !watchers.is_empty(),
            serde_json::Value::Object(watchers) => !watchers.is_empty(),
            _ => false,
        }
    }
}

/// True if the program ended because of this error. That the cluster's configuration or the pool is
/// missing is none of `ENOENT` about a device, though it looks the same.
#[must_use]
pub fn failed_with(error: &RunError, errno: Errno) -> bool {
    let RunError::Failed { status, stderr, .. } = error else { return false };
    let elsewhere =
        || stderr.contains("couldn't connect to the cluster") || stderr.contains("error opening pool");
    status.code() == Some(errno.raw_os_error()) && !(errno == Errno::NOENT && elsewhere())
}

/// Makes `None` of "there is no such thing".
fn known<T>(result: Result<T, RunError>) -> Result<Option<T>, RunError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if failed_with(&error, Errno::NOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Rbd {
    fn run(&self, words: &[&str]) -> Run {
        Run::new("rbd")
            .arg(format!("--id={}", self.access.user))
            .arg(format!("--cluster={}", self.access.cluster))
            .arg(format!("--client_mount_timeout={}", PATIENCE.as_secs()))
            .args(words)
            .arg(format!("--pool={}", self.pool))
    }

    fn on(&self, words: &[&str], image: &str) -> Run {
        self.run(words).arg(format!("--image={image}"))
    }

    fn on_snapshot(&self, words: &[&str], image: &str, snapshot: &str) -> Run {
        self.on(words, image).arg(format!("--snap={snapshot}"))
    }

    fn to(&self, run: Run, image: &str) -> Run {
        run.arg(format!("--dest-pool={}", self.pool)).arg(format!("--dest={image}"))
    }

    async fn ask<T: for<'de> Deserialize<'de>>(run: Run) -> Result<T, RunError> {
        let output = run.arg("--format=json").max_output(64 << 20).deadline(QUESTION).output().await?;
        parse("rbd", &output.stdout)
    }

    async fn change(run: Run) -> Result<(), RunError> {
        run.deadline(CHANGE).output().await.map(drop)
    }

    async fn work(run: Run) -> Result<(), RunError> {
        run.arg("--no-progress").deadline(LONG).output().await.map(drop)
    }

    /// The names of all devices.
    ///
    /// # Errors
    /// See [`RunError`].
    pub async fn list(&self) -> Result<Vec<String>, RunError> {
        Self::ask(self.run(&["ls"])).await
    }

    /// All devices and snapshots. It looks at each of them, which takes time.
    ///
    /// # Errors
    /// See [`RunError`].
    pub async fn list_all(&self) -> Result<Vec<Row>, RunError> {
        Self::ask(self.run(&["ls", "--long"]).deadline(CHANGE)).await
    }

    /// What is known about a device; `None`: there is none of this name.
    ///
    /// # Errors
    /// See [`RunError`].
    pub async fn info(&self, image: &str) -> Result<Option<Info>, RunError> {
        known(Self::ask(self.on(&["info"], image)).await)
    }

    /// The snapshots of a device; `None`: there is no such device.
    ///
    /// # Errors
    /// See [`RunError`].
    pub async fn snapshots(&self, image: &str) -> Result<Option<Vec<Snapshot>>, RunError> {
        known(Self::ask(self.on(&["snap", "ls"], image)).await)
    }

    /// True if some host has a device mapped or changes it.
    ///
    /// # Errors
    /// See [`RunError`].
    pub async fn is_used(&self, image: &str) -> Result<bool, RunError> {
        let status = known(Self::ask::<Status>(self.on(&["status"], image)).await)?;
        Ok(status.is_some_and(|status| status.is_used()))
    }

    /// Prepares a new pool for devices.
    ///
    /// # Errors
    /// See [`RunError`].
    pub async fn init_pool(&self) -> Result<(), RunError> {
        Self::change(self.run(&["pool", "init"])).await
    }

    /// Makes a device of some bytes, none of which takes space.
    ///
    /// # Errors
    /// `EEXIST`; see [`RunError`].
    pub async fn create(&self, image: &str, bytes: u64) -> Result<(), RunError> {
        Self::change(self.on(&["create", FEATURES], image).arg(format!("--size={bytes}B"))).await
    }

    /// Makes a device of a protected snapshot, with which it shares its data.
    ///
    /// # Errors
    /// `ENOENT`, `EEXIST`; see [`RunError`].
    pub async fn clone_snapshot(&self, image: &str, snapshot: &str, to: &str) -> Result<(), RunError> {
        Self::change(self.to(self.on_snapshot(&["clone", FEATURES, CLONES], image, snapshot), to)).await
    }

    /// Makes a device of a snapshot, with data of its own.
    ///
    /// # Errors
    /// `ENOENT`, `EEXIST`; see [`RunError`].
    pub async fn copy_snapshot(&self, image: &str, snapshot: &str, to: &str) -> Result<(), RunError> {
        Self::work(self.to(self.on_snapshot(&["copy", FEATURES], image, snapshot), to)).await
    }

    /// Gives a device data of its own, so that it is no clone any more.
    ///
    /// # Errors
    /// See [`RunError`].
    pub async fn flatten(&self, image: &str) -> Result<(), RunError> {
        Self::work(self.on(&["flatten"], image)).await
    }

    /// Gives a device another name.
    ///
    /// # Errors
    /// `ENOENT`, `EEXIST`; see [`RunError`].
    pub async fn rename(&self, image: &str, to: &str) -> Result<(), RunError> {
        Self::change(self.to(self.on(&["rename"], image), to)).await
    }

    /// Removes a device that has no snapshots.
    ///
    /// # Errors
    /// `ENOENT`, `EBUSY` while somebody has it mapped, `ENOTEMPTY`; see [`RunError`].
    pub async fn remove(&self, image: &str) -> Result<(), RunError> {
        Self::work(self.on(&["rm"], image)).await
    }

    /// Makes a device larger or smaller; what lies behind the new end is lost.
    ///
    /// # Errors
    /// See [`RunError`].
    pub async fn resize(&self, image: &str, bytes: u64) -> Result<(), RunError> {
        Self::work(self.on(&["resize", "--allow-shrink"], image).arg(format!("--size={bytes}B"))).await
    }

    /// Takes a snapshot.
    ///
    /// # Errors
    /// `EEXIST`; see [`RunError`].
    pub async fn snap_create(&self, image: &str, snapshot: &str) -> Result<(), RunError> {
        // Older versions know no `--no-progress` here.
        Self::change(self.on_snapshot(&["snap", "create"], image, snapshot)).await
    }

    /// Removes a snapshot.
    ///
    /// # Errors
    /// `ENOENT`, `EBUSY` if it is protected; see [`RunError`].
    pub async fn snap_remove(&self, image: &str, snapshot: &str) -> Result<(), RunError> {
        Self::work(self.on_snapshot(&["snap", "rm"], image, snapshot)).await
    }

    /// Gives a snapshot another name.
    ///
    /// # Errors
    /// `ENOENT`, `EEXIST`; see [`RunError`].
    pub async fn snap_rename(&self, image: &str, snapshot: &str, to: &str) -> Result<(), RunError> {
        let run = self.to(self.on_snapshot(&["snap", "rename"], image, snapshot), image);
        Self::change(run.arg(format!("--dest-snap={to}"))).await
    }

    /// Lets a snapshot have clones. Nothing happens when it may.
    ///
    /// # Errors
    /// See [`RunError`].
    pub async fn snap_protect(&self, image: &str, snapshot: &str) -> Result<(), RunError> {
        match Self::change(self.on_snapshot(&["snap", "protect"], image, snapshot)).await {
            Err(error) if failed_with(&error, Errno::BUSY) => Ok(()),
            result => result,
        }
    }

    /// Reverses it. Nothing happens when it is not protected.
    ///
    /// # Errors
    /// `EBUSY` while it has clones; see [`RunError`].
    pub async fn snap_unprotect(&self, image: &str, snapshot: &str) -> Result<(), RunError> {
        match Self::change(self.on_snapshot(&["snap", "unprotect"], image, snapshot)).await {
            Err(error) if failed_with(&error, Errno::INVAL) => Ok(()),
            result => result,
        }
    }

    /// Gives a device the content of one of its snapshots, all of which stay. It must not be mapped.
    ///
    /// # Errors
    /// See [`RunError`].
    pub async fn snap_rollback(&self, image: &str, snapshot: &str) -> Result<(), RunError> {
        Self::work(self.on_snapshot(&["snap", "rollback"], image, snapshot)).await
    }

    /// A note that is kept with a device; `None`: there is none.
    ///
    /// # Errors
    /// See [`RunError`].
    pub async fn note(&self, image: &str, key: &str) -> Result<Option<String>, RunError> {
        let run = self.on(&["image-meta", "get"], image).arg(key).deadline(QUESTION);
        let output = known(run.output().await)?;
        Ok(output.map(|output| String::from_utf8_lossy(&output.stdout).trim_end().to_owned()))
    }

    /// Keeps a note with a device.
    ///
    /// # Errors
    /// `ENOENT`; see [`RunError`].
    pub async fn set_note(&self, image: &str, key: &str, value: &str) -> Result<(), RunError> {
        Self::change(self.on(&["image-meta", "set"], image).args([key, value])).await
    }

    /// Removes a note. Nothing happens when there is none.
    ///
    /// # Errors
    /// See [`RunError`].
    pub async fn remove_note(&self, image: &str, key: &str) -> Result<(), RunError> {
        known(Self::change(self.on(&["image-meta", "remove"], image).arg(key)).await).map(drop)
    }

    /// Writes what a snapshot has that an earlier one has not, or all that it has.
    ///
    /// # Errors
    /// See [`RunError`].
    pub async fn export_diff(
        &self,
        image: &str,
        snapshot: &str,
        since: Option<&str>,
        to: File,
    ) -> Result<(), RunError> {
        let run = self.on_snapshot(&["export-diff", "--no-progress"], image, snapshot);
        let since = since.map(|name| format!("--from-snap={name}"));
        run.args(since).arg("-").deadline(LONG).output_to(to).await
    }

    /// Reads what [`export_diff`](Self::export_diff) writes into a device, which gets the snapshot too.
    ///
    /// # Errors
    /// See [`RunError`].
    pub async fn import_diff(&self, image: &str, from: File) -> Result<(), RunError> {
        // The stream comes before the device.
        let run = self.run(&["import-diff", "--no-progress", "-"]).arg(format!("--image={image}"));
        run.stdin_file(from).deadline(LONG).output().await.map(drop)
    }

    /// Makes a device of the kernel of it.
    ///
    /// # Errors
    /// See [`RunError`].
    pub async fn map(&self, image: &str) -> Result<PathBuf, RunError> {
        // The node is there at once; what udev makes of it is not needed, and nobody waits for it.
        let options = format!("--options=noudev,mount_timeout={}", PATIENCE.as_secs());
        let output = self.on(&["map"], image).arg(options).deadline(CHANGE).output().await?;
        device(&output.stdout)
    }

    /// Takes a device from the kernel.
    ///
    /// # Errors
    /// `EBUSY` while it is in use; see [`RunError`].
    pub async fn unmap(&self, device: &Path) -> Result<(), RunError> {
        let run = Run::new("rbd").arg(format!("--id={}", self.access.user));
        let run = run.arg(format!("--cluster={}", self.access.cluster));
        Self::change(run.args(["unmap", "--options=noudev"]).arg(device)).await
    }
}

fn device(stdout: &[u8]) -> Result<PathBuf, RunError> {
    let text = String::from_utf8_lossy(stdout);
    let path = text.trim();
    if path.starts_with("/dev/") {
        return Ok(PathBuf::from(path));
    }
    Err(RunError::BadOutput { program: "rbd".to_owned(), detail: format!("{path:?} is no device") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;

    /// As version 16 writes it.
    const LONG_LIST: &[u8] = br#"[{"image":"container_a","id":"1011820f0929","size":67108864,"format":2},{"image":"container_a","id":"1011820f0929","snapshot":"zombie_1","snapshot_id":4,"size":67108864,"format":2,"protected":"true"},{"image":"container_c","id":"102b3333cec","size":67108864,"parent":{"pool":"rbd","pool_namespace":"","image":"container_a","snapshot":"zombie_1"},"format":2}]"#;

    #[test]
    fn lists_are_read() {
        let rows: Vec<Row> = parse("rbd", LONG_LIST).unwrap();
        let parent = Parent { pool: "rbd".into(), image: "container_a".into(), snapshot: "zombie_1".into() };
        assert_eq!(rows[0], Row { image: "container_a".into(), snapshot: None, parent: None });
        assert_eq!(rows[1].snapshot.as_deref(), Some("zombie_1"));
        assert_eq!(rows[2].parent, Some(parent));
        let json = br#"[{"id":4,"name":"a","size":1,"protected":"true","timestamp":"x"},{"id":5,"name":"b","size":2,"protected":false}]"#;
        let snapshots: Vec<Snapshot> = parse("rbd", json).unwrap();
        let flags: Vec<_> = snapshots.iter().map(|s| (s.name.as_str(), s.size, s.protected)).collect();
        assert_eq!(flags, [("a", 1, true), ("b", 2, false)]);
        let json = br#"{"name":"x","id":"102b3333cec","size":0,"objects":0,"parent":null}"#;
        assert_eq!(
            parse::<Info>("rbd", json).unwrap(),
            Info { id: "102b3333cec".into(), size: 0, parent: None }
        );
    }

    #[test]
    fn who_watches_uses_a_device() {
        let is_used = |json: &[u8]| parse::<Status>("rbd", json).unwrap().is_used();
        assert!(is_used(br#"{"watchers":[{"address":"127.0.0.1:0/1","client":4123,"cookie":1}]}"#));
        assert!(is_used(br#"{"watchers":{"watcher":{"client":4123}}}"#));
        assert!(!is_used(br#"{"watchers":[]}"#) && !is_used(b"{}"));
    }

    #[test]
    fn devices_have_paths() {
        assert_eq!(device(b"/dev/rbd11\n").unwrap(), Path::new("/dev/rbd11"));
        assert!(device(b"").is_err());
    }

    #[test]
    fn a_missing_cluster_is_no_missing_device() {
        let failed = |stderr: &str| RunError::Failed {
            program: "rbd".into(),
            args: Vec::new(),
            status: ExitStatus::from_raw(2 << 8),
            stderr: stderr.into(),
        };
        let missing = failed("rbd: error opening image none: (2) No such file or directory");
        assert!(failed_with(&missing, Errno::NOENT) && !failed_with(&missing, Errno::EXIST));
        assert!(!failed_with(&failed("rbd: couldn't connect to the cluster!"), Errno::NOENT));
        assert!(!failed_with(&failed("rbd: error opening pool 'x': (2) No such file"), Errno::NOENT));
    }
}
