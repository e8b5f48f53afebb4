//! `e2fsck(8)`: checks an ext4 that is not mounted.

use crate::run::{Run, RunError};
use std::path::Path;
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(6 * 60 * 60);
/// Statuses up to this one: whatever was wrong is right now.
const MENDED: i32 = 3;

/// Checks all of it and mends what it finds.
///
/// # Errors
/// See [`RunError`]; something is still wrong then.
pub async fn mend(device: &Path) -> Result<(), RunError> {
    match Run::new("e2fsck").args(["-f", "-y"]).arg(device).deadline(DEADLINE).output().await {
        Err(RunError::Failed { status, .. }) if status.code().is_some_and(|code| code <= MENDED) => Ok(()),
        result => result.map(drop),
    }
}
