//! Where the host shows its devices. A test puts made-up trees there.

use std::path::PathBuf;

/// `/sys`, `/dev` and `/proc` of the host.
#[derive(Clone, Debug)]
pub(crate) struct Trees {
    pub(crate) sys: PathBuf,
    pub(crate) dev: PathBuf,
    pub(crate) proc: PathBuf,
}

impl Trees {
    /// The real ones; in a debug build those that `LIGHTERVISOR_SYS`, `_DEV` and `_PROC` name.
    pub(crate) fn of_host() -> Self {
        let tree = |variable: &str, path: &str| {
            let other = if cfg!(debug_assertions) { std::env::var_os(variable) } else { None };
            other.map_or_else(|| PathBuf::from(path), PathBuf::from)
        };
        Self {
            sys: tree("LIGHTERVISOR_SYS", "/sys"),
            dev: tree("LIGHTERVISOR_DEV", "/dev"),
            proc: tree("LIGHTERVISOR_PROC", "/proc"),
        }
    }

    /// The text of a file below `/sys`, without white space around it.
    pub(crate) fn attribute(directory: &std::path::Path, name: &str) -> Option<String> {
        Some(std::fs::read_to_string(directory.join(name)).ok()?.trim().to_owned())
    }

    /// `major:minor` in a file called `dev`.
    pub(crate) fn number(directory: &std::path::Path) -> Option<(u32, u32)> {
        let text = Self::attribute(directory, "dev")?;
        let (major, minor) = text.split_once(':')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    }
}
