//! Virtual functions of network cards, as sysfs shows them.
//!
//! <https://docs.kernel.org/PCI/pci-iov-howto.html>

use crate::Error;
use std::fs;
use std::path::Path;

/// Where the kernel shows network interfaces.
pub(super) const INTERFACES: &str = "/sys/class/net";

/// The interface of a virtual function that is still on the host. Where all are lent and the card
/// has more, more are switched on.
pub(super) fn free_function(interfaces: &Path, parent: &str) -> Result<String, Error> {
    let device = interfaces.join(parent).join("device");
    let number =
        |file: &str| -> Option<u32> { fs::read_to_string(device.join(file)).ok()?.trim().parse().ok() };
    let Some(total) = number("sriov_totalvfs").filter(|total| *total > 0) else {
        return Err(Error::NoFunctions { parent: parent.to_owned() });
    };
    let enabled = number("sriov_numvfs").unwrap_or(0);
    if let Some(name) = first_free(&device, 0..enabled) {
        return Ok(name);
    }
    if enabled < total {
        // The kernel changes the number only from and to zero; with functions in use it refuses.
        let _ = fs::write(device.join("sriov_numvfs"), total.to_string());
        let enabled = number("sriov_numvfs").unwrap_or(0);
        if let Some(name) = first_free(&device, 0..enabled) {
            return Ok(name);
        }
    }
    Err(Error::FunctionsInUse { parent: parent.to_owned() })
}

/// A function whose interface is lent shows none here.
fn first_free(device: &Path, functions: std::ops::Range<u32>) -> Option<String> {
    functions.into_iter().find_map(|number| {
        let entry = fs::read_dir(device.join(format!("virtfn{number}/net"))).ok()?.flatten().next()?;
        entry.file_name().into_string().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(total: &str, enabled: &str, lent: &[u32]) -> tempfile::TempDir {
        let sys = tempfile::tempdir().unwrap();
        let device = sys.path().join("up0/device");
        for function in 0..2 {
            let net = device.join(format!("virtfn{function}/net"));
            fs::create_dir_all(&net).unwrap();
            if !lent.contains(&function) {
                fs::create_dir(net.join(format!("up0v{function}"))).unwrap();
            }
        }
        fs::write(device.join("sriov_totalvfs"), total).unwrap();
        fs::write(device.join("sriov_numvfs"), enabled).unwrap();
        sys
    }

    #[test]
    fn the_first_function_that_is_still_here() {
        let free = |sys: &tempfile::TempDir| free_function(sys.path(), "up0");
        assert_eq!(free(&card("2\n", "2\n", &[])).unwrap(), "up0v0");
        assert_eq!(free(&card("2\n", "2\n", &[0])).unwrap(), "up0v1");
        assert!(matches!(free(&card("2\n", "2\n", &[0, 1])), Err(Error::FunctionsInUse { .. })));
    }

    #[test]
    fn functions_are_switched_on_when_they_are_needed() {
        let sys = card("2\n", "0\n", &[]);
        assert_eq!(free_function(sys.path(), "up0").unwrap(), "up0v0");
        assert_eq!(fs::read_to_string(sys.path().join("up0/device/sriov_numvfs")).unwrap(), "2");
    }

    #[test]
    fn a_card_without_functions_says_so() {
        let sys = tempfile::tempdir().unwrap();
        assert!(matches!(free_function(sys.path(), "up0"), Err(Error::NoFunctions { .. })));
    }
}
