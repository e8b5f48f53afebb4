//! `apparmor_parser(8)`: compiles AppArmor profiles and loads them into the kernel.

use crate::run::{Run, RunError};
use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

/// Compiling takes a tenth of a second; an emulated or busy machine needs longer.
const DEADLINE: Duration = Duration::from_secs(120);

/// Its version, major and minor; `None` when it says something else.
///
/// # Errors
/// See [`RunError`].
pub async fn version() -> Result<Option<(u32, u32)>, RunError> {
    let output = Run::new("apparmor_parser").args(["--version"]).deadline(DEADLINE).output().await?;
    Ok(parse_version(&String::from_utf8_lossy(&output.stdout)))
}

/// Loads the profiles of a file, in place of loaded ones of the same names. What was compiled is
/// kept in `cache` and used again while the file is older. `features`: a file with what profiles may
/// mediate, in place of all that the kernel can.
///
/// # Errors
/// What it complained about, with the line of the file; see [`RunError`].
pub async fn load(cache: &Path, file: &Path, features: Option<&Path>) -> Result<(), RunError> {
    let mut args: Vec<&OsStr> = Vec::new();
    if let Some(features) = features {
        args.extend([OsStr::new("--policy-features"), features.as_os_str()]);
    }
    args.extend([OsStr::new("-rWL"), cache.as_os_str(), file.as_os_str()]);
    Run::new("apparmor_parser").args(args).deadline(DEADLINE).output().await.map(drop)
}

/// Compiles a file without loading it.
///
/// # Errors
/// As for [`load`].
pub async fn check(cache: &Path, file: &Path) -> Result<(), RunError> {
    run("-QKL", cache, file).await
}

/// Removes the profiles of a file from the kernel.
///
/// # Errors
/// See [`RunError`]; also when they are not loaded.
pub async fn unload(cache: &Path, file: &Path) -> Result<(), RunError> {
    run("-RWL", cache, file).await
}

async fn run(flags: &str, cache: &Path, file: &Path) -> Result<(), RunError> {
    let args = [flags.as_ref(), cache.as_os_str(), file.as_os_str()];
    Run::new("apparmor_parser").args(args).deadline(DEADLINE).output().await.map(drop)
}

/// `AppArmor parser version 3.0.8`, then a copyright.
fn parse_version(text: &str) -> Option<(u32, u32)> {
    let number = text.lines().next()?.split_whitespace().last()?;
    let mut parts = number.split(|c: char| !c.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        assert_eq!(parse_version("AppArmor parser version 3.0.8\nCopyright\n"), Some((3, 0)));
        assert_eq!(parse_version("AppArmor parser version 4.1.0~beta5\n"), Some((4, 1)));
        assert_eq!(parse_version("something else"), None);
        assert_eq!(parse_version(""), None);
    }
}
