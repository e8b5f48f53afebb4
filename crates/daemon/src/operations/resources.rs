//! What an operation is about: kinds of objects and their URLs.

use std::collections::BTreeMap;

/// Kind of object to URLs.
pub(crate) type Resources = Option<BTreeMap<String, Vec<String>>>;

/// Containers, under the names that older and newer clients know.
pub(crate) fn containers(names: &[&str]) -> Resources {
    let urls = |kind: &str| names.iter().map(|name| format!("/1.0/{kind}/{name}")).collect::<Vec<_>>();
    Some(["containers", "instances"].into_iter().map(|kind| (kind.to_owned(), urls(kind))).collect())
}

/// One container.
pub(crate) fn container(name: &str) -> Resources {
    containers(&[name])
}

/// A custom storage volume, as LXD names it here: not by its URL.
pub(crate) fn volume(pool: &str, name: &str) -> Resources {
    let url = format!("/1.0/storage_volumes/{pool}/volumes/custom/{name}");
    Some(BTreeMap::from([("storage_volumes".to_owned(), vec![url])]))
}

/// One image.
pub(crate) fn image(fingerprint: &str) -> Resources {
    Some(BTreeMap::from([("images".to_owned(), vec![format!("/1.0/images/{fingerprint}")])]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_instances_too() {
        let resources = containers(&["c1", "c2"]).unwrap();
        assert_eq!(resources["containers"], ["/1.0/containers/c1", "/1.0/containers/c2"]);
        assert_eq!(resources["instances"], ["/1.0/instances/c1", "/1.0/instances/c2"]);
    }
}
