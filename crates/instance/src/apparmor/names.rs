//! What profiles and policy namespaces are called.

use std::path::Path;

/// Longest name of a profile that older kernels take, with room for what is stacked on it.
const LONGEST: usize = 253;

/// The profile of a container: `lxd-web_</var/lib/lxd>`. A directory that AppArmor would read as
/// something else, or that is too long, is named by its SHA-256 sum.
pub(crate) fn profile(container: &str, var: &Path) -> String {
    name(container, &var.to_string_lossy())
}

/// The policy namespace of a container, a single file name: `lxd-web_<var-lib-lxd>`.
pub(crate) fn namespace(container: &str, var: &Path) -> String {
    name(container, &var.to_string_lossy().trim_matches('/').replace('/', "-"))
}

fn name(container: &str, place: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.');
    let whole = format!("lxd-{container}_<{place}>");
    if whole.len() <= LONGEST && place.chars().all(plain) {
        return whole;
    }
    let mut hash = image::fingerprint::Hasher::new();
    hash.update(place.as_bytes());
    format!("lxd-{container}_<{}>", hash.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_is_part_of_the_name() {
        let var = Path::new("/var/lib/lxd");
        assert_eq!(profile("web", var), "lxd-web_</var/lib/lxd>");
        assert_eq!(namespace("web", var), "lxd-web_<var-lib-lxd>");
    }

    /// Rule R4: nothing of a name can become a rule.
    #[test]
    fn r4_directories_with_odd_names_are_hashed() {
        let long = format!("/{}", "x".repeat(300));
        for var in ["/tmp/a b", "/tmp/\"{\n}", "/tmp/*", "/tmp/a,b", long.as_str()] {
            for name in [profile("web", Path::new(var)), namespace("web", Path::new(var))] {
                assert_eq!(name.len(), "lxd-web_<>".len() + 64, "{name}");
                assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || "-_<>".contains(c)), "{name}");
            }
        }
    }
}
