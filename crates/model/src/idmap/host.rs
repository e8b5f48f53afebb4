//! Which ids of the host containers may have: `subuid(5)`, `subgid(5)`, `user_namespaces(7)`.

use super::{IdMap, IdRange};

/// A range with fewer ids than this is of no use to a system container.
pub const MIN_IDS: u32 = 65536;

/// What the host says about ids, as text.
#[derive(Clone, Copy, Debug)]
pub struct HostIds<'a> {
    /// `/etc/subuid`, if it exists.
    pub subuid: Option<&'a str>,
    /// `/etc/subgid`, if it exists.
    pub subgid: Option<&'a str>,
    /// `/proc/self/uid_map`.
    pub uid_map: &'a str,
    /// `/proc/self/gid_map`.
    pub gid_map: &'a str,
}

/// The ids that unprivileged containers share, for a daemon that runs as the user called `user`
/// with number `uid`. `None`: the host has none to spare, only privileged containers can run.
///
/// The files decide if both exist. Without them the whole machine gives 1,000,000,000 ids from
/// 1,000,000 on, and a daemon inside a container takes what is left of its own from 100,000 on.
#[must_use]
pub fn daemon_map(host: &HostIds<'_>, user: &str, uid: u32) -> Option<IdMap> {
    let (uids, gids) = match (host.subuid, host.subgid) {
        (Some(subuid), Some(subgid)) => (subordinate(subuid, user, uid)?, subordinate(subgid, user, uid)?),
        _ => (spare(host.uid_map)?, spare(host.gid_map)?),
    };
    Some(IdMap { uids: vec![uids], gids: vec![gids] })
}

/// The first line `user:first:count` of that user with enough ids.
fn subordinate(text: &str, user: &str, uid: u32) -> Option<IdRange> {
    let lines = text.lines().map(|line| line.trim().split(':').collect::<Vec<_>>());
    lines.filter_map(|fields| entry(&fields, user, uid)).find(|range| range.count >= MIN_IDS)
}

fn entry(fields: &[&str], user: &str, uid: u32) -> Option<IdRange> {
    let [owner, host, count] = fields else { return None };
    if *owner != user && owner.parse() != Ok(uid) {
        return None;
    }
    range(host.trim().parse().ok()?, count.trim().parse().ok()?)
}

/// A range whose last id exists: the largest number is "no id" (`-1`).
fn range(host: u32, count: u32) -> Option<IdRange> {
    host.checked_add(count)?;
    Some(IdRange { container: 0, host, count })
}

fn spare(map: &str) -> Option<IdRange> {
    let lines: Vec<Vec<u32>> =
        map.lines().map(|l| l.split_whitespace().filter_map(|n| n.parse().ok()).collect()).collect();
    // All ids as they are: the machine's own namespace.
    if lines == [[0, 0, u32::MAX]] {
        return range(1_000_000, 1_000_000_000);
    }
    lines.iter().find_map(|line| {
        let [first, _, count] = line[..] else { return None };
        let end = first.checked_add(count)?;
        let start = first.max(100_000);
        let left = end.checked_sub(start)?;
        (left >= MIN_IDS).then(|| range(start, left)).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WHOLE: &str = "         0          0 4294967295\n";

    fn host<'a>(subuid: Option<&'a str>, subgid: Option<&'a str>, map: &'a str) -> HostIds<'a> {
        HostIds { subuid, subgid, uid_map: map, gid_map: map }
    }

    #[test]
    fn the_first_large_entry_of_the_user_counts() {
        let text = "# comment\nlxd:1:65536\nroot:500:10\nroot:100000:65536\nroot:200000:1000000\n";
        assert_eq!(
            daemon_map(&host(Some(text), Some(text), WHOLE), "root", 0),
            Some(IdMap::contiguous(100_000, 65536))
        );
        let by_number = "0:300000:65536\n";
        assert_eq!(
            daemon_map(&host(Some(by_number), Some(by_number), WHOLE), "root", 0),
            Some(IdMap::contiguous(300_000, 65536))
        );
    }

    #[test]
    fn no_entry_means_no_ids() {
        let text = "lxd:100000:65536\nroot:100000:65535\nroot:x:y\nroot:4294967295:65536\n";
        assert_eq!(daemon_map(&host(Some(text), Some(text), WHOLE), "root", 0), None);
        assert_eq!(daemon_map(&host(Some(""), Some("root:1:65536"), WHOLE), "root", 0), None);
    }

    #[test]
    fn without_files_the_namespace_decides() {
        let whole = Some(IdMap::contiguous(1_000_000, 1_000_000_000));
        assert_eq!(daemon_map(&host(None, None, WHOLE), "root", 0), whole);
        assert_eq!(daemon_map(&host(Some("root:1:65536"), None, WHOLE), "root", 0), whole);
        let nested = "0 1000000 300000\n";
        assert_eq!(
            daemon_map(&host(None, None, nested), "root", 0),
            Some(IdMap::contiguous(100_000, 200_000))
        );
        assert_eq!(daemon_map(&host(None, None, "0 1000000 165535\n"), "root", 0), None);
        assert_eq!(daemon_map(&host(None, None, ""), "root", 0), None);
        let high = "0 5 1000\n500000 700000 65536\n";
        assert_eq!(daemon_map(&host(None, None, high), "root", 0), Some(IdMap::contiguous(500_000, 65536)));
    }

    proptest! {
        #[test]
        fn never_panics(text in "[a-z0-9: \n]{0,60}") {
            let _ = daemon_map(&host(Some(&text), Some(&text), &text), "root", 0);
            let _ = daemon_map(&host(None, None, &text), "root", 0);
        }
    }
}
