//! Snapshots and copies, as a user makes them, and what a crash leaves of them.

use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use testkit::{Api, TestDaemon, daemon, eventually, eventually_within, run};

/// What the file `/root/v` of a container or snapshot says, on disk.
fn value_on_disk(d: &TestDaemon, volume: &str) -> String {
    let path = d.lxd_dir().join("storage-pools/default").join(volume).join("rootfs/root/v");
    std::fs::read_to_string(&path).unwrap_or_else(|error| format!("{}: {error}", path.display()))
}

/// Gives a running container a value, in a file and in its configuration.
fn set(d: &TestDaemon, container: &str, value: &str) {
    d.exec(container, &["sh", "-c", &format!("echo {value} > /root/v")]);
    d.lxc_ok(&["config", "set", container, "user.v", value]);
}

/// Its value in both; panics when they differ.
#[track_caller]
fn value(d: &TestDaemon, container: &str) -> String {
    let file = value_on_disk(d, &format!("containers/{container}"));
    assert_eq!(d.lxc_ok(&["config", "get", container, "user.v"]).trim(), file.trim());
    file.trim().to_owned()
}

fn snapshots(d: &TestDaemon, container: &str) -> Vec<String> {
    let list = d.api().get(&format!("/1.0/containers/{container}/snapshots?recursion=1")).metadata();
    let name = |snapshot: &Value| snapshot["name"].as_str().unwrap_or_default().to_owned();
    list.as_array().expect("a list").iter().map(name).collect()
}

#[test]
fn a_container_goes_back_to_what_it_was() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    set(&d, "c1", "1");
    d.exec("c1", &["sh", "-c", "chown 1000:1000 /root/v; ln /root/v /root/w; mknod /root/p p"]);
    d.lxc_ok(&["snapshot", "c1", "first"]);
    set(&d, "c1", "2");
    d.exec("c1", &["touch", "/root/new"]);
    d.lxc_ok(&["snapshot", "c1"]);
    d.lxc_ok(&["snapshot", "c1"]);
    assert_eq!(snapshots(&d, "c1"), ["c1/first", "c1/snap0", "c1/snap1"]);
    assert_eq!(d.lxc_ok(&["list", "-c", "nS", "--format", "csv"]), "c1,3\n");
    let info = d.lxc_ok(&["info", "c1"]);
    assert!(info.contains("Snapshots:\n  first (taken at ") && info.contains("(stateless)"), "{info}");

    let before = d.init_pid("c1");
    d.lxc_ok(&["restore", "c1", "first"]);
    assert_eq!(d.status("c1"), "Running");
    assert_ne!(d.init_pid("c1"), before, "it was started again");
    assert_eq!(value(&d, "c1"), "1");
    let files = d.exec("c1", &["sh", "-c", "stat -c %u:%h /root/v; test -p /root/p && test ! -e /root/new"]);
    assert_eq!(files, "1000:2\n");

    d.lxc_ok(&["stop", "--force", "c1"]);
    d.lxc_ok(&["restore", "c1", "snap0"]);
    assert_eq!((d.status("c1").as_str(), value(&d, "c1").as_str()), ("Stopped", "2"));
    assert_eq!(snapshots(&d, "c1").len(), 3, "snapshots stay");
    d.lxc_ok(&["start", "c1"]);
    assert_eq!(d.exec("c1", &["hostname"]), "c1\n");

    d.lxc_ok(&["move", "c1/first", "c1/renamed"]);
    d.lxc_ok(&["rename", "c1/snap1", "c1/with blanks"]);
    assert_eq!(snapshots(&d, "c1"), ["c1/renamed", "c1/snap0", "c1/with blanks"]);
    assert_eq!(value_on_disk(&d, "snapshots/c1/renamed"), "1\n");
    let shown = d.lxc_ok(&["config", "show", "c1/renamed"]);
    assert!(shown.contains("user.v: \"1\"") && shown.contains("name: c1/renamed"), "{shown}");
    assert!(d.lxc_ok(&["config", "show", "c1/renamed", "--expanded"]).contains("path: /"));
    d.lxc_ok(&["delete", "c1/with blanks", "c1/snap0"]);
    d.lxc_ok(&["snapshot", "c1", "renamed", "--reuse"]);
    assert_eq!(value_on_disk(&d, "snapshots/c1/renamed"), "2\n");

    d.lxc_ok(&["stop", "--force", "c1"]);
    d.lxc_ok(&["move", "c1", "c2"]);
    assert_eq!(snapshots(&d, "c2"), ["c2/renamed"]);
    assert_eq!(value_on_disk(&d, "snapshots/c2/renamed"), "2\n");
    assert!(d.lxd_dir().join("snapshots/c2/renamed/rootfs").is_dir());
    d.lxc_ok(&["restore", "c2", "renamed"]);
    d.lxc_ok(&["delete", "c2"]);
    eventually("nothing remains", || {
        let left = |part: &str| std::fs::read_dir(d.lxd_dir().join(part)).unwrap().count();
        (left("storage-pools/default/snapshots") + left("snapshots") == 0).then_some(())
    });
}

#[test]
fn copies_are_containers_of_their_own() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1", "-c", "user.k=v", "-c", "boot.autostart=false"]);
    set(&d, "c1", "1");
    d.lxc_ok(&["snapshot", "c1", "s1"]);
    set(&d, "c1", "2");
    d.lxc_ok(&["copy", "c1", "whole"]);
    d.lxc_ok(&["copy", "c1", "alone", "--instance-only"]);
    d.lxc_ok(&["copy", "c1", "lone", "--container-only"]);
    d.lxc_ok(&["copy", "c1/s1", "then"]);
    assert_eq!(d.status("c1"), "Running", "it goes on");
    assert_eq!(snapshots(&d, "whole"), ["whole/s1"]);
    for (name, expected) in [("whole", "2"), ("alone", "2"), ("lone", "2"), ("then", "1")] {
        assert_eq!(value(&d, name), expected, "{name}");
        assert_eq!(snapshots(&d, name).len(), usize::from(name == "whole"), "{name}");
    }
    let object = |path: &str| d.api().get(&format!("/1.0/containers/{path}")).metadata();
    let (original, copy) = (object("c1"), object("then"));
    assert_ne!(original["config"]["volatile.eth0.hwaddr"], copy["config"]["volatile.eth0.hwaddr"]);
    assert_eq!(copy["config"]["user.k"], "v");
    assert_eq!(copy["config"]["volatile.base_image"], original["config"]["volatile.base_image"]);
    assert_eq!(copy["config"]["volatile.apply_template"], "copy");
    let of_image = |config: &Value| {
        let keys = config.as_object().unwrap().iter().filter(|(key, _)| key.starts_with("image."));
        keys.map(|(key, value)| (key.clone(), value.clone())).collect::<Vec<_>>()
    };
    assert!(!of_image(&copy["config"]).is_empty());
    assert_eq!(of_image(&copy["config"]), of_image(&original["config"]));
    let snapshot = object("whole/snapshots/s1");
    assert!(snapshot["config"].get("volatile.eth0.hwaddr").is_none(), "{snapshot}");
    assert_eq!(snapshot["created_at"], object("c1/snapshots/s1")["created_at"]);
    for name in ["whole", "then"] {
        d.lxc_ok(&["start", name]);
        assert_eq!(d.exec(name, &["hostname"]), format!("{name}\n"));
    }
    d.lxc_ok(&["restore", "whole", "s1"]);
    assert_eq!(value(&d, "whole"), "1");
    d.lxc_ok(&["delete", "--force", "c1"]);
    d.lxc_ok(&["restore", "whole", "s1"]);
    let made_up = d.lxc_ok(&["copy", "whole/s1"]);
    assert!(made_up.contains("Container name is: "), "{made_up}");
}

#[test]
fn the_api_is_as_written_down() {
    let d = daemon!();
    let api = d.api();
    d.lxc_ok(&["init", "busybox", "c1"]);
    let mut events = d.events("lifecycle,operation");
    let made =
        api.send("POST", "/1.0/containers/c1/snapshots", &json!({"name": "my-snapshot", "expires_at": null}));
    assert_eq!(made.status, 202);
    let operation = made.json()["metadata"].clone();
    assert_eq!(operation["description"], "Snapshotting container");
    assert_eq!(operation["resources"]["containers"], json!(["/1.0/containers/c1"]));
    let _ = api.wait(made.json()["operation"].as_str().unwrap());
    let told =
        events.until("it is told", |event| event["metadata"]["action"] == "container-snapshot-created");
    let event = &told.last().unwrap()["metadata"];
    assert_eq!(
        (&event["source"], &event["context"]["snapshot_name"]),
        (&json!("/1.0/containers/c1"), &json!("c1/my-snapshot"))
    );

    let path = "/1.0/containers/c1/snapshots/my-snapshot";
    assert_eq!(api.get("/1.0/containers/c1/snapshots").metadata(), json!([path]));
    assert_eq!(
        api.get("/1.0/instances/c1/snapshots").metadata(),
        json!([path.replace("containers", "instances")])
    );
    let got = api.get(path);
    let snapshot = got.metadata();
    assert_eq!((&snapshot["name"], &snapshot["stateful"]), (&json!("c1/my-snapshot"), &json!(false)));
    for key in [
        "architecture",
        "config",
        "created_at",
        "devices",
        "ephemeral",
        "expanded_config",
        "expanded_devices",
        "last_used_at",
        "profiles",
        "expires_at",
    ] {
        assert!(snapshot.get(key).is_some(), "{key}");
    }
    let full = api.get("/1.0/containers?recursion=2").metadata();
    assert_eq!(full[0]["snapshots"][0], snapshot);

    let tag = got.header("etag").expect("a tag").to_owned();
    let body = json!({"expires_at": "2030-01-02T03:04:05Z"}).to_string();
    let put = |tag: &str| {
        api.request("PUT", path, &[("Content-Type", "application/json"), ("If-Match", tag)], body.as_bytes())
    };
    assert_eq!(put("\"other\"").status, 412);
    let _ = api.wait(put(&tag).json()["operation"].as_str().unwrap());
    assert_eq!(api.get(path).metadata()["expires_at"], "2030-01-02T03:04:05Z");
    assert_eq!(put(&tag).status, 412);
    let _ = api.operation("PATCH", path, &json!({"expires_at": "0001-01-01T00:00:00Z"}));
    let _ = api.operation("POST", path, &json!({"name": "other"}));
    let _ = api.operation("PUT", "/1.0/containers/c1", &json!({"restore": "c1/other"}));
    let _ = api.operation("DELETE", "/1.0/containers/c1/snapshots/other", &json!({}));
    let told =
        events.until("it is gone", |event| event["metadata"]["action"] == "container-snapshot-deleted");
    let actions: Vec<_> = told.iter().filter_map(|event| event["metadata"]["action"].as_str()).collect();
    assert!(
        actions.contains(&"container-snapshot-renamed") && actions.contains(&"container-snapshot-restored"),
        "{actions:?}"
    );
    assert_eq!(told.last().unwrap()["metadata"]["source"], "/1.0/containers/c1/other");
    assert_eq!(api.get(path).status, 404);
}

#[test]
fn what_cannot_be_is_refused_and_changes_nothing() {
    let d = daemon!();
    let api = d.api();
    d.lxc_ok(&["init", "busybox", "c1"]);
    d.lxc_ok(&["snapshot", "c1", "a"]);
    d.lxc_ok(&["snapshot", "c1", "b"]);
    let post = |path: &str, body: Value| api.send("POST", &format!("/1.0/containers/c1/{path}"), &body);
    assert_eq!(post("snapshots", json!({"name": "a"})).status, 409);
    assert_eq!(post("snapshots", json!({"name": "x/y"})).status, 400);
    assert_eq!(post("snapshots", json!({"name": ".."})).status, 400);
    let stateful = post("snapshots", json!({"name": "x", "stateful": true}));
    assert!(
        stateful.status == 400 && stateful.error().contains("state of processes"),
        "{}",
        stateful.error()
    );
    assert_eq!(post("snapshots/a", json!({"name": "b"})).status, 409);
    assert_eq!(post("snapshots/z", json!({"name": "y"})).status, 404);
    assert_eq!(post("snapshots/a", json!({"name": "x/y"})).status, 400);
    assert_eq!(api.delete("/1.0/containers/c1/snapshots/z").status, 404);
    assert_eq!(api.get("/1.0/containers/nobody/snapshots").status, 404);
    let put = |body: Value| api.send("PUT", "/1.0/containers/c1", &body);
    assert_eq!(put(json!({"restore": "z"})).status, 404);
    assert_eq!(put(json!({"restore": "a", "stateful": true})).status, 400);
    assert!(d.lxc_fails(&["restore", "c1", "z"]).contains("c1/z"));
    assert!(d.lxc_fails(&["copy", "c1/z", "c2"]).contains("c1/z"));
    assert!(d.lxc_fails(&["move", "c1/a", "c2/a"]).contains("parent container must be the same"));
    assert!(d.lxc_fails(&["snapshot", "c1/a"]).contains("only containers"));
    assert_eq!(snapshots(&d, "c1"), ["c1/a", "c1/b"]);

    for (key, value) in
        [("snapshots.schedule", "every day"), ("snapshots.pattern", "a/b"), ("snapshots.expiry", "3 days")]
    {
        let refused = d.lxc_fails(&["config", "set", "c1", key, value]);
        assert!(refused.contains(key) && refused.contains(value), "{refused}");
    }
    d.lxc_ok(&["config", "set", "c1", "security.protection.delete", "true"]);
    assert!(d.lxc_fails(&["delete", "c1"]).contains("security.protection.delete"));
    assert_eq!(d.status("c1"), "Stopped");
    d.lxc_ok(&["config", "unset", "c1", "security.protection.delete"]);

    // A profile that a snapshot has may be renamed, and may go.
    d.lxc_ok(&["profile", "create", "extra"]);
    d.lxc_ok(&["profile", "add", "c1", "extra"]);
    d.lxc_ok(&["snapshot", "c1", "c"]);
    d.lxc_ok(&["profile", "remove", "c1", "extra"]);
    d.lxc_ok(&["profile", "rename", "extra", "more"]);
    let profiles = || api.get("/1.0/containers/c1/snapshots/c").metadata()["profiles"].clone();
    eventually("the new name", || (profiles() == json!(["default", "more"])).then_some(()));
    d.lxc_ok(&["restore", "c1", "c"]);
    assert!(d.lxc_ok(&["config", "show", "c1"]).contains("- more"));
    d.lxc_ok(&["profile", "remove", "c1", "more"]);
    d.lxc_ok(&["profile", "delete", "more"]);
    eventually("it is missing", || (profiles() == json!(["default"])).then_some(()));
    d.lxc_ok(&["restore", "c1", "c"]);
}

#[test]
fn names_and_times_to_live_follow_the_keys() {
    let mut d = daemon!();
    d.lxc_ok(&["init", "busybox", "c1", "-c", "snapshots.expiry=3d"]);
    d.lxc_ok(&["config", "set", "c1", "snapshots.pattern", "day-{{ creation_date|date:\"2006\" }}-%d"]);
    d.lxc_ok(&["snapshot", "c1"]);
    d.lxc_ok(&["snapshot", "c1"]);
    d.lxc_ok(&["snapshot", "c1", "kept", "--no-expiry"]);
    let names = snapshots(&d, "c1");
    let [first, second, _] = names.as_slice() else { panic!("{names:?}") };
    assert!(first.starts_with("c1/day-20") && first.ends_with("-0") && second.ends_with("-1"), "{names:?}");
    let list = d.api().get("/1.0/containers/c1/snapshots?recursion=1").metadata();
    let time = |index: usize, key: &str| list[index][key].as_str().unwrap_or_default().to_owned();
    assert!(time(0, "expires_at") > time(0, "created_at"), "{list}");
    assert_eq!(time(2, "expires_at"), "1970-01-01T00:00:00Z");
    assert!(d.lxc_ok(&["info", "c1"]).contains("(expires at "));

    let edited = d.lxc_with_input(&["config", "edit", "c1/kept"], b"expires_at: 2031-01-02T03:04:05Z\n");
    assert!(edited.status.success(), "{edited:?}");
    assert!(d.lxc_ok(&["config", "show", "c1/kept"]).contains("2031-01-02T03:04:05Z"));

    // A schedule, and a snapshot whose time is over: both within the next minute or two.
    d.lxc_ok(&["launch", "busybox", "c2", "-c", "snapshots.schedule=@yearly, * * * * *"]);
    d.lxc_ok(&["config", "set", "c1", "snapshots.schedule", "* * * * *"]);
    let _ = d.api().operation(
        "PUT",
        "/1.0/containers/c1/snapshots/kept",
        &json!({"expires_at": "2020-01-01T00:00:00Z"}),
    );
    // A restarted daemon knows all of it.
    d.terminate();
    d.start_again();
    eventually_within(Duration::from_secs(200), "a snapshot of c2 and none of the old one", || {
        (!snapshots(&d, "c2").is_empty() && !snapshots(&d, "c1").contains(&"c1/kept".to_owned()))
            .then_some(())
    });
    assert_eq!(snapshots(&d, "c2")[0], "c2/snap0");
    assert_eq!(snapshots(&d, "c1").len(), 2, "stopped containers are left alone");
}

#[test]
fn owners_fit_after_ids_have_changed() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    set(&d, "c1", "1");
    d.exec("c1", &["sh", "-c", "chown 1000:1000 /root/v"]);
    d.lxc_ok(&["snapshot", "c1", "unprivileged"]);
    d.lxc_ok(&["stop", "--force", "c1"]);
    d.lxc_ok(&["config", "set", "c1", "security.privileged", "true"]);
    d.lxc_ok(&["start", "c1"]);
    assert_eq!(d.exec("c1", &["stat", "-c", "%u", "/root/v"]), "1000\n");
    d.lxc_ok(&["snapshot", "c1", "privileged"]);
    d.lxc_ok(&["restore", "c1", "unprivileged"]);
    assert_eq!(d.lxc_ok(&["config", "get", "c1", "security.privileged"]).trim(), "");
    assert_eq!(d.exec("c1", &["stat", "-c", "%u", "/root/v", "/root"]), "1000\n0\n");
    d.lxc_ok(&["restore", "c1", "privileged"]);
    assert_eq!(d.exec("c1", &["stat", "-c", "%u", "/root/v", "/root"]), "1000\n0\n");
    // An isolated container gets ids of its own, whatever it had then.
    d.lxc_ok(&["copy", "c1/unprivileged", "c2", "-c", "security.idmap.isolated=true"]);
    d.lxc_ok(&["start", "c2"]);
    assert_eq!(d.exec("c2", &["stat", "-c", "%u", "/root/v", "/root"]), "1000\n0\n");
}

#[test]
fn a_running_container_is_copied_at_one_moment() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    // The second file is always written before the first and so is never behind it.
    let busy = "i=0; while true; do i=$((i+1)); echo $i > /root/z; echo $i > /root/a; done";
    d.exec("c1", &["sh", "-c", &format!("mkdir -p /root/many; for n in $(seq 500); do echo $n > /root/many/$n; done; ({busy}) >/dev/null 2>&1 &")]);
    d.exec("c1", &["sh", "-c", "until test -s /root/a; do sleep 0.1; done"]);
    for number in 0..5 {
        d.lxc_ok(&["snapshot", "c1", &format!("s{number}")]);
        let rootfs = d.lxd_dir().join(format!("storage-pools/default/snapshots/c1/s{number}/rootfs/root"));
        let read = |file: &str| std::fs::read_to_string(rootfs.join(file)).unwrap().trim().parse::<u64>();
        // A file can be caught empty, between being opened and being written.
        if let (Ok(a), Ok(z)) = (read("a"), read("z")) {
            assert!(z == a || z == a + 1, "a is {a} and z is {z}");
        }
        assert_eq!(d.status("c1"), "Running");
        assert_eq!(d.exec("c1", &["echo", "thawed"]), "thawed\n");
    }
    d.lxc_ok(&["pause", "c1"]);
    d.lxc_ok(&["snapshot", "c1", "frozen"]);
    assert_eq!(d.status("c1"), "Frozen", "it stays what it was");
    d.lxc_ok(&["restore", "c1", "frozen"]);
    assert_eq!(d.status("c1"), "Running");
}

#[test]
fn a_full_disk_leaves_nothing_half_made() {
    let d = daemon!();
    let place = d.scratch().join("small");
    std::fs::create_dir(&place).unwrap();
    let source = place.to_str().unwrap();
    let _ = run(d.inside("mount").args(["-t", "tmpfs", "-o", "size=320m,mode=700", "none", source]))
        .expect_success();
    let pool = json!({"name": "small", "driver": "dir", "config": {"source": source}});
    assert_eq!(d.api().send("POST", "/1.0/storage-pools", &pool).status, 201);
    d.lxc_ok(&["launch", "busybox", "c1", "-s", "small"]);
    // All but a megabyte is taken.
    let fill = |value: &str| {
        let script = "dd if=/dev/zero of=/root/slack bs=1M count=1; dd if=/dev/zero of=/root/big bs=1M";
        d.exec("c1", &["sh", "-c", &format!("echo {value} > /root/v; {script}; rm /root/slack")]);
    };
    fill("1");
    let refused = d.lxc_fails(&["snapshot", "c1", "s1"]);
    assert!(refused.contains("No space left on device"), "{refused}");
    assert_eq!(snapshots(&d, "c1"), Vec::<String>::new());
    assert!(d.lxc_fails(&["copy", "c1", "c2"]).contains("No space left on device"));
    assert_eq!(d.status("c2"), "");
    d.exec("c1", &["rm", "/root/big"]);
    d.lxc_ok(&["snapshot", "c1", "s1"]);
    fill("2");
    assert!(d.lxc_fails(&["restore", "c1", "s1"]).contains("No space left on device"));
    assert_eq!(d.exec("c1", &["cat", "/root/v"]), "2\n", "it runs, and is what it was");
    d.exec("c1", &["rm", "/root/big"]);
    d.lxc_ok(&["restore", "c1", "s1"]);
    assert_eq!(d.exec("c1", &["cat", "/root/v"]), "1\n");
    let pool = d.lxd_dir().join("storage-pools/small");
    let list = || run(d.inside("find").arg(&pool).args(["-name", ".*-*", "-maxdepth", "2"])).text();
    eventually("nothing half-made remains", || list().is_empty().then_some(()));
}

/// The life of snapshots as requests. A daemon that dies leaves one of them unanswered.
fn live(d: &TestDaemon, api: &Api) -> std::io::Result<()> {
    let snapshots = "/1.0/containers/c1/snapshots";
    operation(api, "POST", snapshots, &json!({"name": "s1"}))?;
    set(d, "c1", "2");
    operation(api, "PUT", "/1.0/containers/c1", &json!({"restore": "s1"}))?;
    operation(api, "POST", &format!("{snapshots}/s1"), &json!({"name": "s2"}))?;
    operation(
        api,
        "POST",
        "/1.0/containers",
        &json!({"name": "c2", "source": {"type": "copy", "source": "c1"}}),
    )?;
    operation(api, "POST", "/1.0/containers/c2", &json!({"name": "c3"}))?;
    operation(api, "DELETE", &format!("{snapshots}/s2"), &json!({}))?;
    operation(api, "DELETE", "/1.0/containers/c3", &json!({}))
}

fn operation(api: &Api, method: &str, path: &str, body: &Value) -> std::io::Result<()> {
    let json = [("Content-Type", "application/json")];
    let response = api.try_request(method, path, &json, body.to_string().as_bytes())?;
    assert_eq!(response.status, 202, "{method} {path}: {}", String::from_utf8_lossy(&response.body));
    let url = response.json()["operation"].as_str().unwrap_or_default().to_owned();
    let ended = api.try_request("GET", &format!("{url}/wait?timeout=60"), &[], &[])?.metadata();
    assert_eq!(ended["status"], "Success", "{method} {path}: {ended}");
    Ok(())
}

#[test]
fn crash_at_every_step_of_snapshots() {
    let list = tempfile::NamedTempFile::new().expect("a temporary file");
    let builder = TestDaemon::builder().env("LIGHTERVISOR_STEPS", &list.path().to_string_lossy());
    let mut d = daemon!(builder);
    d.lxc_ok(&["launch", "busybox", "c1"]);
    std::fs::write(list.path(), "").expect("an empty list");
    set(&d, "c1", "1");
    live(&d, &d.api()).expect("nothing crashes yet");
    let steps: BTreeSet<String> =
        std::fs::read_to_string(list.path()).expect("the list").lines().map(str::to_owned).collect();
    if steps.is_empty() {
        testkit::skip!("the daemon names no steps: it is no debug build");
    }
    d.set_env("LIGHTERVISOR_STEPS", None);
    // Those of start and stop have a test of their own.
    let verbs =
        ["still:", "snapshot:", "restore:", "resnapshot:", "unsnapshot:", "create:", "rename:", "delete:"];
    for verb in verbs {
        assert!(steps.iter().any(|s| s.starts_with(verb)), "no step of {verb} in {steps:?}");
    }
    for step in steps.iter().filter(|step| verbs.iter().any(|verb| step.starts_with(verb))) {
        set(&d, "c1", "1");
        d.set_env("LIGHTERVISOR_CRASH_AT", Some(step));
        d.terminate();
        d.start_again();
        assert!(live(&d, &d.api()).is_err(), "the daemon did not crash at {step}");
        d.wait_gone();
        d.set_env("LIGHTERVISOR_CRASH_AT", None);
        d.start_again();
        recovered(&d, step);
    }
}

/// After a crash containers and snapshots are whole or absent.
fn recovered(d: &TestDaemon, step: &str) {
    if d.status("c1") == "Stopped" {
        d.lxc_ok(&["start", "c1"]);
    }
    assert_eq!(d.status("c1"), "Running", "{step}");
    assert_eq!(d.exec("c1", &["hostname"]), "c1\n", "{step}");
    let now = value(d, "c1");
    assert!(["1", "2"].contains(&now.as_str()), "{step}: {now}");
    let names = d.lxc_ok(&["list", "-c", "n", "--format", "csv"]);
    for container in names.lines() {
        let on_disk = d.lxd_dir().join("storage-pools/default/snapshots").join(container);
        let on_disk = std::fs::read_dir(on_disk).into_iter().flatten().flatten();
        let mut on_disk: Vec<_> =
            on_disk.map(|entry| format!("{container}/{}", entry.file_name().to_string_lossy())).collect();
        on_disk.sort();
        let known = snapshots(d, container);
        assert_eq!(known, on_disk, "{step}");
        for snapshot in known {
            assert_eq!(value_on_disk(d, &format!("snapshots/{snapshot}")), "1\n", "{step}");
            d.lxc_ok(&["delete", &snapshot]);
        }
        if container != "c1" {
            d.lxc_ok(&["start", container]);
            assert_eq!(d.exec(container, &["cat", "/root/v"]), "1\n", "{step}");
            d.lxc_ok(&["delete", "--force", container]);
        }
    }
    let pool = d.lxd_dir().join("storage-pools/default");
    let left = || run(d.inside("find").arg(&pool).args(["-mindepth", "2", "-maxdepth", "2"])).text();
    let expected = |text: &str| text.lines().filter(|line| !line.contains("/images/")).count() == 1;
    eventually(&format!("nothing else remains after the crash at {step}: {}", left()), || {
        expected(&left()).then_some(())
    });
}
