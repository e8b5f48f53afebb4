//! `nft(8)`: rule sets of nftables, always as one transaction from stdin.

use crate::run::{Run, RunError};
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(10);

/// Loads `rules` as one transaction: all of it or nothing.
///
/// # Errors
/// What `nft` complained about; see [`RunError`].
pub async fn apply(rules: &str) -> Result<(), RunError> {
    Run::new("nft").args(["-f", "-"]).stdin(rules).deadline(DEADLINE).output().await.map(drop)
}

/// The rules of one table as `nft` prints them; `None` when there is no such table.
///
/// # Errors
/// See [`RunError`].
pub async fn list_table(family: &str, table: &str) -> Result<Option<String>, RunError> {
    let run = Run::new("nft").args(["list", "table", family, table]).deadline(DEADLINE);
    match run.output().await {
        Ok(output) => Ok(Some(String::from_utf8_lossy(&output.stdout).into_owned())),
        Err(RunError::Failed { stderr, .. }) if stderr.contains("No such file or directory") => Ok(None),
        Err(e) => Err(e),
    }
}
