//! Newer versions of images take the place of older ones: when somebody asks, and by themselves.

use crate::images_store::database;
use serde_json::{Value, json};
use testkit::{Product, StreamsTree, TestDaemon, daemon, eventually, or_skip};

fn source(server: &str, alias: &str) -> Value {
    json!({"type": "image", "mode": "pull", "server": server, "protocol": "simplestreams", "alias": alias})
}

/// Has an image kept up to date, as `lxc image copy --auto-update --public` does.
fn keep(d: &TestDaemon, server: &str, alias: &str, name: &str) {
    let post = json!({"source": source(server, alias), "auto_update": true, "public": true, "aliases": [{"name": name}]});
    let ended = d.api().operation("POST", "/1.0/images", &post);
    assert_eq!(ended["status"], "Success", "{ended}");
}

/// Makes a container, for which the image is cached.
fn make(d: &TestDaemon, name: &str, server: &str, alias: &str) {
    let ended =
        d.api().operation("POST", "/1.0/containers", &json!({"name": name, "source": source(server, alias)}));
    assert_eq!(ended["status"], "Success", "{ended}");
}

fn image(d: &TestDaemon, fingerprint: &str) -> Option<Value> {
    let answer = d.api().get(&format!("/1.0/images/{fingerprint}"));
    (answer.status == 200).then(|| answer.metadata())
}

/// Neither row, nor files, nor volume.
fn is_gone(d: &TestDaemon, fingerprint: &str) -> bool {
    let places = ["images", "storage-pools/default/images"];
    image(d, fingerprint).is_none()
        && !places.iter().any(|place| d.lxd_dir().join(place).join(fingerprint).exists())
}

#[test]
fn when_somebody_asks() {
    let d = daemon!();
    let mut tree = or_skip!(StreamsTree::new(&d.scratch().join("www")));
    let old = tree.add(&Product::XENIAL, "20160421");
    let web = d.web(tree.path(), 0);
    keep(&d, web.url(), "16.04", "mine");
    d.lxc_ok(&["image", "alias", "create", "second", &old, "--description", "mine too"]);
    d.lxc_ok(&["init", "mine", "c1"]);
    assert_eq!(d.lxc_ok(&["image", "refresh", "mine"]), "Image already up to date.\n");
    let new = tree.add(&Product::XENIAL, "20160501");
    assert_eq!(d.lxc_ok(&["image", "refresh", "mine"]), "Image refreshed successfully!\n");
    eventually("the old image is gone", || is_gone(&d, &old).then_some(()));
    let aliases = d.lxc_ok(&["image", "alias", "list", "--format", "csv"]);
    for line in [format!("mine,{},", &new[..12]), format!("second,{},mine too", &new[..12])] {
        assert!(aliases.contains(&line), "no {line:?} in {aliases}");
    }
    let image = image(&d, &new).expect("the new image");
    assert_eq!(
        (&image["public"], &image["auto_update"], &image["cached"], &image["properties"]["serial"]),
        (&json!(true), &json!(true), &json!(false), &json!("20160501"))
    );
    // What was made of the old one does not need it, and the new one works.
    d.lxc_ok(&["start", "c1"]);
    d.lxc_ok(&["launch", "second", "c2"]);
    let refused = d.lxc_fails(&["image", "refresh", "busybox"]);
    assert!(refused.contains("busybox"), "{refused}");
    // All are tried, and a server that is down is said to be.
    drop(web);
    let refused = d.lxc_fails(&["image", "refresh", "busybox", "mine", "nothing"]);
    for name in ["busybox: error: ", "mine: error: ", "nothing: error: ", "Some images failed to refresh"] {
        assert!(refused.contains(name), "no {name:?} in {refused}");
    }
    assert!(!is_gone(&d, &new));
}

#[test]
fn by_themselves() {
    let mut d = daemon!(TestDaemon::builder().without_image());
    let mut tree = or_skip!(StreamsTree::new(&d.scratch().join("www")));
    let kept = tree.add(&Product::XENIAL, "20160421");
    let cached = tree.add(&Product::TRUSTY, "20160314");
    let lost = tree.add(&Product::DEBIAN, "20240101_05:24");
    let web = d.web(tree.path(), 0);
    keep(&d, web.url(), "16.04", "mine");
    make(&d, "c1", web.url(), "14.04");
    keep(&d, web.url(), "debian/12", "lost");
    let used = image(&d, &cached).expect("the cached image")["last_used_at"].clone();
    let newer = (tree.add(&Product::XENIAL, "20160501"), tree.add(&Product::TRUSTY, "20160401"));
    // Cached ones are left alone on request; the server of one image is no more.
    d.lxc_ok(&["config", "set", "images.auto_update_cached", "false"]);
    d.terminate();
    let set = "UPDATE images SET source = json_set(source, '$.server', 'http://127.0.0.1:9') WHERE fingerprint = ?1";
    assert_eq!(database(&d).execute(set, [&lost]).unwrap(), 1);
    d.start_again();
    eventually("the kept image is renewed at the start", || is_gone(&d, &kept).then_some(()));
    eventually("the failure is logged", || d.log().contains("cannot look for a newer image").then_some(()));
    let target = d.api().get("/1.0/images/aliases/mine").metadata()["target"].clone();
    assert_eq!(target, newer.0);
    assert!(image(&d, &lost).is_some() && image(&d, &cached).is_some() && image(&d, &newer.1).is_none());

    // A change of the interval looks again, and cached ones are renewed too by default.
    d.lxc_ok(&["config", "unset", "images.auto_update_cached"]);
    d.lxc_ok(&["config", "set", "images.auto_update_interval", "24"]);
    eventually("the cached image is renewed", || is_gone(&d, &cached).then_some(()));
    let image = image(&d, &newer.1).expect("the newer cached image");
    assert_eq!((&image["cached"], &image["last_used_at"]), (&json!(true), &used));
    d.lxc_ok(&["start", "c1"]);
}

#[test]
fn an_interruption_leaves_one_of_them() {
    let mut d = daemon!(TestDaemon::builder().without_image());
    let mut tree = or_skip!(StreamsTree::new(&d.scratch().join("www")));
    let old = tree.add(&Product::XENIAL, "20160421");
    let web = d.web(tree.path(), 0);
    keep(&d, web.url(), "16.04", "mine");
    make(&d, "c1", web.url(), "16.04");
    d.lxc_ok(&["config", "set", "images.auto_update_interval", "0"]);
    let new = tree.add(&Product::XENIAL, "20160501");
    d.terminate();
    d.set_env("LIGHTERVISOR_CRASH_AT", Some("image-refresh:files"));
    d.start_again();
    d.lxc_fails(&["image", "refresh", "mine"]);
    d.wait_gone();
    d.set_env("LIGHTERVISOR_CRASH_AT", None);
    d.start_again();
    eventually("the old image is gone", || is_gone(&d, &old).then_some(()));
    assert_eq!(d.api().get("/1.0/images/aliases/mine").metadata()["target"], new);
    d.lxc_ok(&["start", "c1"]);
}
