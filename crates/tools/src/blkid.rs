//! `blkid(8)`: which file system a block device has.

use crate::run::{Run, RunError};
use std::path::Path;
use std::time::Duration;

/// The kind of file system on a device (`ext4`, `xfs`, `vfat`, …); `None`: none that is known. Only
/// reads the device.
///
/// # Errors
/// See [`RunError`].
pub async fn filesystem(device: &Path) -> Result<Option<String>, RunError> {
    let run = Run::new("blkid").args(["-p", "-s", "TYPE", "-o", "value", "--"]);
    match run.arg(device).deadline(Duration::from_secs(30)).output().await {
        Ok(output) => {
            let kind = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            Ok((!kind.is_empty()).then_some(kind))
        }
        // Its way to say that it found nothing.
        Err(RunError::Failed { status, .. }) if status.code() == Some(2) => Ok(None),
        Err(error) => Err(error),
    }
}
