//! `blkid(8)`: which file system a block device has.

use crate::run::{Run, RunError};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The kind of file system on a device (`ext4`, `xfs`, `vfat`, …); `None`: none that is known. Only
/// reads the device.
///
/// # Errors
/// See [`RunError`].
pub async fn filesystem(device: &Path) -> Result<Option<String>, RunError> {
    value(Run::new("blkid").args(["-p", "-s", "TYPE", "-o", "value", "--"]).arg(device)).await
}

/// The UUID of the file system on a device; `None`: it has none, or is not there. Only reads the device.
///
/// # Errors
/// See [`RunError`].
pub async fn uuid(device: &Path) -> Result<Option<String>, RunError> {
    value(Run::new("blkid").args(["-p", "-s", "UUID", "-o", "value", "--"]).arg(device)).await
}

/// The devices whose file system seems to have this UUID, among all that there are. It may have been a moment
/// ago: [`uuid`] tells.
///
/// # Errors
/// See [`RunError`].
pub async fn devices_with(uuid: &str) -> Result<Vec<PathBuf>, RunError> {
    // What was found at another time is not asked.
    let run = Run::new("blkid").args(["-c", "/dev/null", "-o", "device", "-t"]);
    let devices = value(run.arg(format!("UUID={uuid}"))).await?;
    Ok(devices.unwrap_or_default().lines().map(PathBuf::from).collect())
}

async fn value(run: Run) -> Result<Option<String>, RunError> {
    match run.deadline(Duration::from_secs(30)).output().await {
        Ok(output) => {
            let value = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            Ok((!value.is_empty()).then_some(value))
        }
        // Its way to say that it found nothing.
        Err(RunError::Failed { status, .. }) if status.code() == Some(2) => Ok(None),
        Err(error) => Err(error),
    }
}
