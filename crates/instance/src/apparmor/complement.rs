//! Globs for "everything but": AppArmor's have no other way to say it.

use std::collections::BTreeSet;

/// Globs that match everything below `base` except what `kept` names, relative to it: `a/b` is one
/// path, `a/b*` all that begin so, `a/**` everything below a directory.
pub(super) fn all_but(base: &str, kept: &[&str]) -> Vec<String> {
    let mut globs = Vec::new();
    cover(&format!("{}/", base.trim_end_matches('/')), kept, &mut globs);
    globs
}

/// Adds what does not go on from `prefix` as one of `rests` does.
fn cover(prefix: &str, rests: &[&str], globs: &mut Vec<String>) {
    if rests.iter().any(|rest| rest.starts_with('*')) {
        return;
    }
    let next: BTreeSet<char> = rests.iter().filter_map(|rest| rest.chars().next()).collect();
    // A name that ends here is not a longer one; what lies below it is no other name.
    let class: String = if next.is_empty() { "/".to_owned() } else { next.iter().collect() };
    globs.push(format!("{prefix}[^{class}]*{{,/**}}"));
    for first in next {
        let rests: Vec<&str> = rests.iter().filter_map(|rest| rest.strip_prefix(first)).collect();
        cover(&format!("{prefix}{first}"), &rests, globs);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether one of our globs (literals, one class, one star, and perhaps what is below) matches.
    fn matches(glob: &str, path: &str) -> bool {
        let (prefix, rest) = glob.split_once("[^").unwrap();
        let (class, _) = rest.split_once(']').unwrap();
        path.strip_prefix(prefix)
            .and_then(|tail| tail.chars().next())
            .is_some_and(|first| !class.contains(first))
    }

    fn denied(globs: &[String], path: &str) -> bool {
        globs.iter().any(|glob| matches(glob, path))
    }

    const KEPT: [&str; 4] = ["net/**", "kernel/hostname", "kernel/shm*", "kernel/sem*"];

    #[test]
    fn what_is_kept_is_the_only_thing_that_is_not_matched() {
        let globs = all_but("/proc/sys", &KEPT);
        for path in ["net/ipv4/ip_forward", "kernel/hostname", "kernel/shmmax", "kernel/sem", "net", "kernel"]
        {
            assert!(!denied(&globs, &format!("/proc/sys/{path}")), "{path}");
        }
        for path in [
            "kernel/core_pattern",
            "vm/x",
            "network",
            "kernel/hostname2",
            "kernel/sysrq",
            "fs/binfmt_misc/register",
        ] {
            assert!(denied(&globs, &format!("/proc/sys/{path}")), "{path}");
        }
        assert!(globs.iter().all(|glob| glob.ends_with("]*{,/**}")), "{globs:?}");
    }

    #[test]
    fn the_root_works_as_well() {
        let globs = all_but("/", &["proc", "proc/**", "dev", "dev/**"]);
        assert!(!denied(&globs, "/proc/sys") && !denied(&globs, "/dev") && !denied(&globs, "/dev/shm"));
        assert!(denied(&globs, "/data") && denied(&globs, "/processes") && denied(&globs, "/srv/x"));
        assert!(!denied(&globs, "/"));
    }

    #[test]
    fn every_path_is_on_one_side() {
        let globs = all_but("/proc/sys", &KEPT);
        let kept = |path: &str| {
            path.split('/').take(2).eq(["kernel", "hostname"])
                || ["net/", "kernel/shm", "kernel/sem"].iter().any(|k| path.starts_with(k))
        };
        // Beginnings of what is kept are directories on the way there, or nothing at all.
        let on_the_way = |path: &str| {
            ["net", "kernel/hostname", "kernel/shm", "kernel/sem"].iter().any(|k| k.starts_with(path))
        };
        for first in ["kernel", "net", "vm", "k", "n", "x"] {
            for second in
                ["", "/hostname", "/hostnam", "/shm", "/shmall", "/sem", "/se", "/core_pattern", "/x"]
            {
                for third in ["", "/a", "b"] {
                    let path = format!("{first}{second}{third}");
                    let denied = denied(&globs, &format!("/proc/sys/{path}"));
                    assert_eq!(denied, !kept(&path) && !on_the_way(&path), "{path}");
                }
            }
        }
    }
}
