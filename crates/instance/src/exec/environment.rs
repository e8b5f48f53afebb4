//! The environment of a program that is run in a container.

use std::collections::BTreeMap;

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// `KEY=value` lines: the container's `environment.*` keys, over them what the client sent, and
/// defaults for what is missing. `snap`: the container has `/snap`.
pub(super) fn compose(
    container: &BTreeMap<String, String>,
    request: &BTreeMap<String, String>,
    uid: u32,
    snap: bool,
) -> BTreeMap<String, String> {
    let path = if snap { format!("{PATH}:/snap/bin") } else { PATH.to_owned() };
    let mut all = BTreeMap::from([
        ("PATH".to_owned(), path),
        ("LANG".to_owned(), "C.UTF-8".to_owned()),
        ("container".to_owned(), "lxc".to_owned()),
    ]);
    if uid == 0 {
        all.insert("HOME".to_owned(), "/root".to_owned());
        all.insert("USER".to_owned(), "root".to_owned());
    }
    all.extend(container.clone());
    all.extend(request.clone());
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn the_request_wins_over_the_container_and_both_over_defaults() {
        let all = compose(&map(&[("A", "1"), ("LANG", "C")]), &map(&[("A", "2")]), 0, false);
        assert_eq!((all["A"].as_str(), all["LANG"].as_str(), all["HOME"].as_str()), ("2", "C", "/root"));
        assert!(!all["PATH"].contains("snap"));
    }

    #[test]
    fn another_user_is_not_given_roots_home() {
        let all = compose(&map(&[]), &map(&[]), 1000, true);
        assert!(!all.contains_key("HOME") && !all.contains_key("USER"));
        assert!(all["PATH"].ends_with(":/snap/bin"));
    }
}
