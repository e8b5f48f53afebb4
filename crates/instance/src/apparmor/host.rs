//! What the kernel and the parser of this host can do.

use super::profile::Language;
use crate::Error;
use std::path::{Path, PathBuf};
use tools::apparmor_parser;

/// Where the kernel shows AppArmor (`securityfs`).
const ROOT: &str = "/sys/kernel/security/apparmor";
/// `capabilities(7)`.
const CAP_MAC_ADMIN: u64 = 33;

/// AppArmor that this daemon may use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kernel {
    /// Labels of several profiles, and namespaces for policy.
    pub(super) stacks: bool,
    pub(super) language: Language,
}

/// Looks around; the error says why there is none.
pub(super) async fn detect() -> Result<Kernel, String> {
    const VARIABLE: &str = "LXD_SECURITY_APPARMOR";
    if std::env::var(VARIABLE).is_ok_and(|value| value == "false") {
        return Err(format!("{VARIABLE}=false is set"));
    }
    if !Path::new(ROOT).is_dir() {
        return Err("the kernel has no AppArmor, or /sys/kernel/security is not mounted".to_owned());
    }
    let label = std::fs::read_to_string("/proc/self/attr/apparmor/current")
        .or_else(|_| std::fs::read_to_string("/proc/self/attr/current"))
        .unwrap_or_default();
    let label = label.trim_end_matches(['\n', '\0']);
    if label != "unconfined" {
        return Err(format!("the daemon is confined itself, by {label:?}; containers share that"));
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if !holds(&status, CAP_MAC_ADMIN) {
        return Err("the daemon lacks the capability mac_admin".to_owned());
    }
    let version = apparmor_parser::version().await.map_err(|error| error.to_string())?;
    let modern = version.is_some_and(|version| version >= (4, 0));
    let has = |feature: &str| Path::new(ROOT).join("features").join(feature).exists();
    let userns = std::fs::read_to_string(Path::new(ROOT).join("features/namespaces/mask"));
    Ok(Kernel {
        stacks: Path::new(ROOT).join("policy/namespaces").is_dir()
            && std::fs::read_to_string(Path::new(ROOT).join("features/domain/stack"))
                .is_ok_and(|value| value.trim() == "yes"),
        language: Language {
            userns: modern && userns.is_ok_and(|mask| mask.contains("userns_create")),
            io_uring: modern && has("io_uring"),
            mqueue: modern && has("ipc/posix_mqueue"),
        },
    })
}

/// What the kernel can mediate but sockets, in the parser's notation; `None` where nothing is to be
/// left out.
///
/// A kernel that mediates sockets by their family alone, without those of the family unix, refuses
/// every lock on a socket. With such locks systemd prepares services that have users or a network of
/// their own.
pub(super) fn features_without_network() -> Option<String> {
    let features = Path::new(ROOT).join("features");
    let kinds = ["network_v8", "network", "network_v9"].map(|kind| features.join(kind));
    let by_family = kinds.iter().any(|kind| kind.is_dir());
    let with_unix = kinds.iter().any(|kind| kind.join("af_unix").exists());
    (by_family && !with_unix).then(|| {
        let mut text = String::new();
        describe(&features, &mut text, &|name| name.starts_with("network"));
        text
    })
}

/// Each file as `name {content}`, each directory as `name {what is in it}`.
fn describe(dir: &Path, text: &mut String, without: &dyn Fn(&str) -> bool) {
    let mut entries: Vec<_> = std::fs::read_dir(dir).into_iter().flatten().flatten().collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let (name, path) = (entry.file_name().to_string_lossy().into_owned(), entry.path());
        if without(&name) {
            continue;
        }
        text.push_str(&name);
        text.push_str(" {");
        if path.is_dir() {
            describe(&path, text, &|_| false);
        } else {
            text.push_str(&std::fs::read_to_string(&path).unwrap_or_default());
        }
        text.push_str("}\n");
    }
}

/// Whether the effective capabilities of `proc_pid_status(5)` hold this one.
fn holds(status: &str, capability: u64) -> bool {
    status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask >> capability & 1 == 1)
}

fn namespace(name: &str) -> PathBuf {
    Path::new(ROOT).join("policy/namespaces").join(name)
}

/// Makes a policy namespace; one that is there is used again.
pub(super) fn make_namespace(name: &str) -> Result<(), Error> {
    let path = namespace(name);
    match std::fs::create_dir(&path) {
        Err(source) if source.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(Error::Path { doing: "make the AppArmor namespace", path, source })
        }
        _ => Ok(()),
    }
}

/// Removes a policy namespace with the profiles in it.
pub(super) fn remove_namespace(name: &str) {
    let path = namespace(name);
    match std::fs::remove_dir(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            tracing::warn!(path = %path.display(), %error, "cannot remove the AppArmor namespace");
        }
        _ => {}
    }
}

/// Whether the kernel knows a profile.
pub(super) fn is_loaded(name: &str) -> bool {
    let loaded = std::fs::read_to_string(Path::new(ROOT).join("profiles")).unwrap_or_default();
    loaded.lines().any(|line| line.rsplit_once(" (").is_some_and(|(profile, _)| profile == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_written_as_the_parser_reads_them() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("file")).unwrap();
        std::fs::create_dir_all(dir.path().join("network_v8")).unwrap();
        std::fs::write(dir.path().join("capability"), "0xff\n").unwrap();
        std::fs::write(dir.path().join("file/mask"), "read write\n").unwrap();
        std::fs::write(dir.path().join("network_v8/af_mask"), "unix\n").unwrap();
        let mut text = String::new();
        describe(dir.path(), &mut text, &|name| name.starts_with("network"));
        assert_eq!(text, "capability {0xff\n}\nfile {mask {read write\n}\n}\n");
    }

    #[test]
    fn capabilities_are_read_from_the_status() {
        assert!(holds("Name:\tx\nCapEff:\t000001ffffffffff\n", CAP_MAC_ADMIN));
        assert!(!holds("CapEff:\t000001fdffffffff\n", CAP_MAC_ADMIN));
        assert!(!holds("", CAP_MAC_ADMIN));
    }
}
