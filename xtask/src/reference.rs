//! Writes the generated pages of `docs/` anew. That they are up to date are tests of the crates that have
//! the tables.

use anyhow::{Context as _, Result, ensure};
use std::path::Path;
use std::process::Command;

/// Lets the tests that compare the pages write them.
pub(crate) fn write(root: &Path) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .current_dir(root)
        .args(["test", "--quiet", "--locked", "-p", "model", "-p", "storage", "--test", "reference"])
        .env("REFERENCE_REFRESH", "1")
        .status()
        .context("cannot run cargo")?;
    ensure!(status.success(), "the reference was not written");
    Ok(())
}
