//! `wipefs(8)`: a disk forgets which file system it had.

use crate::run::{Run, RunError};
use std::path::Path;

/// Removes all signatures from a device that nobody uses, so that it may become something else.
///
/// # Errors
/// See [`RunError`].
pub async fn wipe(device: &Path) -> Result<(), RunError> {
    Run::new("wipefs").args(["--all", "--quiet", "--"]).arg(device).output().await.map(drop)
}
