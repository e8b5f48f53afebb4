//! `losetup(8)`: files become block devices.

use crate::run::{Run, RunError};
use std::path::{Path, PathBuf};
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(30);

/// Attaches a file and returns its device, such as `/dev/loop3`. A file that is attached already keeps
/// the device that it has. Where the file system below allows it, the file's blocks are not cached a
/// second time.
///
/// # Errors
/// See [`RunError`].
pub async fn attach(file: &Path) -> Result<PathBuf, RunError> {
    // It fails as a whole on file systems (and sector sizes) without direct I/O.
    match find(file, &["--direct-io=on"]).await {
        Err(RunError::Failed { .. }) => find(file, &[]).await,
        result => result,
    }
}

async fn find(file: &Path, options: &[&str]) -> Result<PathBuf, RunError> {
    let run = Run::new("losetup").args(["--find", "--show", "--nooverlap"]).args(options);
    let output = run.arg("--").arg(file).deadline(DEADLINE).output().await?;
    let devices = devices(&output.stdout);
    devices.into_iter().next().ok_or_else(|| RunError::BadOutput {
        program: "losetup".to_owned(),
        detail: "it attached a file and named no device".to_owned(),
    })
}

/// The device that a file is attached to; `None`: to none.
///
/// # Errors
/// See [`RunError`].
pub async fn device(file: &Path) -> Result<Option<PathBuf>, RunError> {
    let run = Run::new("losetup").args(["--list", "--noheadings", "--raw", "--output", "NAME"]);
    let output = run.arg("--associated").arg(file).deadline(DEADLINE).output().await?;
    Ok(devices(&output.stdout).into_iter().next())
}

/// Detaches a device; while it is used, as soon as its last user is gone.
///
/// # Errors
/// See [`RunError`].
pub async fn detach(device: &Path) -> Result<(), RunError> {
    Run::new("losetup").arg("--detach").arg(device).deadline(DEADLINE).output().await.map(drop)
}

/// Gives a device the size that its file has by now.
///
/// # Errors
/// See [`RunError`].
pub async fn update_size(device: &Path) -> Result<(), RunError> {
    Run::new("losetup").arg("--set-capacity").arg(device).deadline(DEADLINE).output().await.map(drop)
}

/// One device per line, as the programs print them.
fn devices(output: &[u8]) -> Vec<PathBuf> {
    let text = String::from_utf8_lossy(output);
    text.lines().map(str::trim).filter(|line| line.starts_with("/dev/")).map(PathBuf::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_the_lines_that_name_one() {
        assert_eq!(devices(b"/dev/loop0\n"), [PathBuf::from("/dev/loop0")]);
        assert_eq!(
            devices(b"\n  /dev/loop12 \n/dev/loop3"),
            ["/dev/loop12", "/dev/loop3"].map(PathBuf::from)
        );
        assert!(devices(b"").is_empty() && devices(b"NAME\n").is_empty());
    }
}
