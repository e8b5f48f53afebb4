//! `btrfs filesystem resize` (see `btrfs-filesystem(8)`).

use crate::run::{Run, RunError};
use std::path::Path;
use std::time::Duration;

/// Making one smaller moves data.
const DEADLINE: Duration = Duration::from_secs(6 * 60 * 60);

/// Gives the btrfs that is mounted here this many bytes; `None`: all that its device has.
///
/// # Errors
/// See [`RunError`]; if it is to be smaller, what is in it does not fit, most likely.
pub async fn to(mounted: &Path, bytes: Option<u64>) -> Result<(), RunError> {
    let size = bytes.map_or_else(|| "max".to_owned(), |bytes| bytes.to_string());
    let run = Run::new("btrfs").args(["filesystem", "resize", &size]).arg(mounted);
    run.deadline(DEADLINE).output().await.map(drop)
}
