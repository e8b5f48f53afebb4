//! Storage volumes, as a user makes, shares, keeps and moves them, and what a crash leaves of them.

use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;
use testkit::{Api, TestDaemon, daemon, eventually, skip};

/// Where a volume's files are.
fn on_disk(d: &TestDaemon, pool: &str, volume: &str) -> PathBuf {
    d.lxd_dir().join("storage-pools").join(pool).join("custom").join(volume)
}

/// What a shell script inside says, errors included.
fn sh(d: &TestDaemon, container: &str, script: &str) -> String {
    let finished = d.lxc(&["exec", container, "--", "sh", "-c", script]);
    format!("{}{}", String::from_utf8_lossy(&finished.stdout), finished.errors())
}

fn url(pool: &str, volume: &str) -> String {
    format!("/1.0/storage-pools/{pool}/volumes/custom/{volume}")
}

fn object(d: &TestDaemon, pool: &str, volume: &str) -> Value {
    d.api().get(&url(pool, volume)).metadata()
}

#[test]
fn containers_with_the_same_ids_share_a_volume_and_others_do_not() {
    let mut d = daemon!();
    d.lxc_ok(&["storage", "create", "my-pool", "dir"]);
    d.lxc_ok(&["launch", "busybox", "xen1", "-s", "my-pool"]);
    let said = d.lxc_ok(&["storage", "volume", "create", "my-pool", "my-custom-volume"]);
    assert!(said.contains("Storage volume my-custom-volume created"), "{said}");
    let attach = ["storage", "volume", "attach", "my-pool", "my-custom-volume"];
    d.lxc_ok(&[&attach[..], &["xen1", "data", "/opt/my/data"]].concat());
    d.exec("xen1", &["sh", "-c", "echo one > /opt/my/data/one; chown 1000:1000 /opt/my/data/one"]);
    let file = on_disk(&d, "my-pool", "my-custom-volume").join("one");
    assert_eq!(file.metadata().unwrap().uid(), 1_001_000, "it belongs to the container's user");

    d.lxc_ok(&["launch", "busybox", "xen-isolated", "-c", "security.idmap.isolated=true"]);
    let said = d.lxc_fails(&[&attach[..], &["xen-isolated", "data", "/opt/my/data"]].concat());
    let word = "Idmaps of container xen-isolated and storage volume my-custom-volume are not identical";
    assert!(said.contains(word), "{said}");
    assert_eq!(d.lxc_ok(&["config", "device", "list", "xen-isolated"]), "", "nothing is kept of it");
    d.lxc_ok(&["config", "set", "xen-isolated", "security.idmap.isolated", "false"]);
    d.lxc_ok(&["stop", "--force", "xen-isolated"]);
    d.lxc_ok(&["move", "xen-isolated", "xen2"]);
    d.lxc_ok(&["start", "xen2"]);
    d.lxc_ok(&[&attach[..], &["xen2", "data", "/opt/my/data"]].concat());
    assert_eq!(d.exec("xen2", &["stat", "-c", "%u:%g", "/opt/my/data/one"]), "1000:1000\n");
    d.exec("xen2", &["sh", "-c", "echo two > /opt/my/data/two"]);
    assert_eq!(d.exec("xen1", &["cat", "/opt/my/data/two"]), "two\n");
    let users = object(&d, "my-pool", "my-custom-volume")["used_by"].clone();
    assert_eq!(users, json!(["/1.0/containers/xen1", "/1.0/containers/xen2"]));

    // A container that has other ids now does not start with it.
    d.lxc_ok(&["stop", "--force", "xen2"]);
    d.lxc_ok(&["config", "set", "xen2", "security.idmap.isolated", "true"]);
    let said = d.lxc_fails(&["start", "xen2"]);
    assert!(said.contains("Idmaps of container xen2 and storage volume"), "{said}");
    let word = "The storage volume is still in use by containers or profiles";
    for refused in [
        &["storage", "volume", "delete", "my-pool", "my-custom-volume"][..],
        &["storage", "volume", "rename", "my-pool", "my-custom-volume", "other"],
        &["storage", "volume", "move", "my-pool/my-custom-volume", "default/my-custom-volume"],
    ] {
        let said = d.lxc_fails(refused);
        assert!(said.contains(word) && said.contains("xen1"), "{said}");
    }
    // The next daemon knows who has it.
    d.terminate();
    d.start_again();
    d.lxc_ok(&["storage", "volume", "snapshot", "my-pool", "my-custom-volume", "s"]);
    let said = d.lxc_fails(&["storage", "volume", "restore", "my-pool", "my-custom-volume", "s"]);
    assert!(said.contains("xen1"), "{said}");

    d.lxc_ok(&["storage", "volume", "detach", "my-pool", "my-custom-volume", "xen1"]);
    assert!(sh(&d, "xen1", "ls /opt/my/data/one").contains("No such file"));
    // Alone with it, a container takes its files along to other ids.
    d.lxc_ok(&["start", "xen2"]);
    assert_eq!(d.exec("xen2", &["stat", "-c", "%u:%g", "/opt/my/data/one"]), "1000:1000\n");
    assert_ne!(file.metadata().unwrap().uid(), 1_001_000);
    d.lxc_ok(&["storage", "volume", "detach", "my-pool", "my-custom-volume", "xen2", "data"]);
    d.lxc_ok(&["storage", "volume", "delete", "my-pool", "my-custom-volume"]);
    eventually("no file remains", || (!on_disk(&d, "my-pool", "my-custom-volume").exists()).then_some(()));
}

#[test]
fn a_shifted_volume_is_for_containers_with_any_ids() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    d.lxc_ok(&["launch", "busybox", "c2", "-c", "security.idmap.isolated=true"]);
    d.lxc_ok(&["launch", "busybox", "c3", "-c", "security.privileged=true"]);
    d.lxc_ok(&["storage", "volume", "create", "default", "v"]);
    d.lxc_ok(&["storage", "volume", "attach", "default", "v", "c1", "/srv"]);
    d.exec("c1", &["sh", "-c", "echo 1 > /srv/a; chown 5:6 /srv/a"]);
    let set = ["storage", "volume", "set", "default", "v", "security.shifted", "true"];
    let said = d.lxc_fails(&set);
    assert!(said.contains("c1"), "its owners change: {said}");
    d.lxc_ok(&["storage", "volume", "detach", "default", "v", "c1"]);
    d.lxc_ok(&set);
    let attached = d.lxc(&["storage", "volume", "attach", "default", "v", "c1", "/srv"]);
    if attached.errors().contains("id-mapped mounts") {
        skip!("the file system of /tmp cannot map ids");
    }
    let _ = attached.expect_success();
    d.lxc_ok(&["storage", "volume", "attach", "default", "v", "c2", "/srv"]);
    d.lxc_ok(&["storage", "volume", "attach", "default", "v", "c3", "/srv"]);
    assert_eq!(on_disk(&d, "default", "v").join("a").metadata().unwrap().uid(), 5);
    for name in ["c1", "c2", "c3"] {
        assert_eq!(d.exec(name, &["stat", "-c", "%u:%g", "/srv/a"]), "5:6\n", "{name}");
        d.exec(
            name,
            &["sh", "-c", &format!("echo {name} >> /srv/a; touch /srv/{name}; chown 7:8 /srv/{name}")],
        );
        assert_eq!(d.exec("c1", &["stat", "-c", "%u:%g", &format!("/srv/{name}")]), "7:8\n", "{name}");
    }
    d.lxc_ok(&["restart", "--force", "c2"]);
    assert_eq!(d.exec("c2", &["cat", "/srv/a"]), "1\nc1\nc2\nc3\n");
    // What is set-uid for users of the host on disk is out of their reach.
    d.exec("c3", &["sh", "-c", "touch /srv/x; chmod 4755 /srv/x"]);
    let place = d.lxd_dir().join("storage-pools/default/custom");
    assert_eq!(place.metadata().unwrap().permissions().mode() & 0o7777, 0o700);
}

#[test]
fn snapshots_copies_and_other_pools() {
    let d = daemon!();
    d.lxc_ok(&["storage", "create", "second", "dir"]);
    d.lxc_ok(&["launch", "busybox", "c1"]);
    d.lxc_ok(&["storage", "volume", "create", "default", "v", "user.a=1"]);
    d.lxc_ok(&["storage", "volume", "attach", "default", "v", "c1", "/srv"]);
    let set = |value: &str| d.exec("c1", &["sh", "-c", &format!("echo {value} > /srv/v; chown 7:8 /srv/v")]);
    set("1");
    d.lxc_ok(&["storage", "volume", "snapshot", "default", "v"]);
    set("2");
    d.lxc_ok(&["storage", "volume", "snapshot", "default", "v", "named"]);
    set("3");
    let api = d.api();
    let list = api.get(&format!("{}/snapshots", url("default", "v"))).metadata();
    let of = |name: &str| format!("{}/snapshots/{name}", url("default", "v"));
    assert_eq!(list, json!([of("snap0"), of("named")]));
    assert!(d.lxc_fails(&["storage", "volume", "snapshot", "default", "v", "named"]).contains("named"));

    d.lxc_ok(&["storage", "volume", "copy", "default/v", "default/same"]);
    d.lxc_ok(&["storage", "volume", "copy", "default/v", "second/other"]);
    d.lxc_ok(&["storage", "volume", "copy", "default/v", "second/alone", "--volume-only"]);
    d.lxc_ok(&["storage", "volume", "copy", "default/v/snap0", "second/then"]);
    d.lxc_ok(&["storage", "volume", "detach", "default", "v", "c1"]);
    for (pool, name, value, snapshots) in [
        ("default", "same", "3\n", 2),
        ("second", "other", "3\n", 2),
        ("second", "alone", "3\n", 0),
        ("second", "then", "1\n", 0),
    ] {
        d.lxc_ok(&["storage", "volume", "attach", pool, name, "c1", "/srv"]);
        assert_eq!(d.exec("c1", &["cat", "/srv/v"]), value, "{name}");
        assert_eq!(d.exec("c1", &["stat", "-c", "%u:%g", "/srv/v"]), "7:8\n", "{name}");
        d.lxc_ok(&["storage", "volume", "detach", pool, name, "c1"]);
        assert_eq!(object(&d, pool, name)["config"]["user.a"], "1", "{name}");
        let list = api.get(&format!("{}/snapshots", url(pool, name))).metadata();
        assert_eq!(list.as_array().unwrap().len(), snapshots, "{name}");
    }
    d.lxc_ok(&["storage", "volume", "restore", "default", "v", "snap0"]);
    d.lxc_ok(&["storage", "volume", "attach", "default", "v", "c1", "/srv"]);
    assert_eq!(d.exec("c1", &["cat", "/srv/v"]), "1\n");
    d.lxc_ok(&["storage", "volume", "detach", "default", "v", "c1"]);

    d.lxc_ok(&["storage", "volume", "move", "default/v", "second/moved"]);
    assert_eq!(api.get(&url("default", "v")).status, 404);
    assert!(!on_disk(&d, "default", "v").exists());
    d.lxc_ok(&["storage", "volume", "rename", "second", "moved", "again"]);
    d.lxc_ok(&["storage", "volume", "rename", "second", "again/named", "again/renamed"]);
    d.lxc_ok(&["storage", "volume", "restore", "second", "again", "renamed"]);
    d.lxc_ok(&["storage", "volume", "attach", "second", "again", "c1", "/srv"]);
    assert_eq!(d.exec("c1", &["cat", "/srv/v"]), "2\n");
    d.lxc_ok(&["storage", "volume", "detach", "second", "again", "c1"]);
    d.lxc_ok(&["storage", "volume", "delete", "second", "again/snap0"]);
    assert_eq!(api.get(&format!("{}/snapshots/snap0", url("second", "again"))).status, 404);
    for name in ["again", "other", "alone", "then"] {
        d.lxc_ok(&["storage", "volume", "delete", "second", name]);
    }
    d.lxc_ok(&["storage", "delete", "second"]);
}

#[test]
fn a_profile_gives_all_its_containers_a_volume() {
    let d = daemon!();
    d.lxc_ok(&["storage", "volume", "create", "default", "v"]);
    d.lxc_ok(&["launch", "busybox", "c1"]);
    d.lxc_ok(&["launch", "busybox", "c2"]);
    d.lxc_ok(&["storage", "volume", "attach-profile", "default", "v", "default", "data", "/srv/data"]);
    d.exec("c1", &["touch", "/srv/data/here"]);
    d.exec("c2", &["rm", "/srv/data/here"]);
    let users = object(&d, "default", "v")["used_by"].clone();
    assert_eq!(users, json!(["/1.0/containers/c1", "/1.0/containers/c2", "/1.0/profiles/default"]));
    assert!(d.lxc_fails(&["storage", "volume", "delete", "default", "v"]).contains("still in use"));
    d.lxc_ok(&["storage", "volume", "detach-profile", "default", "v", "default"]);
    d.lxc_ok(&["storage", "volume", "delete", "default", "v"]);
    let add = ["config", "device", "add", "c1", "x", "disk", "pool=default", "source=gone", "path=/x"];
    assert!(d.lxc_fails(&add).contains("gone"));
    d.lxc_ok(&[&add[..], &["optional=true"]].concat());
    assert!(
        d.lxc_fails(&[
            "config",
            "device",
            "add",
            "c1",
            "y",
            "disk",
            "pool=default",
            "source=v",
            "path=/y",
            "shift=true"
        ])
        .contains("security.shifted")
    );
    // What is gone already keeps nobody from changing the rest.
    d.lxc_ok(&["storage", "volume", "create", "default", "gone"]);
    d.lxc_ok(&["config", "device", "unset", "c1", "x", "optional"]);
    d.exec("c1", &["touch", "/x/here"]);
}

#[test]
fn the_api_is_as_written_down() {
    let d = daemon!();
    let api = d.api();
    let list = "/1.0/storage-pools/default/volumes";
    let mut events = d.events("lifecycle,operation");
    let made = api.send("POST", &format!("{list}/custom"), &json!({"name": "v", "config": null}));
    assert_eq!((made.status, made.header("location")), (201, Some(url("default", "v").as_str())));
    let created = |event: &Value| event["metadata"]["action"] == "storage-volume-created";
    let told = events.until("it is told", created);
    assert_eq!(told.last().unwrap()["metadata"]["source"], url("default", "v"));
    let again = api.send("POST", list, &json!({"name": "v", "type": "custom"}));
    assert_eq!(again.status, 409, "{}", again.error());
    for (wrong, word) in [
        (json!({"name": "c", "type": "container"}), "container"),
        (json!({"name": "a/b", "type": "custom"}), "a/b"),
        (json!({"type": "custom"}), "name"),
        (json!({"name": "b", "type": "custom", "content_type": "block"}), "block"),
        (json!({"name": "b", "type": "custom", "config": {"no.such": "1"}}), "no.such"),
        (json!({"name": "b", "type": "custom", "source": {"type": "migration", "name": "x"}}), "migration"),
    ] {
        let refused = api.send("POST", list, &wrong);
        assert!(refused.status == 400 && refused.error().contains(word), "{wrong}: {}", refused.error());
    }
    assert_eq!(
        api.send("POST", list, &json!({"name": "b", "source": {"type": "copy", "name": "no"}})).status,
        404
    );
    assert_eq!(api.get("/1.0/storage-pools/no/volumes").status, 404);
    assert_eq!(api.get(&format!("{list}/teapots")).status, 400);

    let one = api.get(&url("default", "v"));
    let etag = one.header("etag").expect("a tag").to_owned();
    let volume = one.metadata();
    assert_eq!(
        (&volume["type"], &volume["location"], &volume["name"]),
        (&json!("custom"), &json!("none"), &json!("v"))
    );
    assert_eq!(volume["used_by"], json!([]));
    let put = json!({"config": {"user.k": "v"}, "description": "mine"}).to_string();
    let headers = [("Content-Type", "application/json"), ("If-Match", etag.as_str())];
    assert_eq!(api.request("PUT", &url("default", "v"), &headers, put.as_bytes()).status, 200);
    assert_eq!(api.request("PUT", &url("default", "v"), &headers, put.as_bytes()).status, 412);
    assert_eq!(api.send("PATCH", &url("default", "v"), &json!({"config": {"user.l": "w"}})).status, 200);
    let volume = object(&d, "default", "v");
    assert_eq!(
        (&volume["config"], &volume["description"]),
        (&json!({"user.k": "v", "user.l": "w"}), &json!("mine"))
    );

    d.lxc_ok(&["init", "busybox", "c1"]);
    d.lxc_ok(&["snapshot", "c1", "s"]);
    let all = api.get(list).metadata();
    let all: Vec<&str> = all.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(
        all[..3],
        [
            format!("{list}/containers/c1").as_str(),
            format!("{list}/containers/c1/snapshots/s").as_str(),
            format!("{list}/custom/v").as_str(),
        ]
    );
    assert!(all[3].starts_with(&format!("{list}/images/")), "{all:?}");
    for path in [all[0], all[2], all[3]] {
        let plain = path.replace("/containers/", "/container/").replace("/images/", "/image/");
        for path in [path, plain.as_str()] {
            assert_eq!(api.get(path).status, 200, "{path}");
            let usage = api.get(&format!("{path}/state")).metadata()["usage"]["used"].clone();
            assert!(usage.is_u64(), "{path}: {usage}");
        }
    }
    let container = api.get(&format!("{list}/container/c1")).metadata();
    assert_eq!(
        (&container["type"], &container["used_by"]),
        (&json!("container"), &json!(["/1.0/containers/c1"]))
    );
    assert_eq!(api.delete(&format!("{list}/container/c1")).status, 400);
    assert_eq!(api.delete(all[3]).status, 200, "an image is unpacked again");
    d.lxc_ok(&["init", "busybox", "c2"]);
    assert_eq!(api.delete(&url("default", "v")).status, 200);
    assert_eq!(api.delete(&url("default", "v")).status, 404);
}

/// What is done to volumes as requests. A daemon that dies leaves one of them unanswered.
fn live(api: &Api) -> std::io::Result<()> {
    let v = url("default", "v");
    request(api, "POST", "/1.0/storage-pools/default/volumes/custom", &json!({"name": "v"}))?;
    let devices =
        json!({"devices": {"data": {"type": "disk", "pool": "default", "source": "v", "path": "/srv"}}});
    request(api, "PATCH", "/1.0/containers/c1", &devices)?;
    request(api, "POST", &format!("{v}/snapshots"), &json!({"name": "s"}))?;
    request(api, "POST", &format!("{v}/snapshots/s"), &json!({"name": "t"}))?;
    let copy = json!({"name": "w", "source": {"type": "copy", "name": "v", "pool": "default"}});
    request(api, "POST", "/1.0/storage-pools/default/volumes/custom", &copy)?;
    let none = json!({"devices": {"data": {"type": "none"}}});
    request(api, "PATCH", "/1.0/containers/c1", &none)?;
    request(api, "PUT", &v, &json!({"restore": "t"}))?;
    request(api, "POST", &v, &json!({"name": "u"}))?;
    request(api, "POST", &url("default", "u"), &json!({"name": "x", "pool": "second"}))?;
    request(api, "DELETE", &format!("{}/snapshots/t", url("second", "x")), &json!({}))?;
    request(api, "DELETE", &url("second", "x"), &json!({}))?;
    request(api, "DELETE", &url("default", "w"), &json!({}))
}

fn request(api: &Api, method: &str, path: &str, body: &Value) -> std::io::Result<()> {
    let json = [("Content-Type", "application/json")];
    let response = api.try_request(method, path, &json, body.to_string().as_bytes())?;
    assert!(response.status < 300, "{method} {path}: {}", String::from_utf8_lossy(&response.body));
    let answer = response.json();
    if let Some(operation) = answer["operation"].as_str().filter(|url| !url.is_empty()) {
        let ended = api.try_request("GET", &format!("{operation}/wait?timeout=60"), &[], &[])?.metadata();
        assert_eq!(ended["status"], "Success", "{method} {path}: {ended}");
    }
    Ok(())
}

/// Volumes and snapshots that a pool has on disk.
fn traces(d: &TestDaemon) -> Vec<String> {
    let mut found = Vec::new();
    for pool in ["default", "second"] {
        let pool = d.lxd_dir().join("storage-pools").join(pool);
        for place in ["custom", "custom-snapshots", "snapshots"] {
            let entries = std::fs::read_dir(pool.join(place)).into_iter().flatten().flatten();
            found.extend(entries.map(|entry| entry.path().display().to_string()));
        }
    }
    found
}

#[test]
fn crash_at_every_step() {
    let list = tempfile::NamedTempFile::new().expect("a temporary file");
    let builder = TestDaemon::builder().env("LIGHTERVISOR_STEPS", &list.path().to_string_lossy());
    let mut d = daemon!(builder);
    d.lxc_ok(&["storage", "create", "second", "dir"]);
    d.lxc_ok(&["launch", "busybox", "c1"]);
    live(&d.api()).expect("nothing crashes yet");
    let steps: BTreeSet<String> =
        std::fs::read_to_string(list.path()).expect("the list").lines().map(str::to_owned).collect();
    let verbs = [
        "create",
        "snapshot",
        "resnapshot",
        "copy",
        "restore",
        "rename",
        "move",
        "unsnapshot",
        "delete",
        "attach",
    ];
    if steps.is_empty() {
        skip!("the daemon names no steps: it is no debug build");
    }
    for verb in verbs {
        let verb = format!("volume-{verb}:");
        assert!(steps.iter().any(|step| step.starts_with(&verb)), "no step of {verb} in {steps:?}");
    }
    d.set_env("LIGHTERVISOR_STEPS", None);
    for step in steps.iter().filter(|step| step.starts_with("volume-")) {
        d.set_env("LIGHTERVISOR_CRASH_AT", Some(step));
        d.terminate();
        d.start_again();
        assert!(live(&d.api()).is_err(), "the daemon did not crash at {step}");
        d.wait_gone();
        d.set_env("LIGHTERVISOR_CRASH_AT", None);
        d.start_again();
        recovered(&d, step);
        eventually(&format!("no trace after the crash at {step}: {:?}", traces(&d)), || {
            traces(&d).is_empty().then_some(())
        });
    }
}

/// After a crash every volume is whole or absent, and its name can be used.
fn recovered(d: &TestDaemon, step: &str) {
    let api = d.api();
    request(&api, "PATCH", "/1.0/containers/c1", &json!({"devices": {"data": {"type": "none"}}})).unwrap();
    for pool in ["default", "second"] {
        let list = api.get(&format!("/1.0/storage-pools/{pool}/volumes/custom?recursion=1")).metadata();
        for volume in list.as_array().unwrap() {
            let name = volume["name"].as_str().unwrap();
            let (name, snapshot) = name.split_once('/').unwrap_or((name, ""));
            if snapshot.is_empty() {
                assert!(on_disk(d, pool, name).is_dir(), "{step}: {volume}");
            } else {
                let restored = api.send("PUT", &url(pool, name), &json!({"restore": snapshot}));
                assert_eq!(restored.status, 200, "{step}: {}", restored.error());
            }
            d.lxc_ok(&["storage", "volume", "attach", pool, name, "c1", "look", "/look"]);
            assert_eq!(d.exec("c1", &["stat", "-c", "%u:%g", "/look"]), "0:0\n", "{step}");
            d.lxc_ok(&["storage", "volume", "detach", pool, name, "c1", "look"]);
        }
        for volume in list.as_array().unwrap() {
            let name = volume["name"].as_str().unwrap();
            if !name.contains('/') {
                request(&api, "DELETE", &url(pool, name), &json!({})).unwrap();
            }
        }
    }
    live(&api).unwrap();
}

#[test]
fn a_volume_on_btrfs_has_a_size_and_follows_it_live() {
    let mut d = daemon!();
    let made = d.lxc(&["storage", "create", "my-btrfs", "btrfs", "size=1GB"]);
    if !made.status.success() {
        skip!("no btrfs pool here: {}", made.errors().trim());
    }
    d.lxc_ok(&["launch", "busybox", "xen1", "-s", "my-btrfs"]);
    d.lxc_ok(&["storage", "volume", "create", "my-btrfs", "my-custom-volume"]);
    d.lxc_ok(&[
        "storage",
        "volume",
        "attach",
        "my-btrfs",
        "my-custom-volume",
        "xen1",
        "data",
        "/opt/my/data",
    ]);
    d.lxc_ok(&["storage", "volume", "set", "my-btrfs", "my-custom-volume", "size", "20MB"]);
    let write = |megabytes: u32| {
        let file = format!("dd if=/dev/urandom of=/opt/my/data/f bs=1M count={megabytes} && sync");
        sh(&d, "xen1", &file)
    };
    assert!(!write(5).contains("exceeded"));
    let full = write(40);
    assert!(full.contains("quota exceeded") || full.contains("No space left"), "{full}");
    d.lxc_ok(&["storage", "volume", "set", "my-btrfs", "my-custom-volume", "size", "100MB"]);
    let fits = write(40);
    assert!(!fits.contains("exceeded") && !fits.contains("No space"), "{fits}");
    let usage =
        d.api().get(&format!("{}/state", url("my-btrfs", "my-custom-volume"))).metadata()["usage"].clone();
    assert_eq!(usage["total"], 100_000_000, "{usage}");
    assert!(usage["used"].as_u64().unwrap() >= 40 << 20, "{usage}");
    d.exec("xen1", &["sh", "-c", "rm /opt/my/data/f; echo kept > /opt/my/data/v"]);
    d.lxc_ok(&["storage", "volume", "snapshot", "my-btrfs", "my-custom-volume"]);
    d.exec("xen1", &["sh", "-c", "echo lost > /opt/my/data/v"]);
    d.terminate();
    d.start_again();
    let restore = ["storage", "volume", "restore", "my-btrfs", "my-custom-volume", "snap0"];
    assert!(d.lxc_fails(&restore).contains("xen1"));
    d.lxc_ok(&["stop", "--force", "xen1"]);
    d.lxc_ok(&restore);
    d.lxc_ok(&["start", "xen1"]);
    assert_eq!(d.exec("xen1", &["cat", "/opt/my/data/v"]), "kept\n");
    d.lxc_ok(&["storage", "volume", "detach", "my-btrfs", "my-custom-volume", "xen1"]);
    d.lxc_ok(&["storage", "volume", "unset", "my-btrfs", "my-custom-volume", "size"]);
    d.lxc_ok(&["storage", "volume", "move", "my-btrfs/my-custom-volume", "default/my-custom-volume"]);
    d.lxc_ok(&["storage", "volume", "attach", "default", "my-custom-volume", "xen1", "/srv"]);
    assert_eq!(d.exec("xen1", &["cat", "/srv/v"]), "kept\n");
    d.lxc_ok(&["delete", "--force", "xen1"]);
    d.lxc_ok(&["storage", "delete", "my-btrfs"]);
}
