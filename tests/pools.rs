//! Several storage pools: made, changed, missing and back; containers that are copied and moved between
//! them.

use testkit::{TestDaemon, daemon, eventually};

/// A pool on a directory of its own.
fn pool(d: &TestDaemon, name: &str) -> std::path::PathBuf {
    let source = d.scratch().join(name);
    d.lxc_ok(&["storage", "create", name, "dir", &format!("source={}", source.display())]);
    source
}

fn volume(d: &TestDaemon, pool: &str, path: &str) -> std::path::PathBuf {
    d.lxd_dir().join("storage-pools").join(pool).join(path)
}

/// What is inside a daemon's mounts is seen from there alone.
fn seen(d: &TestDaemon, pool: &str, path: &str) -> bool {
    let path = volume(d, pool, path);
    d.inside("test").arg("-e").arg(path).status().expect("test runs").success()
}

fn status(d: &TestDaemon, pool: &str) -> String {
    d.api().get(&format!("/1.0/storage-pools/{pool}")).metadata()["status"].as_str().unwrap().to_owned()
}

#[test]
fn pools_are_changed_and_removed() {
    let d = daemon!();
    let source = pool(&d, "p2");
    d.lxc_ok(&["storage", "set", "p2", "rsync.bwlimit", "10MB"]);
    d.lxc_ok(&["storage", "set", "p2", "user.color", "blue"]);
    assert_eq!(d.lxc_ok(&["storage", "get", "p2", "rsync.bwlimit"]), "10MB\n");
    d.lxc_ok(&["storage", "unset", "p2", "rsync.bwlimit"]);
    assert_eq!(d.lxc_ok(&["storage", "get", "p2", "rsync.bwlimit"]), "\n");
    let stays = d.lxc_fails(&["storage", "set", "p2", "source", "/elsewhere"]);
    assert!(stays.contains("The [source] properties cannot be changed for \"dir\" storage pools"), "{stays}");
    let other = d.lxc_fails(&["storage", "set", "p2", "zfs.pool_name", "x"]);
    assert!(other.contains("cannot be used with dir"), "{other}");
    let show = d.lxc_ok(&["storage", "show", "p2"]);
    assert!(show.contains("user.color: blue") && show.contains("volatile.initial_source:"), "{show}");

    let api = d.api();
    let first = api.get("/1.0/storage-pools/p2");
    let tag = first.header("etag").expect("a tag").to_owned();
    let body = br#"{"config": {"user.color": "red"}}"#;
    let stale = api.request("PATCH", "/1.0/storage-pools/p2", &[("If-Match", "nonsense")], body);
    assert_eq!(stale.status, 412);
    assert_eq!(api.request("PATCH", "/1.0/storage-pools/p2", &[("If-Match", &tag)], body).status, 200);
    assert_eq!(d.lxc_ok(&["storage", "get", "p2", "user.color"]), "red\n");

    d.lxc_ok(&["init", "busybox", "c1", "-s", "p2"]);
    assert!(d.lxc_fails(&["storage", "delete", "p2"]).contains("c1"));
    d.lxc_ok(&["delete", "c1"]);
    d.lxc_ok(&["storage", "delete", "p2"]);
    assert!(!source.join("containers").exists());
    d.lxc_ok(&["info"]);
}

#[test]
fn containers_are_copied_and_moved_between_pools() {
    let d = daemon!();
    pool(&d, "p2");
    d.lxc_ok(&["launch", "busybox", "c1"]);
    d.exec("c1", &["sh", "-c", "echo 1 > /root/v; ln /root/v /root/w; chown 1000:1000 /root/v"]);
    d.lxc_ok(&["snapshot", "c1", "one"]);
    d.exec("c1", &["sh", "-c", "echo 2 > /root/v"]);
    // Also while it runs.
    d.lxc_ok(&["copy", "c1", "c2", "-s", "p2"]);
    assert!(seen(&d, "p2", "containers/c2/rootfs") && seen(&d, "p2", "snapshots/c2/one/rootfs"));
    d.lxc_ok(&["start", "c2"]);
    assert_eq!(d.exec("c2", &["sh", "-c", "cat /root/v; stat -c %u:%h /root/v"]), "2\n1000:2\n");
    assert_eq!(d.exec("c1", &["cat", "/root/v"]), "2\n");

    assert!(d.lxc_fails(&["move", "c1", "-s", "p2"]).contains("running"));
    d.lxc_ok(&["stop", "--force", "c1"]);
    d.lxc_ok(&["move", "c1", "-s", "p2"]);
    assert!(!seen(&d, "default", "containers/c1") && !seen(&d, "default", "snapshots/c1"));
    assert_eq!(d.lxc_ok(&["query", "/1.0/containers/c1"]).matches("\"pool\": \"p2\"").count(), 2);
    d.lxc_ok(&["start", "c1"]);
    assert_eq!(d.exec("c1", &["cat", "/root/v"]), "2\n");
    d.lxc_ok(&["stop", "--force", "c1"]);
    d.lxc_ok(&["move", "c1", "c3", "-s", "default"]);
    d.lxc_ok(&["move", "c3", "c1", "--storage", "p2"]);
    // A snapshot from before is restored where the container is now.
    d.lxc_ok(&["restore", "c1", "one"]);
    d.lxc_ok(&["start", "c1"]);
    assert_eq!(d.exec("c1", &["cat", "/root/v"]), "1\n");
    assert!(seen(&d, "p2", "containers/c1/rootfs"));
    let size = d.lxc_fails(&["config", "device", "set", "c1", "root", "size", "1GB"]);
    assert!(size.contains("p2") && size.contains("no quota"), "{size}");
    d.lxc_ok(&["delete", "--force", "c1", "c2"]);
    d.lxc_ok(&["storage", "delete", "p2"]);
}

#[test]
fn a_crash_on_the_way_to_another_pool_leaves_one_whole_container() {
    let mut d = daemon!();
    pool(&d, "p2");
    d.lxc_ok(&["init", "busybox", "c1"]);
    d.lxc_ok(&["snapshot", "c1", "one"]);
    for step in ["repool:journal", "repool:copy", "repool:record", "repool:done"] {
        d.set_env("LIGHTERVISOR_CRASH_AT", Some(step));
        d.terminate();
        d.start_again();
        let (from, to) =
            if seen(&d, "default", "containers/c1") { ("default", "p2") } else { ("p2", "default") };
        assert!(!d.lxc(&["move", "c1", "-s", to]).status.success(), "{step}");
        d.wait_gone();
        d.set_env("LIGHTERVISOR_CRASH_AT", None);
        d.start_again();
        let config = d.lxc_ok(&["config", "show", "--expanded", "c1"]);
        let (here, gone) = if config.contains(&format!("pool: {to}")) { (to, from) } else { (from, to) };
        assert!(seen(&d, here, "containers/c1/rootfs") && seen(&d, here, "snapshots/c1/one"), "{step}");
        eventually("the other one is gone", || (!seen(&d, gone, "containers/c1")).then_some(()));
        d.lxc_ok(&["start", "c1"]);
        d.lxc_ok(&["stop", "--force", "c1"]);
        d.lxc_ok(&["restore", "c1", "one"]);
    }
}

#[test]
fn a_pool_that_is_gone_comes_back_with_what_it_is_on() {
    let mut d = daemon!();
    let source = pool(&d, "p2");
    d.lxc_ok(&["init", "busybox", "c2", "-s", "p2"]);
    d.terminate();
    d.cut_power();
    let at = volume(&d, "p2", "");
    assert!(d.inside("umount").arg(at).status().unwrap().success());
    let away = source.with_extension("away");
    std::fs::rename(&source, &away).unwrap();
    d.start_again();
    assert_eq!((status(&d, "p2"), status(&d, "default")), ("Unavailable".into(), "Created".into()));
    assert!(d.lxc_ok(&["storage", "list", "-f", "csv"]).contains(",UNAVAILABLE\n"));
    let info = d.lxc_ok(&["storage", "info", "p2"]);
    assert!(info.contains("status: Unavailable") && info.contains("reason: "), "{info}");
    let why = d.lxc_fails(&["start", "c2"]);
    assert!(why.contains("p2"), "{why}");
    d.lxc_ok(&["launch", "busybox", "c1"]);
    assert!(d.lxc_ok(&["list", "-c", "n", "--format", "csv"]).contains("c2"));
    std::fs::rename(&away, &source).unwrap();
    eventually("the pool is back", || (status(&d, "p2") == "Created").then_some(()));
    d.lxc_ok(&["start", "c2"]);
    assert_eq!(d.exec("c2", &["hostname"]), "c2\n");
}

/// Seeds of what can be done with a pool, on one that shares data between volumes.
#[test]
fn a_pool_on_btrfs_does_all_of_it() {
    if testkit::find_program("mkfs.btrfs").is_none() {
        testkit::skip!("mkfs.btrfs is not installed");
    }
    if !std::fs::read_to_string("/proc/filesystems").unwrap().contains("btrfs") {
        testkit::skip!("the kernel has no btrfs");
    }
    let d = daemon!();
    d.lxc_ok(&["storage", "create", "b", "btrfs", "size=1GB"]);
    d.lxc_ok(&["launch", "busybox", "c1", "-s", "b"]);
    d.exec("c1", &["sh", "-c", "echo 1 > /root/v; chown 1000:1000 /root/v"]);
    d.lxc_ok(&["snapshot", "c1", "one"]);
    d.exec("c1", &["sh", "-c", "echo 2 > /root/v"]);
    d.lxc_ok(&["snapshot", "c1", "two"]);
    d.lxc_ok(&["restore", "c1", "one"]);
    assert_eq!(d.exec("c1", &["sh", "-c", "cat /root/v; stat -c %u /root/v"]), "1\n1000\n");
    assert_eq!(d.lxc_ok(&["list", "-c", "S", "--format", "csv"]), "2\n");
    d.lxc_ok(&["config", "device", "set", "c1", "root", "size", "20MB"]);
    let full = ["sh", "-c", "dd if=/dev/zero of=/root/big bs=1M count=60 2>&1; sync; rm -f /root/big"];
    let said = d.exec("c1", &full);
    assert!(said.contains("uota exceeded") || said.contains("No space"), "{said}");
    d.lxc_ok(&["stop", "--force", "c1"]);
    d.lxc_ok(&["start", "c1"]);
    d.lxc_ok(&["copy", "c1", "c2"]);
    d.lxc_ok(&["copy", "c1", "c3", "-s", "default", "-d", "root,size="]);
    d.lxc_ok(&["delete", "--force", "c1"]);
    d.lxc_ok(&["move", "c2", "c4", "-s", "b"]);
    d.lxc_ok(&["start", "c3", "c4"]);
    assert_eq!(d.exec("c3", &["cat", "/root/v"]), "1\n");
    assert_eq!(d.exec("c4", &["cat", "/root/v"]), "1\n");
    let space: serde_json::Value = d.api().get("/1.0/storage-pools/b/resources").metadata();
    assert!(space["space"]["used"].as_u64() > Some(0), "{space}");
    d.lxc_ok(&["delete", "--force", "c3", "c4"]);
    d.lxc_ok(&["storage", "set", "b", "size", "1500MB"]);
    let grown: serde_json::Value = d.api().get("/1.0/storage-pools/b/resources").metadata();
    assert!(grown["space"]["total"].as_u64() > space["space"]["total"].as_u64(), "{grown}");
    d.lxc_ok(&["storage", "delete", "b"]);
}
