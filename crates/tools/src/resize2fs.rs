//! `resize2fs(8)`: another size for an ext4.

use crate::run::{Run, RunError};
use std::path::Path;
use std::time::Duration;

/// Making one smaller moves files.
const DEADLINE: Duration = Duration::from_secs(6 * 60 * 60);

/// Makes it as large as its device, mounted or not. One that is not mounted must have been checked.
///
/// # Errors
/// See [`RunError`].
pub async fn fill(device: &Path) -> Result<(), RunError> {
    Run::new("resize2fs").arg(device).deadline(DEADLINE).output().await.map(drop)
}

/// Makes it this many bytes large, rounded down to 1024. It is not mounted and was checked.
///
/// # Errors
/// See [`RunError`]; what is in it does not fit, most likely.
pub async fn to(device: &Path, bytes: u64) -> Result<(), RunError> {
    let size = format!("{}K", bytes / 1024);
    Run::new("resize2fs").arg(device).arg(size).deadline(DEADLINE).output().await.map(drop)
}
