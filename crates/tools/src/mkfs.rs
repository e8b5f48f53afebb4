//! `mkfs.ext4(8)`, `mkfs.xfs(8)`, `mkfs.btrfs(8)`: new file systems on block devices.
//!
//! Whatever is on the device is overwritten. Nothing is discarded first: devices are new.

use crate::run::{Output, Run, RunError};
use std::path::Path;
use std::time::Duration;

/// Journals of large devices on slow disks take their time.
const DEADLINE: Duration = Duration::from_secs(10 * 60);

/// Makes an ext4. `zeroed`: the device reads as zeros, so that nothing has to be written to make it so.
/// One percent is for root of the host alone, who has something to note about volumes that are full.
///
/// # Errors
/// See [`RunError`].
pub async fn ext4(device: &Path, zeroed: bool) -> Result<(), RunError> {
    let run = |options: &str| {
        // Blocks of 4096 bytes also on small devices, which may grow.
        let run = Run::new("mkfs.ext4").args(["-q", "-F", "-b", "4096", "-m", "1", "-E", options]);
        run.arg(device).deadline(DEADLINE).output()
    };
    if zeroed {
        // Unknown before e2fsprogs 1.47.
        match run("nodiscard,assume_storage_prezeroed=1").await {
            Err(RunError::Failed { .. }) => {}
            result => return result.map(drop),
        }
    }
    // The kernel would write to the file system long afterwards, and to each of its clones.
    run("nodiscard,lazy_itable_init=0,lazy_journal_init=0").await.map(drop)
}

/// Makes an XFS.
///
/// # Errors
/// See [`RunError`].
pub async fn xfs(device: &Path) -> Result<(), RunError> {
    plain("mkfs.xfs", &["-q", "-f", "-K"], device).await.map(drop)
}

/// Makes a btrfs.
///
/// # Errors
/// See [`RunError`].
pub async fn btrfs(device: &Path) -> Result<(), RunError> {
    plain("mkfs.btrfs", &["-q", "-f", "-K"], device).await.map(drop)
}

async fn plain(program: &str, options: &[&str], device: &Path) -> Result<Output, RunError> {
    Run::new(program).args(options).arg(device).deadline(DEADLINE).output().await
}
