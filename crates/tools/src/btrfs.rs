//! `btrfs(8)` and `mkfs.btrfs(8)`: subvolumes, snapshots, quotas, streams.
//!
//! Paths are absolute. Where one lies in a tree that others change meanwhile, a directory that was opened
//! is given instead: it becomes the program's standard input, and its path `/proc/self/fd/0`.

use crate::run::{Run, RunError};
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A stream takes as long as it takes; whoever waits for it can give it up.
const STREAM: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Changes wait for what the file system has to write to disk first.
const CHANGE: Duration = Duration::from_secs(10 * 60);
/// The directory that is the standard input.
const STDIN: &str = "/proc/self/fd/0";

fn btrfs<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Run {
    Run::new("btrfs").args(arguments).deadline(CHANGE)
}

/// The version of the program: `6.2`.
///
/// # Errors
/// See [`RunError`].
pub async fn version() -> Result<String, RunError> {
    let output = btrfs(["--version"]).output().await?;
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text.split_whitespace().find_map(|word| word.strip_prefix('v'));
    version.map(str::to_owned).ok_or_else(|| bad(format!("no version in {text:?}")))
}

/// Makes a file system with this label and UUID on a device or in a file; never on one that has
/// something already.
///
/// # Errors
/// See [`RunError`].
pub async fn make_filesystem(on: &Path, label: &str, uuid: &str) -> Result<(), RunError> {
    let run = Run::new("mkfs.btrfs").args(["-q", "-L", label, "-U", uuid]).arg(on);
    run.deadline(CHANGE).output().await.map(drop)
}

/// Makes an empty subvolume.
///
/// # Errors
/// See [`RunError`].
pub async fn create(path: &Path) -> Result<(), RunError> {
    btrfs(["-q", "subvolume", "create"]).arg(path).output().await.map(drop)
}

/// Takes a snapshot; `to` must not be there. What lies in subvolumes of the original is not in it.
///
/// # Errors
/// See [`RunError`].
pub async fn snapshot(from: &Path, to: &Path, read_only: bool) -> Result<(), RunError> {
    snapshot_run(read_only).arg(from).arg(to).output().await.map(drop)
}

/// The same, of a directory that was opened.
///
/// # Errors
/// See [`RunError`].
pub async fn snapshot_of(from: File, to: &Path, read_only: bool) -> Result<(), RunError> {
    snapshot_run(read_only).arg(STDIN).arg(to).stdin_file(from).output().await.map(drop)
}

fn snapshot_run(read_only: bool) -> Run {
    btrfs(["-q", "subvolume", "snapshot"]).args(read_only.then_some("-r"))
}

/// Removes a subvolume that has none inside it.
///
/// # Errors
/// See [`RunError`].
pub async fn delete(path: &Path) -> Result<(), RunError> {
    btrfs(["-q", "subvolume", "delete"]).arg(path).output().await.map(drop)
}

/// The same, by its number; `mount` is where its file system is mounted.
///
/// # Errors
/// See [`RunError`].
pub async fn delete_by_id(id: u64, mount: &Path) -> Result<(), RunError> {
    btrfs(["-q", "subvolume", "delete", "--subvolid", &id.to_string()]).arg(mount).output().await.map(drop)
}

/// The number of the subvolume that a directory is in. No other one ever gets it.
///
/// # Errors
/// See [`RunError`].
pub async fn id(path: &Path) -> Result<u64, RunError> {
    number(btrfs(["inspect-internal", "rootid"]).arg(path)).await
}

/// The same, of a directory that was opened.
///
/// # Errors
/// See [`RunError`].
pub async fn id_of(directory: File) -> Result<u64, RunError> {
    number(btrfs(["inspect-internal", "rootid", STDIN]).stdin_file(directory)).await
}

async fn number(run: Run) -> Result<u64, RunError> {
    let output = run.output().await?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().map_err(|_| bad(format!("{:?} is no number of a subvolume", text.trim())))
}

/// The subvolumes right inside the one that was opened, by their paths from the top of the file system.
/// Whoever named them may have tried to deceive: `None` if the output makes no sense, and otherwise it may
/// still name others, or leave some out.
///
/// # Errors
/// See [`RunError`].
pub async fn children(of: File) -> Result<Option<Vec<PathBuf>>, RunError> {
    let run = btrfs(["subvolume", "list", "-o", STDIN]).stdin_file(of);
    Ok(parse_children(&run.output().await?.stdout))
}

/// Lines such as `ID 259 gen 7 top level 258 path containers/c1/rootfs/inner`.
fn parse_children(output: &[u8]) -> Option<Vec<PathBuf>> {
    let line = |line: &[u8]| {
        let mut words = line.splitn(9, |&byte| byte == b' ');
        for expected in ["ID", "", "gen", "", "top", "level", "", "path"] {
            let word = words.next()?;
            let fits = if expected.is_empty() {
                !word.is_empty() && word.iter().all(u8::is_ascii_digit)
            } else {
                word == expected.as_bytes()
            };
            if !fits {
                return None;
            }
        }
        words.next().filter(|path| !path.is_empty()).map(|path| PathBuf::from(OsStr::from_bytes(path)))
    };
    let output = output.strip_suffix(b"\n").unwrap_or(output);
    if output.is_empty() {
        return Some(Vec::new());
    }
    output.split(|&byte| byte == b'\n').map(line).collect()
}

/// Makes a subvolume read-only.
///
/// # Errors
/// See [`RunError`].
pub async fn set_read_only(path: &Path) -> Result<(), RunError> {
    btrfs(["property", "set", "-t", "s"]).arg(path).args(["ro", "true"]).output().await.map(drop)
}

/// Makes a subvolume that was opened writable.
///
/// # Errors
/// See [`RunError`].
pub async fn set_writable(subvolume: File) -> Result<(), RunError> {
    let again = subvolume.try_clone();
    let set = |force: Option<&'static str>, subvolume: File| {
        let run = btrfs(["property", "set"]).args(force).args(["-t", "s", STDIN, "ro", "false"]);
        run.stdin_file(subvolume).output()
    };
    match (set(None, subvolume).await, again) {
        // One that was received is not made writable without an emphasis that older versions lack.
        (Err(RunError::Failed { .. }), Ok(again)) => set(Some("-f"), again).await.map(drop),
        (result, _) => result.map(drop),
    }
}

/// Writes everything to disk, and begins to free what was removed.
///
/// # Errors
/// See [`RunError`].
pub async fn sync(mount: &Path) -> Result<(), RunError> {
    btrfs(["filesystem", "sync"]).arg(mount).output().await.map(drop)
}

/// True while the space of removed subvolumes is being freed.
///
/// # Errors
/// See [`RunError`].
pub async fn is_freeing(mount: &Path) -> Result<bool, RunError> {
    Ok(!btrfs(["subvolume", "list", "-d"]).arg(mount).output().await?.stdout.trim_ascii().is_empty())
}

/// Begins to count what subvolumes use. Where that is done already nothing happens.
///
/// # Errors
/// See [`RunError`].
pub async fn enable_quotas(mount: &Path) -> Result<(), RunError> {
    btrfs(["quota", "enable"]).arg(mount).output().await.map(drop)
}

/// Waits until everything has been counted, for so long at most.
///
/// # Errors
/// See [`RunError`].
pub async fn wait_for_quotas(mount: &Path, at_most: Duration) -> Result<(), RunError> {
    btrfs(["quota", "rescan", "-W"]).arg(mount).deadline(at_most).output().await.map(drop)
}

/// Limits what a subvolume shares with no other one.
///
/// # Errors
/// See [`RunError`].
pub async fn limit(path: &Path, bytes: Option<u64>) -> Result<(), RunError> {
    let size = bytes.map_or_else(|| "none".to_owned(), |bytes| bytes.to_string());
    btrfs(["qgroup", "limit", "-e", &size]).arg(path).output().await.map(drop)
}

/// Makes a subvolume count again, after somebody removed what counts it.
///
/// # Errors
/// See [`RunError`].
pub async fn create_quota_group(id: u64, mount: &Path) -> Result<(), RunError> {
    btrfs(["qgroup", "create", &format!("0/{id}")]).arg(mount).output().await.map(drop)
}

/// Removes what counted subvolumes that are gone. Needs version 5.17 of the program.
///
/// # Errors
/// See [`RunError`].
pub async fn clear_stale_quota_groups(mount: &Path) -> Result<(), RunError> {
    btrfs(["qgroup", "clear-stale"]).arg(mount).output().await.map(drop)
}

/// Writes a read-only subvolume as a stream: its difference to another one that the other side has, or
/// all of it.
///
/// # Errors
/// See [`RunError`].
pub async fn send(path: &Path, base: Option<&Path>, to: File) -> Result<(), RunError> {
    let mut run = btrfs(["-q", "send"]);
    if let Some(base) = base {
        run = run.arg("-p").arg(base);
    }
    run.arg(path).deadline(STREAM).output_to(to).await
}

/// Reads one stream to its end, and no further. It becomes a subvolume in `directory`, with the name that
/// it has where it comes from.
///
/// # Errors
/// See [`RunError`].
pub async fn receive(directory: &Path, from: File) -> Result<(), RunError> {
    let run = btrfs(["-q", "receive", "-e"]).arg(directory).stdin_file(from);
    run.deadline(STREAM).output().await.map(drop)
}

fn bad(detail: String) -> RunError {
    RunError::BadOutput { program: "btrfs".to_owned(), detail }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_are_read_or_doubted() {
        let one = |path: &str| Some(vec![PathBuf::from(path)]);
        let read = |text: &str| parse_children(text.as_bytes());
        assert_eq!(read(""), Some(Vec::new()));
        assert_eq!(read("ID 259 gen 7 top level 258 path containers/c1/a\n"), one("containers/c1/a"));
        assert_eq!(read("ID 259 gen 7 top level 258 path a b  c\n"), one("a b  c"));
        assert_eq!(
            read("ID 1 gen 7 top level 5 path a\nID 2 gen 7 top level 5 path b\n").map(|all| all.len()),
            Some(2)
        );
        assert_eq!(read("ID 259 gen 7 top level 258 path a\nb\n"), None);
        assert_eq!(read("ID 259 gen 7 top level 258 path a\n\n"), None);
        assert_eq!(read("ID x gen 7 top level 258 path a\n"), None);
        assert_eq!(read("ID 259 gen 7 top level 258 path \n"), None);
    }
}
