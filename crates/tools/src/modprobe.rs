//! `modprobe(8)`: loads kernel modules.

use crate::run::{Run, RunError};
use std::time::Duration;

/// Loads one module; one that is loaded or built in is fine.
///
/// # Errors
/// See [`RunError`].
pub async fn load(module: &str) -> Result<(), RunError> {
    Run::new("modprobe").args(["--", module]).deadline(Duration::from_secs(30)).output().await.map(drop)
}
