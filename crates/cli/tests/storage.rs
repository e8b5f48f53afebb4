//! Pools, volumes, and containers in pools.

mod fake;

use fake::{Fake, Say, Seen, background, error, operation, raw, sync, tagged};
use serde_json::{Value, json};
use std::io::Write as _;
use std::process::Stdio;

const VOLUMES: &str = "/1.0/storage-pools/p/volumes";

fn daemon(seen: &Seen) -> Say {
    let path = seen.path.as_str();
    match (seen.method.as_str(), path) {
        ("GET", path) if path.ends_with("/wait") => sync(operation(200, json!({}), json!({}))),
        ("GET", "/1.0") => sync(json!({"api_extensions": ["instance_pool_move"], "environment": {}})),
        ("GET", "/1.0/storage-pools") => sync(json!([pool("p"), pool("q")])),
        ("GET", "/1.0/storage-pools/p") => tagged(&pool("p"), "pool-tag"),
        ("GET", "/1.0/storage-pools/fast") => sync(pool("fast")),
        ("GET", "/1.0/storage-pools/p/resources") => {
            sync(json!({"space": {"used": 5, "total": 10}, "inodes": {"used": 1, "total": 2}}))
        }
        ("GET", "/1.0/storage-pools/p/volumes") => sync(json!([
            {"name": "c1", "type": "container", "used_by": ["/1.0/containers/c1"]},
            volume(), {"name": "data/snap0", "type": "custom"}])),
        ("GET", "/1.0/storage-pools/q/volumes") => sync(json!([])),
        ("GET", path) if path.ends_with("/state") && path.starts_with(VOLUMES) => {
            sync(json!({"usage": {"used": 2048, "total": 4096}}))
        }
        ("GET", "/1.0/storage-pools/p/volumes/custom/data") => tagged(&volume(), "vol-tag"),
        ("GET", "/1.0/storage-pools/p/volumes/custom/data/snapshots") => sync(json!([snapshot()])),
        ("GET", "/1.0/storage-pools/p/volumes/custom/data/snapshots/snap0") => {
            tagged(&snapshot(), "snap-tag")
        }
        ("GET", "/1.0/storage-pools/p/volumes/container/c1") => {
            sync(json!({"name": "c1", "type": "container", "config": {"block.filesystem": "ext4"}}))
        }
        ("GET", "/1.0/containers") => sync(json!([container()])),
        ("GET", "/1.0/metadata/configuration") => sync(json!({"configs": {
            "storage-btrfs": {"pool-conf": {"keys": [{"btrfs.mount_options": {}}, {"volatile.x": {}}]},
                "volume-conf": {"keys": [{"security.shifted": {}}]}},
            "storage-lvm": {"pool-conf": {"keys": [{"lvm.vg_name": {"shortdesc": "a group"}}]}}}})),
        ("GET", "/1.0/containers/c1") => tagged(&container(), "tag1"),
        ("GET", path) if path.starts_with("/1.0/profiles/") => tagged(
            &json!({"name": "web", "config": {}, "used_by": [],
                "devices": {"disk0": {"type": "disk", "path": "/", "pool": "p", "size": "10GB"}}}),
            "prof",
        ),
        // A server may do the work at once or later.
        ("POST", path) if path.ends_with("/snapshots") => background(json!(null), json!({})),
        ("POST", "/1.0/storage-pools/q/volumes/custom") => background(json!(null), json!({})),
        ("PUT" | "POST", path) if path.starts_with("/1.0/containers") => {
            background(json!(null), json!({"containers": ["/1.0/containers/c1"]}))
        }
        ("POST", _) => Say::Answer(raw(201, json!({"type": "sync", "status_code": 200}).to_string())),
        ("PUT" | "PATCH" | "DELETE", _) => sync(json!({})),
        _ => error(404, "not found"),
    }
}

fn pool(name: &str) -> Value {
    json!({"name": name, "driver": "btrfs", "description": "mine", "status": "Created",
        "config": {"source": "/dev/sdb", "size": "20GB"}, "used_by": ["/1.0/containers/b", "/1.0/containers/a"]})
}

fn volume() -> Value {
    json!({"name": "data", "type": "custom", "description": "", "config": {"size": "5GB", "user.for": "db"},
        "used_by": ["/1.0/containers/c1"], "location": "none"})
}

fn snapshot() -> Value {
    json!({"name": "data/snap0", "config": {"size": "5GB"}, "description": "good",
        "expires_at": "2030-01-31T12:00:00Z"})
}

fn container() -> Value {
    let volume = json!({"type": "disk", "pool": "p", "source": "data", "path": "/data"});
    let root = json!({"type": "disk", "path": "/", "pool": "p", "size": "9GB"});
    json!({"name": "c1", "status": "Stopped", "status_code": 102, "architecture": "x86_64", "config": {},
        "devices": {"data": volume}, "expanded_devices": {"data": volume, "root": root}, "profiles": ["default"]})
}

fn piped(fake: &Fake, args: &[&str], text: &str) {
    let mut child = fake.command(args).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "{args:?}");
}

#[test]
fn pools_are_made_changed_and_deleted() {
    let fake = Fake::start(daemon);
    let printed = fake.ok(&["storage", "create", "my-btrfs", "btrfs", "source=/dev/sdb"]);
    assert_eq!(printed, "Storage pool my-btrfs created\n");
    let expected =
        json!({"name": "my-btrfs", "driver": "btrfs", "config": {"source": "/dev/sdb"}, "description": ""});
    assert_eq!(fake.find("POST /1.0/storage-pools").json(), expected);
    fake.ok(&["storage", "set", "local:p", "volume.size", "5GB"]);
    let put = fake.find("PUT /1.0/storage-pools/p");
    let config = json!({"source": "/dev/sdb", "size": "20GB", "volume.size": "5GB"});
    assert_eq!(put.json(), json!({"config": config, "description": "mine"}));
    assert_eq!(put.header("if-match"), "pool-tag");
    assert_eq!(fake.ok(&["storage", "get", "p", "size"]), "20GB\n");
    assert_eq!(fake.ok(&["storage", "get", "p", "user.x"]), "\n");
    assert!(fake.fails(&["storage", "unset", "p", "user.x"]).contains("Can't unset key 'user.x'"));
    assert_eq!(fake.ok(&["storage", "delete", "p"]), "Storage pool p deleted\n");
    fake.find("DELETE /1.0/storage-pools/p");

    let fake = Fake::start(daemon);
    let shown = fake.ok(&["storage", "show", "p"]);
    piped(&fake, &["storage", "edit", "p"], &shown.replace("mine", "yours"));
    assert_eq!(fake.find("PUT /1.0/storage-pools/p").json()["description"], "yours");
    fake.ok(&["storage", "unset", "p", "size"]);
    assert_eq!(fake.seen().last().unwrap().json()["config"], json!({"source": "/dev/sdb"}));
}

#[test]
fn everything_about_pools_can_be_read_by_programs() {
    let fake = Fake::start(daemon);
    assert_eq!(
        fake.ok(&["storage", "list", "-f", "csv"]),
        "p,mine,btrfs,/dev/sdb,2,CREATED\nq,mine,btrfs,/dev/sdb,2,CREATED\n"
    );
    let info: Value = serde_json::from_str(&fake.ok(&["storage", "info", "p", "--format", "json"])).unwrap();
    assert_eq!((&info["space"]["used"], &info["used_by"][0]), (&json!(5), &json!("/1.0/containers/a")));
    assert!(fake.ok(&["storage", "info", "p", "-f", "csv"]).contains("space.total,10\n"));
    let shown: Value = serde_json::from_str(&fake.ok(&["storage", "show", "p", "-f", "json"])).unwrap();
    assert_eq!(shown["config"]["source"], "/dev/sdb");
    assert!(fake.ok(&["storage", "show", "p", "-f", "compact"]).contains("config.size"));
    assert_eq!(
        fake.ok(&["storage", "show", "p", "--resources"]),
        "space:\n  used: 5\n  total: 10\ninodes:\n  used: 1\n  total: 2\n"
    );
}

#[test]
fn volumes_are_made_changed_and_deleted() {
    let fake = Fake::start(daemon);
    let printed = fake.ok(&["storage", "volume", "create", "p", "my-volume", "size=5GB"]);
    assert_eq!(printed, "Storage volume my-volume created\n");
    let post = fake.find("POST /1.0/storage-pools/p/volumes/custom").json();
    assert_eq!((&post["name"], &post["type"]), (&json!("my-volume"), &json!("custom")));
    assert_eq!((&post["config"], &post["source"]), (&json!({"size": "5GB"}), &Value::Null));
    fake.ok(&["storage", "volume", "set", "p", "custom/data", "size=9GB"]);
    let put = fake.find("PUT /1.0/storage-pools/p/volumes/custom/data");
    assert_eq!(put.json()["config"], json!({"size": "9GB", "user.for": "db"}));
    assert_eq!(put.header("if-match"), "vol-tag");
    assert_eq!(fake.ok(&["storage", "volume", "get", "p", "data", "size"]), "5GB\n");
    assert_eq!(fake.ok(&["storage", "volume", "get", "p", "data/snap0", "size"]), "5GB\n");
    assert_eq!(fake.ok(&["storage", "volume", "get", "p", "container/c1", "block.filesystem"]), "ext4\n");
    assert!(fake.fails(&["storage", "volume", "set", "p", "data/snap0", "a=b"]).contains("is a snapshot"));
    let printed = fake.ok(&["storage", "volume", "rename", "p", "data", "old"]);
    assert_eq!(printed, "Renamed storage volume from \"data\" to \"old\"\n");
    assert_eq!(fake.find("POST /1.0/storage-pools/p/volumes/custom/data").json(), json!({"name": "old"}));
    fake.ok(&["storage", "volume", "rename", "p", "data/snap0", "data/snap1"]);
    let rename = fake.find("POST /1.0/storage-pools/p/volumes/custom/data/snapshots/snap0");
    assert_eq!(rename.json(), json!({"name": "snap1"}));
    let printed = fake.ok(&["storage", "volume", "delete", "p", "data/snap0", "data"]);
    assert_eq!(printed, "Storage volume data/snap0 deleted\nStorage volume data deleted\n");
    fake.find("DELETE /1.0/storage-pools/p/volumes/custom/data/snapshots/snap0");
    fake.find("DELETE /1.0/storage-pools/p/volumes/custom/data");
    assert!(fake.fails(&["storage", "volume", "create", "p", "container/x"]).contains("volumes of your own"));

    let fake = Fake::start(daemon);
    piped(&fake, &["storage", "volume", "edit", "p", "data"], "config:\n  size: 6GB\ndescription: mine\n");
    let put = fake.find("PUT /1.0/storage-pools/p/volumes/custom/data").json();
    assert_eq!(put, json!({"config": {"size": "6GB"}, "description": "mine"}));
    piped(&fake, &["storage", "volume", "edit", "p", "data/snap0"], "description: x\nexpires_at: null\n");
    let put = fake.find("PUT /1.0/storage-pools/p/volumes/custom/data/snapshots/snap0").json();
    assert_eq!(put, json!({"description": "x", "expires_at": null}));
}

#[test]
fn snapshots_of_volumes() {
    let fake = Fake::start(daemon);
    fake.ok(&["storage", "volume", "snapshot", "p", "data"]);
    let post = fake.find("POST /1.0/storage-pools/p/volumes/custom/data/snapshots");
    assert_eq!(post.json(), json!({"name": ""}));
    fake.ok(&["storage", "volume", "snapshot", "p", "data", "nightly", "--reuse", "--no-expiry"]);
    fake.find("DELETE /1.0/storage-pools/p/volumes/custom/data/snapshots/nightly");
    let last = fake.seen().into_iter().rfind(|seen| seen.method == "POST").unwrap();
    assert_eq!(last.json(), json!({"name": "nightly", "expires_at": "1970-01-01T00:00:00Z"}));
    fake.ok(&["storage", "volume", "restore", "p", "data", "snap0"]);
    let put = fake.find("PUT /1.0/storage-pools/p/volumes/custom/data");
    assert_eq!(put.json()["restore"], "snap0");
}

#[test]
fn everything_about_volumes_can_be_read_by_programs() {
    let fake = Fake::start(daemon);
    assert_eq!(
        fake.ok(&["storage", "volume", "list", "p", "-f", "csv"]),
        "container,c1,,1\ncustom,data,,1\ncustom (snapshot),data/snap0,,0\n"
    );
    assert!(fake.ok(&["storage", "volume", "list", "-f", "csv"]).starts_with("p,container,c1,,1\n"));
    assert_eq!(fake.ok(&["storage", "volume", "list", "name=data", "-f", "csv"]), "p,custom,data,,1\n");
    let args = ["storage", "volume", "list", "p", "name=data", "-c", "nU,user.for", "-f", "csv"];
    assert_eq!(fake.ok(&args), "data,2.00kB,db\n");
    let listed: Value =
        serde_json::from_str(&fake.ok(&["storage", "volume", "list", "p", "-f", "json"])).unwrap();
    assert_eq!((&listed[1]["name"], &listed[1]["pool"]), (&json!("data"), &json!("p")));
    assert_eq!(
        fake.ok(&["storage", "volume", "info", "p", "data"]),
        "Name: data\nPool: p\nType: custom\nUsage: 2.00kB\nTotal: 4.00kB\nUsed by:\n  /1.0/containers/c1\n\
         Snapshots:\n  snap0 (expires at 2030/01/31 12:00 UTC)\n"
    );
    let args = ["storage", "volume", "info", "p", "data", "-f", "json"];
    let info: Value = serde_json::from_str(&fake.ok(&args)).unwrap();
    assert_eq!((&info["state"]["usage"]["used"], &info["config"]["size"]), (&json!(2048), &json!("5GB")));
    assert_eq!(info["snapshots"][0]["name"], "data/snap0");
    let shown = fake.ok(&["storage", "volume", "show", "p", "container/c1"]);
    assert!(shown.starts_with("config:\n  block.filesystem: ext4\n"), "{shown}");
    assert!(
        fake.ok(&["storage", "volume", "show", "p", "data/snap0", "-f", "csv"]).contains("description,good")
    );
    assert_eq!(fake.fails(&["storage", "volume", "show", "p", "gone"]), "Error: not found\n");
}

#[test]
fn volumes_are_attached_and_detached() {
    let fake = Fake::start(daemon);
    fake.ok(&["storage", "volume", "attach", "p", "data", "c1", "more", "/opt/my/data"]);
    let put = fake.find("PUT /1.0/containers/c1");
    let expected = json!({"type": "disk", "pool": "p", "source": "data", "path": "/opt/my/data"});
    assert_eq!(put.json()["devices"]["more"], expected);
    assert_eq!(put.header("if-match"), "tag1");
    let text = fake.fails(&["storage", "volume", "attach", "p", "data", "c1", "/opt"]);
    assert!(text.contains("The device already exists"), "{text}");
    let text = fake.fails(&["storage", "volume", "attach", "p", "gone", "c1", "/opt"]);
    assert!(text.contains("Cannot attach the volume gone of the pool p: not found"), "{text}");
    fake.ok(&["storage", "volume", "attach-profile", "p", "custom/data", "web", "/srv"]);
    let put = fake.find("PUT /1.0/profiles/web").json();
    assert_eq!(put["devices"]["data"]["source"], "data");

    let fake = Fake::start(daemon);
    fake.ok(&["storage", "volume", "detach", "p", "data", "c1"]);
    assert_eq!(fake.find("PUT /1.0/containers/c1").json()["devices"], json!({}));
    let text = fake.fails(&["storage", "volume", "detach", "p", "other", "c1"]);
    assert!(text.contains("No device found for this storage volume"), "{text}");
    let text = fake.fails(&["storage", "volume", "detach", "p", "data", "c1", "eth0"]);
    assert!(text.contains("The specified device doesn't exist"), "{text}");
    let text = fake.fails(&["storage", "volume", "detach-profile", "p", "data", "web"]);
    assert!(text.contains("No device found"), "{text}");
}

#[test]
fn volumes_are_copied_and_moved() {
    let fake = Fake::start(daemon);
    let printed = fake.ok(&["storage", "volume", "copy", "p/data", "q/data2", "--volume-only"]);
    assert_eq!(printed, "Storage volume copied successfully!\n");
    let post = fake.find("POST /1.0/storage-pools/q/volumes/custom").json();
    let source = json!({"name": "data", "type": "copy", "pool": "p", "volume_only": true});
    assert_eq!((&post["name"], &post["source"]), (&json!("data2"), &source));
    assert_eq!(post["config"]["user.for"], "db");
    fake.ok(&["storage", "volume", "cp", "local:p/data/snap0", "p/old"]);
    let post = fake.find("POST /1.0/storage-pools/p/volumes/custom").json();
    assert_eq!(post["source"]["name"], "data/snap0");
    let printed = fake.ok(&["storage", "volume", "move", "p/data", "q/data"]);
    assert_eq!(printed, "Storage volume moved successfully!\n");
    let moved = fake.find("POST /1.0/storage-pools/p/volumes/custom/data").json();
    assert_eq!(moved, json!({"name": "data", "pool": "q"}));
    let text = fake.fails(&["storage", "volume", "move", "p/data", "p/data"]);
    assert!(text.contains("is there already"), "{text}");
    let text = fake.fails(&["storage", "volume", "copy", "data", "q/data"]);
    assert!(text.contains("use POOL/VOLUME"), "{text}");
}

#[test]
fn containers_are_put_into_pools() {
    let fake = Fake::start(daemon);
    fake.ok(&["init", "debian/12", "c1", "-s", "fast"]);
    let root = json!({"disk0": {"type": "disk", "path": "/", "pool": "fast", "size": "10GB"}});
    assert_eq!(fake.find("POST /1.0/containers").json()["devices"], root);
    fake.ok(&["init", "debian/12", "c1", "-d", "disk0,size=3GB"]);
    let last = fake.seen().into_iter().rfind(|seen| seen.line() == "POST /1.0/containers").unwrap();
    let root = json!({"disk0": {"type": "disk", "path": "/", "pool": "p", "size": "3GB"}});
    assert_eq!(last.json()["devices"], root);

    let fake = Fake::start(daemon);
    fake.ok(&["copy", "c1", "c2", "-s", "fast"]);
    let root = json!({"type": "disk", "path": "/", "pool": "fast", "size": "9GB"});
    assert_eq!(fake.find("POST /1.0/containers").json()["devices"]["root"], root);
    let text = fake.fails(&["copy", "c1", "c2", "-s", "gone"]);
    assert!(text.contains("Storage pool \"gone\": not found"), "{text}");

    fake.ok(&["move", "c1", "-s", "fast"]);
    let post = fake.find("POST /1.0/containers/c1");
    assert_eq!(post.json(), json!({"name": "c1", "migration": true, "pool": "fast"}));
    assert!(fake.fails(&["move", "c1", "-s", "p"]).contains("c1 is in the pool p already"));
    assert!(
        fake.fails(&["move", "c1/snap0", "-s", "fast"]).contains("A snapshot lives in its container's pool")
    );
    assert!(fake.fails(&["move", "c1"]).contains("required"));
}

#[test]
fn where_servers_cannot_move_between_pools_a_copy_takes_the_place() {
    let fake = Fake::start(|seen| match seen.line().as_str() {
        "GET /1.0" => sync(json!({"api_extensions": []})),
        "DELETE /1.0/containers/c1" => background(json!(null), json!({})),
        _ => daemon(seen),
    });
    fake.ok(&["move", "c1", "c1", "-s", "fast"]);
    let post = fake.find("POST /1.0/containers").json();
    assert_eq!((&post["name"], &post["source"]["source"]), (&json!("moving-c1"), &json!("c1")));
    assert_eq!(post["devices"]["root"]["pool"], "fast");
    let lines = fake.lines();
    let place = |line: &str| lines.iter().position(|seen| seen == line).unwrap();
    assert!(place("POST /1.0/containers") < place("DELETE /1.0/containers/c1"));
    assert!(place("DELETE /1.0/containers/c1") < place("POST /1.0/containers/moving-c1"));
}

#[test]
fn shells_complete_pools_volumes_and_keys() {
    let fake = Fake::start(daemon);
    let offered = |words: &[&str]| -> Vec<String> {
        let text = fake.ok(&[&["complete", "--"], words].concat());
        text.lines().filter(|word| !word.ends_with(':')).map(str::to_owned).collect()
    };
    assert_eq!(offered(&["storage", "show", ""]), ["p", "q"]);
    assert_eq!(offered(&["launch", "x", "-s", ""]), ["p", "q"]);
    assert_eq!(offered(&["storage", "create", "new", "b"]), ["btrfs"]);
    assert_eq!(offered(&["storage", "get", "p", ""]), ["size", "source"]);
    assert_eq!(offered(&["storage", "set", "p", ""]), ["btrfs.mount_options", "size", "source"]);
    assert_eq!(offered(&["storage", "volume", "show", "p", ""]), ["data", "data/snap0"]);
    assert_eq!(offered(&["storage", "volume", "set", "p", "data", "se"]), ["security.shifted"]);
    assert_eq!(offered(&["storage", "volume", "attach", "p", "data", ""]), ["c1"]);
    assert_eq!(offered(&["storage", "volume", "restore", "p", "data", ""]), ["snap0"]);
    assert_eq!(offered(&["storage", "volume", "copy", "p/"]), ["p/data", "p/data/snap0"]);
    assert_eq!(fake.ok(&["config", "keys", "pool-lvm", "-f", "csv"]), "pool-lvm,lvm.vg_name,a group,,,\n");
}

#[test]
fn what_is_shown_and_told_is_there_for_programs_too() {
    let fake = Fake::start(daemon);
    let read = |args: &[&str]| -> Value { serde_json::from_str(&fake.ok(args)).unwrap() };
    assert_eq!(read(&["config", "show", "c1", "-f", "json"])["devices"]["data"]["pool"], "p");
    assert_eq!(read(&["config", "device", "show", "c1", "-f", "json"])["data"]["path"], "/data");
    assert_eq!(fake.ok(&["config", "device", "list", "c1"]), "data\n");
    assert_eq!(fake.ok(&["config", "device", "list", "c1", "-f", "csv"]), "data,disk\n");
    assert_eq!(read(&["profile", "show", "web", "-f", "json"])["devices"]["disk0"]["size"], "10GB");
    assert_eq!(read(&["info", "-f", "json"])["api_extensions"][0], "instance_pool_move");
    assert!(fake.ok(&["profile", "show", "web", "-f", "csv"]).contains("devices.disk0.size,10GB\n"));
}
