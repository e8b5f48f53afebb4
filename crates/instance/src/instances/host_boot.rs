//! Whether the host has booted since its containers were last brought up.
//!
//! A mere restart of the daemon starts nothing: containers run on without it, and one that ended
//! meanwhile has stopped. After a boot of the host, and after `lxd shutdown`, what ran is started
//! again. Which of the two it is tells a file that names the boot in which containers were brought
//! up; shutting down removes it.

use crate::Error;
use crate::var::Var;
use std::io::ErrorKind;

/// Names this boot: the kernel's id of it, and when the first process started, which also tells
/// one run of a container from the next where the container shares its host's id.
fn this_boot() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let init = std::fs::read_to_string("/proc/1/stat").unwrap_or_default();
    format!("{} {}\n", id.trim(), start_time(&init))
}

/// Field 22 of `proc_pid_stat(5)`. The name in parentheses may hold anything.
fn start_time(stat: &str) -> &str {
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    after_name.split_whitespace().nth(19).unwrap_or("")
}

/// Whether containers have not been brought up yet in this boot of the host.
pub(super) fn is_new(var: &Var) -> bool {
    std::fs::read_to_string(var.host_boot()).map_or(true, |known| known != this_boot())
}

/// Containers have been brought up.
pub(super) fn remember(var: &Var) -> Result<(), Error> {
    let path = var.host_boot();
    let new = path.with_extension("new");
    let failed = |source| Error::Path { doing: "write", path: path.clone(), source };
    std::fs::write(&new, this_boot()).map_err(failed)?;
    std::fs::rename(&new, &path).map_err(failed)
}

/// Containers are to be brought up by the next daemon, in whatever boot.
pub(super) fn forget(var: &Var) -> Result<(), Error> {
    let path = var.host_boot();
    match std::fs::remove_file(&path) {
        Err(source) if source.kind() != ErrorKind::NotFound => {
            Err(Error::Path { doing: "remove", path, source })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boot_is_new_once_and_again_after_a_shutdown() {
        let temp = tempfile::tempdir().unwrap();
        let var = Var::prepare(&temp.path().join("var"), &temp.path().join("log")).unwrap();
        assert!(is_new(&var));
        remember(&var).unwrap();
        assert!(!is_new(&var));
        std::fs::write(var.host_boot(), "another\n").unwrap();
        assert!(is_new(&var));
        remember(&var).unwrap();
        forget(&var).unwrap();
        forget(&var).unwrap();
        assert!(is_new(&var));
    }

    #[test]
    fn the_start_of_the_first_process_is_found_behind_any_name() {
        let fields = (3..=21).map(|n| n.to_string()).collect::<Vec<_>>().join(" ");
        assert_eq!(start_time(&format!("1 (a) b) (c) {fields} 4711 23")), "4711");
        assert_eq!(start_time(""), "");
    }
}
