//! `modprobe(8)`: loads kernel modules.

use crate::run::{Run, RunError};
use std::path::Path;
use std::time::Duration;

/// Loads one module; one that is loaded or built in is fine, and no program is run for it.
///
/// # Errors
/// See [`RunError`].
pub async fn load(module: &str) -> Result<(), RunError> {
    if is_there(Path::new("/sys/module"), module) {
        return Ok(());
    }
    Run::new("modprobe").args(["--", module]).deadline(Duration::from_secs(30)).output().await.map(drop)
}

/// The kernel writes `-` in names as `_`.
fn is_there(modules: &Path, name: &str) -> bool {
    !name.contains('/') && !name.starts_with('.') && modules.join(name.replace('-', "_")).is_dir()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_loaded_is_found_under_either_spelling() {
        let temp = tempfile::tempdir().unwrap();
        std::fs::create_dir(temp.path().join("nf_nat")).unwrap();
        assert!(is_there(temp.path(), "nf-nat") && is_there(temp.path(), "nf_nat"));
        assert!(
            !is_there(temp.path(), "nf") && !is_there(temp.path(), "../x") && !is_there(temp.path(), "..")
        );
    }
}
