//! `btrfstune(8)`: the identifier of a btrfs.

use crate::run::{Run, RunError};
use std::path::Path;
use std::time::Duration;

/// Gives a copy of a btrfs an identifier of its own, without which the kernel takes both for one. It must
/// not be mounted.
///
/// # Errors
/// See [`RunError`].
pub async fn new_id(device: &Path) -> Result<(), RunError> {
    // It asks whether it may.
    let run = |how: &str| Run::new("btrfstune").args(["-f", how]).arg(device).stdin("y\n");
    // Only the super block changes, so that the copy goes on sharing everything else.
    match run("-m").deadline(Duration::from_secs(60)).output().await {
        Err(RunError::Failed { .. }) => {}
        result => return result.map(drop),
    }
    run("-u").deadline(Duration::from_secs(60 * 60)).output().await.map(drop)
}
