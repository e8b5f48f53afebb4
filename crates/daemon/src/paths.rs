//! Where the daemon keeps things.

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// The directory when `LXD_DIR` is not set.
const VAR: &str = "/var/lib/lxd";
/// The log directory when `LXD_DIR` is not set.
const LOGS: &str = "/var/log/lxd";
/// The program that is the parent of all containers.
const KEEPER: &str = "lxd-keeper";

/// Where the daemon keeps things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Paths {
    /// The daemon's directory.
    pub(crate) var: PathBuf,
    /// The log directory.
    pub(crate) logs: PathBuf,
}

/// Why a place cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PathError {
    /// `LXD_DIR` is relative.
    #[error("LXD_DIR is {}, which is not an absolute path", .0.display())]
    Relative(PathBuf),
    /// A directory cannot be made.
    #[error("cannot make the directory {}", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The keeper is not installed.
    #[error("the program {KEEPER} is neither beside {} nor in a directory of PATH", beside.display())]
    Keeper {
        /// Where it should be.
        beside: PathBuf,
    },
    /// The daemon's own program is not known.
    #[error("cannot find out where the program lxd is")]
    Own(#[source] io::Error),
}

impl Paths {
    /// From the environment.
    ///
    /// # Errors
    /// `LXD_DIR` is relative.
    pub(crate) fn from_environment() -> Result<Self, PathError> {
        Self::from_variable(std::env::var_os("LXD_DIR"))
    }

    fn from_variable(variable: Option<OsString>) -> Result<Self, PathError> {
        let Some(var) = variable.filter(|value| !value.is_empty()).map(PathBuf::from) else {
            return Ok(Self { var: VAR.into(), logs: LOGS.into() });
        };
        if var.is_relative() {
            return Err(PathError::Relative(var));
        }
        Ok(Self { logs: var.join("logs"), var })
    }

    /// The socket that clients connect to.
    pub(crate) fn socket(&self) -> PathBuf {
        self.var.join("unix.socket")
    }

    /// Makes the two directories with their modes, which a umask does not change.
    ///
    /// # Errors
    /// One cannot be made.
    pub(crate) fn create(&self) -> Result<(), PathError> {
        for (path, mode) in [(&self.var, 0o711), (&self.logs, 0o700)] {
            let failed = |source| PathError::Directory { path: path.clone(), source };
            std::fs::create_dir_all(path).map_err(failed)?;
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).map_err(failed)?;
        }
        Ok(())
    }
}

/// Where the keeper is: beside the daemon's own program, or where programs are looked for.
///
/// # Errors
/// Nowhere.
pub(crate) fn keeper() -> Result<PathBuf, PathError> {
    let own = std::env::current_exe().map_err(PathError::Own)?;
    let beside = own.parent().unwrap_or(Path::new("/")).to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::iter::once(beside.clone())
        .chain(std::env::split_paths(&path))
        .map(|directory| directory.join(KEEPER))
        .find(|program| program.is_file())
        .ok_or(PathError::Keeper { beside })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt as _;

    #[test]
    fn everything_follows_from_one_variable() {
        let paths = |value: Option<&str>| Paths::from_variable(value.map(OsString::from));
        assert_eq!(paths(None).unwrap(), Paths { var: VAR.into(), logs: LOGS.into() });
        assert_eq!(paths(Some("")).unwrap().var, Path::new(VAR));
        assert_eq!(paths(Some("/srv/x")).unwrap().logs, Path::new("/srv/x/logs"));
        assert!(paths(Some("x")).is_err());
    }

    #[test]
    fn directories_have_their_modes() {
        let directory = tempfile::tempdir().unwrap();
        let paths = Paths::from_variable(Some(directory.path().join("a/b").into())).unwrap();
        paths.create().unwrap();
        assert_eq!(std::fs::metadata(&paths.var).unwrap().mode() & 0o7777, 0o711);
        assert_eq!(std::fs::metadata(&paths.logs).unwrap().mode() & 0o7777, 0o700);
    }
}
