//! `xfs_growfs(8)`: makes an XFS larger.

use crate::run::{Run, RunError};
use std::path::Path;
use std::time::Duration;

/// Makes the one that is mounted here as large as its device.
///
/// # Errors
/// See [`RunError`].
pub async fn fill(mounted: &Path) -> Result<(), RunError> {
    let run = Run::new("xfs_growfs").arg("-d").arg(mounted);
    run.deadline(Duration::from_secs(5 * 60)).output().await.map(drop)
}
