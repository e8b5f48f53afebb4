//! `zfs(8)` and `zpool(8)`: datasets, their snapshots and clones, and the pools that they are in.
//!
//! Lists are asked for with `-H -p`: fields between tabs, whole numbers, no headings. Why a command failed
//! is told by its message alone, which is always English: see [`missing`] and its siblings.

use crate::run::{Run, RunError};
use std::ffi::OsStr;
use std::fs::File;
use std::path::Path;
use std::time::Duration;

/// For what changes a few blocks. A pool on slow disks takes seconds to write one of its groups of
/// transactions.
const DEADLINE: Duration = Duration::from_secs(180);
/// For what may walk over all data of a dataset, or all devices of a host.
const LONG: Duration = Duration::from_secs(60 * 60);
/// A stream takes as long as it takes; whoever waits for it can give it up.
const STREAM: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// A pool may have ten thousands of snapshots.
const OUTPUT: usize = 256 << 20;

/// What to list below a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Below {
    /// Nothing: only itself.
    Itself,
    /// What is directly below it, and itself.
    Children,
    /// Everything below it, and itself.
    All,
}

/// Which kinds to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Types {
    /// File systems only.
    Filesystems,
    /// File systems and their snapshots.
    WithSnapshots,
    /// Whatever there is.
    Anything,
}

/// Properties of datasets below (and with) one: a row of values for each, in the order of `properties`;
/// what has no value is `-`. `None`: there is no such dataset.
///
/// # Errors
/// See [`RunError`].
pub async fn list(
    dataset: &str,
    below: Below,
    types: Types,
    properties: &[&str],
) -> Result<Option<Vec<Vec<String>>>, RunError> {
    let mut run = Run::new("zfs").args(["list", "-H", "-p"]);
    run = match below {
        Below::Itself => run,
        Below::Children => run.args(["-d", "1"]),
        Below::All => run.arg("-r"),
    };
    run = run.arg("-t").arg(match types {
        Types::Filesystems => "filesystem",
        Types::WithSnapshots => "filesystem,snapshot",
        Types::Anything => "all",
    });
    let run = run.arg("-o").arg(properties.join(",")).arg(dataset);
    match run.deadline(DEADLINE).max_output(OUTPUT).output().await {
        Ok(output) => rows(&output.stdout, properties.len()).map(Some),
        Err(error) if missing(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn rows(output: &[u8], width: usize) -> Result<Vec<Vec<String>>, RunError> {
    let text = String::from_utf8_lossy(output);
    let split = |line: &str| -> Result<Vec<String>, RunError> {
        let fields: Vec<String> = line.split('\t').map(str::to_owned).collect();
        if fields.len() == width {
            return Ok(fields);
        }
        let detail = format!("{} fields where {width} were asked for: {line:?}", fields.len());
        Err(RunError::BadOutput { program: "zfs".to_owned(), detail })
    };
    text.lines().map(split).collect()
}

/// Makes an empty file system with these properties.
///
/// # Errors
/// See [`RunError`].
pub async fn create(dataset: &str, properties: &[String]) -> Result<(), RunError> {
    run("create", |run| options(run, properties).arg(dataset)).await
}

/// Makes a file system, and those above it that are missing.
///
/// # Errors
/// See [`RunError`].
pub async fn create_with_parents(dataset: &str, properties: &[String]) -> Result<(), RunError> {
    run("create", |run| options(run.arg("-p"), properties).arg(dataset)).await
}

/// Makes a file system that begins as a snapshot.
///
/// # Errors
/// See [`RunError`].
pub async fn clone(snapshot: &str, dataset: &str, properties: &[String]) -> Result<(), RunError> {
    run("clone", |run| options(run, properties).arg(snapshot).arg(dataset)).await
}

/// Takes a snapshot.
///
/// # Errors
/// See [`RunError`].
pub async fn snapshot(snapshot: &str) -> Result<(), RunError> {
    run("snapshot", |run| run.arg(snapshot)).await
}

/// Removes a dataset that has neither snapshots nor children, or a snapshot without clones.
///
/// # Errors
/// See [`RunError`], [`has_dependents`].
pub async fn destroy(name: &str) -> Result<(), RunError> {
    run("destroy", |run| run.arg(name)).await
}

/// Removes snapshots (`dataset@one,two`); those that have clones when the last of these goes.
///
/// # Errors
/// See [`RunError`].
pub async fn destroy_deferred(snapshots: &str) -> Result<(), RunError> {
    run("destroy", |run| run.arg("-d").arg(snapshots)).await
}

/// Removes a dataset with all that is in it and all that was made of it.
///
/// # Errors
/// See [`RunError`].
pub async fn destroy_everything(dataset: &str) -> Result<(), RunError> {
    run("destroy", |run| run.arg("-R").arg(dataset).deadline(LONG)).await
}

/// Gives a dataset another place, or a snapshot another name.
///
/// # Errors
/// See [`RunError`].
pub async fn rename(old: &str, new: &str) -> Result<(), RunError> {
    run("rename", |run| run.arg(old).arg(new)).await
}

/// Makes a clone the owner of the snapshot that it was made of and of the earlier ones.
///
/// # Errors
/// See [`RunError`].
pub async fn promote(dataset: &str) -> Result<(), RunError> {
    run("promote", |run| run.arg(dataset)).await
}

/// Makes a file system what its newest snapshot is.
///
/// # Errors
/// See [`RunError`].
pub async fn rollback(snapshot: &str) -> Result<(), RunError> {
    run("rollback", |run| run.arg(snapshot)).await
}

/// Sets properties (`name=value`).
///
/// # Errors
/// See [`RunError`].
pub async fn set(dataset: &str, properties: &[String]) -> Result<(), RunError> {
    run("set", |run| run.args(properties).arg(dataset)).await
}

/// Removes a property's own value.
///
/// # Errors
/// See [`RunError`].
pub async fn unset(dataset: &str, property: &str) -> Result<(), RunError> {
    run("inherit", |run| run.arg(property).arg(dataset)).await
}

/// Writes a snapshot as a stream: the difference to an earlier one of the same file system (its name
/// without the file system's), or all of it.
///
/// # Errors
/// See [`RunError`].
pub async fn send(snapshot: &str, base: Option<&str>, to: File) -> Result<(), RunError> {
    let mut run = Run::new("zfs").arg("send");
    if let Some(base) = base {
        run = run.arg("-i").arg(format!("@{base}"));
    }
    run.arg(snapshot).deadline(STREAM).output_to(to).await
}

/// Reads a stream as a snapshot, without mounting its file system.
///
/// # Errors
/// See [`RunError`].
pub async fn receive(snapshot: &str, properties: &[String], from: File) -> Result<(), RunError> {
    let run = options(Run::new("zfs").args(["receive", "-u", "-F"]), properties).arg(snapshot);
    run.stdin_file(from).deadline(STREAM).output().await.map(drop)
}

/// Names of the pools that are imported, with their health (`ONLINE`, `SUSPENDED`, …).
///
/// # Errors
/// See [`RunError`].
pub async fn pools() -> Result<Vec<(String, String)>, RunError> {
    let output = zpool(["list", "-H", "-p", "-o", "name,health"]).deadline(DEADLINE).output().await?;
    let rows = rows(&output.stdout, 2)?;
    Ok(rows.into_iter().filter_map(|row| <[String; 2]>::try_from(row).ok()).map(|[a, b]| (a, b)).collect())
}

/// Makes a pool on a device or file, whatever that held; `properties` are the pool's, `root` those of its
/// root file system.
///
/// # Errors
/// See [`RunError`].
pub async fn create_pool(
    pool: &str,
    device: &Path,
    properties: &[String],
    root: &[String],
) -> Result<(), RunError> {
    let mut run = options(zpool(["create", "-f", "-m", "none"]), properties);
    for property in root {
        run = run.arg("-O").arg(property);
    }
    run.arg(pool).arg(device).deadline(LONG).output().await.map(drop)
}

/// Removes a pool with all that is in it.
///
/// # Errors
/// See [`RunError`].
pub async fn destroy_pool(pool: &str) -> Result<(), RunError> {
    zpool(["destroy", "-f", pool]).deadline(LONG).output().await.map(drop)
}

/// Makes a pool known that is on a file or device, or on any device of the host. `force`: also one that
/// another host used last.
///
/// # Errors
/// See [`RunError`].
pub async fn import_pool(
    pool: &str,
    from: Option<&Path>,
    force: bool,
    properties: &[String],
) -> Result<(), RunError> {
    let mut run = options(zpool(["import", "-N"]), properties);
    if force {
        run = run.arg("-f");
    }
    if let Some(from) = from {
        run = run.arg("-d").arg(from);
    }
    run.arg(pool).deadline(LONG).output().await.map(drop)
}

/// Writes everything to a pool's devices and lets go of them.
///
/// # Errors
/// See [`RunError`].
pub async fn export_pool(pool: &str) -> Result<(), RunError> {
    zpool(["export", pool]).deadline(LONG).output().await.map(drop)
}

/// Lets a pool use all of a device or file that has grown.
///
/// # Errors
/// See [`RunError`].
pub async fn expand_pool(pool: &str, device: &Path) -> Result<(), RunError> {
    zpool(["online", "-e", pool]).arg(device).deadline(LONG).output().await.map(drop)
}

/// There is no such dataset, snapshot or pool.
#[must_use]
pub fn missing(error: &RunError) -> bool {
    says(error, &["does not exist", "no such pool", "could not find any snapshots to destroy"])
}

/// Something has that name already.
#[must_use]
pub fn taken(error: &RunError) -> bool {
    says(error, &["already exists"])
}

/// Somebody uses it: it is mounted somewhere.
#[must_use]
pub fn busy(error: &RunError) -> bool {
    says(error, &["is busy", "pool or dataset is busy"])
}

/// Others were made of it.
#[must_use]
pub fn has_dependents(error: &RunError) -> bool {
    says(error, &["has dependent clones", "has dependents"])
}

/// There is no room for it, in the pool or in the size that the dataset has.
#[must_use]
pub fn full(error: &RunError) -> bool {
    says(
        error,
        &[
            "out of space",
            "No space left",
            "less than current used",
            "disk quota exceeded",
            "Disk quota exceeded",
        ],
    )
}

fn says(error: &RunError, words: &[&str]) -> bool {
    matches!(error, RunError::Failed { stderr, .. } if words.iter().any(|word| stderr.contains(word)))
}

/// `-o name=value` for each.
fn options(run: Run, properties: &[String]) -> Run {
    properties.iter().fold(run, |run, property| run.arg("-o").arg(property))
}

async fn run(verb: &str, arguments: impl FnOnce(Run) -> Run) -> Result<(), RunError> {
    arguments(Run::new("zfs").arg(verb).deadline(DEADLINE)).output().await.map(drop)
}

fn zpool<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Run {
    Run::new("zpool").args(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt as _;

    #[test]
    fn rows_are_split_at_tabs_only() {
        let found = rows(b"tank/a b\t-\t12\ntank@x\ttank\t0\n", 3).unwrap();
        assert_eq!(found, [["tank/a b", "-", "12"], ["tank@x", "tank", "0"]]);
        assert!(rows(b"", 3).unwrap().is_empty());
        assert!(rows(b"a\tb\n", 3).unwrap_err().to_string().contains("2 fields where 3"));
    }

    #[test]
    fn messages_tell_why() {
        let failed = |stderr: &str| RunError::Failed {
            program: "zfs".to_owned(),
            args: Vec::new(),
            status: std::process::ExitStatus::from_raw(256),
            stderr: stderr.to_owned(),
        };
        assert!(missing(&failed("cannot open 'tank/a': dataset does not exist\n")));
        assert!(taken(&failed("cannot create 'tank/a': dataset already exists\n")));
        assert!(busy(&failed("cannot destroy 'tank/a': dataset is busy\n")));
        assert!(has_dependents(&failed("cannot destroy 'tank/a@s': snapshot has dependent clones\n")));
        assert!(full(&failed("cannot create 'tank/b': out of space\n")));
        assert!(!full(&failed("cannot open 'tank/a': dataset does not exist\n")));
    }
}
