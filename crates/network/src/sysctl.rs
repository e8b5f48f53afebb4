//! Settings below `/proc/sys/net`.

use crate::names::InterfaceName;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const ROOT: &str = "/proc/sys/net";

/// A setting that could not be made.
#[derive(Debug, thiserror::Error)]
#[error("Cannot set {} to {value}", .path.display())]
pub struct SysctlError {
    /// Which.
    pub path: PathBuf,
    /// To what.
    pub value: &'static str,
    /// Why not.
    pub source: io::Error,
}

/// Writes a value unless it is there already.
fn set(path: &Path, value: &'static str) -> Result<(), SysctlError> {
    if fs::read_to_string(path).is_ok_and(|now| now.trim() == value) {
        return Ok(());
    }
    fs::write(path, value).map_err(|source| SysctlError { path: path.to_owned(), value, source })
}

/// A bridge takes no addresses from others and uses its own at once.
pub(crate) fn quiet_ipv6(bridge: &InterfaceName) -> Result<(), SysctlError> {
    let conf = Path::new(ROOT).join("ipv6/conf").join(bridge.as_str());
    set(&conf.join("autoconf"), "0")?;
    set(&conf.join("accept_dad"), "0")
}

/// Lets the host forward IPv4. Never switched off again: others may rely on it.
pub(crate) fn forward_ipv4() -> Result<(), SysctlError> {
    set(&Path::new(ROOT).join("ipv4/ip_forward"), "1")
}

/// Lets the host forward IPv6 and still learn its own routes from advertisements, which a
/// forwarding host would ignore otherwise.
pub(crate) fn forward_ipv6() -> Result<(), SysctlError> {
    let conf = Path::new(ROOT).join("ipv6/conf");
    let forwarding = conf.join("all/forwarding");
    if fs::read_to_string(&forwarding).is_ok_and(|now| now.trim() == "1") {
        return Ok(());
    }
    let failed = |source| SysctlError { path: conf.clone(), value: "forwarding", source };
    for entry in fs::read_dir(&conf).map_err(failed)? {
        let accept = entry.map_err(failed)?.path().join("accept_ra");
        if fs::read_to_string(&accept).is_ok_and(|now| now.trim() == "1") {
            set(&accept, "2")?;
        }
    }
    set(&forwarding, "1")
}

/// True when new interfaces of this host get IPv6.
pub(crate) fn has_ipv6() -> bool {
    fs::read_to_string(Path::new(ROOT).join("ipv6/conf/default/disable_ipv6")).is_ok_and(|v| v.trim() == "0")
}
