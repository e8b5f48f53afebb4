//! Containers from creation to deletion, and how they are listed.

mod fake;

use fake::{Fake, Say, Seen, background, error, operation, sync};
use serde_json::{Value, json};

fn container(name: &str, code: u16) -> Value {
    let status = if code == 103 { "Running" } else { "Stopped" };
    json!({"name": name, "status": status, "status_code": code, "architecture": "x86_64", "profiles": ["default"],
           "created_at": "2016-03-20T02:11:00Z", "config": {}, "expanded_config": {"limits.cpu": "2"},
           "expanded_devices": {"eth0": {"type": "nic"}}, "state": null, "snapshots": null, "backups": null})
}

/// Everything succeeds.
fn willing(seen: &Seen) -> Say {
    match (seen.method.as_str(), seen.path.as_str()) {
        ("GET", path) if path.ends_with("/wait") => sync(operation(200, json!({}), json!({}))),
        ("GET", "/1.0/containers") => {
            sync(json!([container("web", 102), container("alpine", 103), container("alpine-edge", 103)]))
        }
        ("GET", path) if path.starts_with("/1.0/images/aliases/") => error(404, "not found"),
        ("GET", path) => sync(container(path.rsplit('/').next().unwrap(), 102)),
        ("POST", "/1.0/containers") => {
            background(json!(null), json!({"containers": ["/1.0/containers/fond-newt"]}))
        }
        _ => background(json!(null), json!({})),
    }
}

#[test]
fn launch_is_create_and_start_and_nothing_else() {
    let fake = Fake::start(willing);
    let printed = fake.ok(&["launch", "debian/12", "first", "-c", "limits.cpu=2", "-p", "web", "-e"]);
    assert_eq!(printed, "Creating first\nStarting first\n");
    let mut lines = fake.lines();
    lines[2..].sort_unstable();
    assert_eq!(
        lines,
        [
            "POST /1.0/containers",
            "GET /1.0/operations/op1/wait",
            "GET /1.0/containers/first",
            "GET /1.0/operations/op1/wait",
            "PUT /1.0/containers/first/state",
        ]
    );
    let request = fake.find("POST /1.0/containers").json();
    assert_eq!(request["source"], json!({"type": "image", "alias": "debian/12"}));
    assert_eq!((&request["config"], &request["profiles"]), (&json!({"limits.cpu": "2"}), &json!(["web"])));
    assert_eq!((&request["ephemeral"], &request["name"]), (&json!(true), &json!("first")));
    assert_eq!(fake.find("PUT /1.0/containers/first/state").json()["action"], "start");
}

#[test]
fn a_fingerprint_and_an_invented_name() {
    let fake = Fake::start(willing);
    let printed = fake.ok(&["init", "local:75182b1241be"]);
    assert_eq!(printed, "Creating the container\nContainer name is: fond-newt\n");
    let request = fake.find("POST /1.0/containers").json();
    assert_eq!(request["source"], json!({"type": "image", "fingerprint": "75182b1241be"}));
    assert_eq!(request["profiles"], json!(null));
}

#[test]
fn an_unknown_image_says_what_to_try() {
    let fake = Fake::start(|_| error(404, "not found"));
    let text = fake.fails(&["launch", "ubuntu/22.04", "u1"]);
    assert_eq!(
        text,
        "The local image 'ubuntu/22.04' couldn't be found, trying 'ubuntu:22.04' instead.\n\
         Error: Cannot create a container on local from an image on ubuntu: not found\n"
    );
    assert!(fake.fails(&["launch", "debian/12", "u1"]).contains("lxc image list"));
    assert!(fake.fails(&["list", "ubuntu:"]).contains("The remote \"ubuntu\" is an image server"));
}

#[test]
fn the_server_is_told_where_an_image_server_has_the_image() {
    let fake = Fake::start(willing);
    fake.ok(&["init", "ubuntu:16.04", "u1"]);
    let request = fake.find("POST /1.0/containers").json();
    let expected = json!({"type": "image", "alias": "16.04", "mode": "pull", "protocol": "simplestreams",
        "server": "https://cloud-images.ubuntu.com/releases"});
    assert_eq!(request["source"], expected);
    // Nothing is looked up, and a server without a container of its own is no place for one.
    assert_eq!(fake.ok(&["init", "ubuntu:16.04"]), "Creating the container\nContainer name is: fond-newt\n");
}

#[test]
fn a_start_that_fails_points_at_the_log() {
    let fake = Fake::start(|seen| match seen.path.as_str() {
        path if path.ends_with("/wait") => {
            let mut failed = operation(400, json!(null), json!(null));
            failed["err"] = json!("no init in the root file system");
            sync(failed)
        }
        _ => background(json!(null), json!({})),
    });
    let text = fake.fails(&["start", "c1"]);
    assert_eq!(
        text,
        "Error: Cannot start c1 (try `lxc info --show-log c1` for more info): no init in the root file system\n"
    );
}

#[test]
fn several_targets_report_each_failure() {
    let fake = Fake::start(|seen| match seen.path.as_str() {
        path if path.contains("/bad") => error(404, "not found"),
        _ => willing(seen),
    });
    let text = fake.fails(&["stop", "c1", "bad1", "local:bad2", "--timeout", "30"]);
    assert_eq!(
        text,
        "bad1: error: not found\nlocal:bad2: error: not found\nError: Some containers failed to stop\n"
    );
    let request = fake.find("PUT /1.0/containers/c1/state").json();
    assert_eq!(request, json!({"action": "stop", "timeout": 30, "force": false, "stateful": false}));
    assert_eq!(fake.fails(&["stop", "bad1"]), "Error: not found\n");
}

#[test]
fn the_state_of_processes_is_for_the_server_to_refuse() {
    let fake = Fake::start(willing);
    fake.ok(&["stop", "c1", "--stateful"]);
    fake.ok(&["start", "c2", "--stateless"]);
    let sent = |line: &str| fake.find(line).json()["stateful"].clone();
    assert_eq!(sent("PUT /1.0/containers/c1/state"), json!(true));
    assert_eq!(sent("PUT /1.0/containers/c2/state"), json!(false));
    // The snapshot that is there would be gone when the server refuses.
    let text = fake.fails(&["snapshot", "c1", "daily", "--reuse", "--stateful"]);
    assert!(text.contains("--reuse") && text.contains("--stateful"), "{text}");
}

#[test]
fn all_takes_what_can_be_stopped() {
    let fake = Fake::start(willing);
    fake.ok(&["stop", "--all", "--force"]);
    let mut puts: Vec<_> = fake.lines().into_iter().filter(|line| line.starts_with("PUT")).collect();
    puts.sort_unstable();
    assert_eq!(puts, ["PUT /1.0/containers/alpine-edge/state", "PUT /1.0/containers/alpine/state"]);
    assert!(fake.fails(&["stop", "--all", "c1"]).starts_with("Error: "));
}

#[test]
fn deleting_what_runs_needs_force() {
    let running = |seen: &Seen| match (seen.method.as_str(), seen.path.as_str()) {
        ("DELETE", _) => error(400, "container is running"),
        ("GET", "/1.0/containers/c1") => sync(container("c1", 103)),
        _ => willing(seen),
    };
    let fake = Fake::start(running);
    let text = fake.fails(&["delete", "c1"]);
    assert_eq!(text, "Error: The container is currently running, stop it first or pass --force.\n");
    let fake = Fake::start(move |seen| match seen.path.as_str() {
        "/1.0/containers/c1" if seen.method == "GET" => sync(container("c1", 103)),
        _ => willing(seen),
    });
    fake.ok(&["delete", "-f", "c1"]);
    assert_eq!(fake.find("PUT /1.0/containers/c1/state").json()["force"], true);
    fake.find("DELETE /1.0/containers/c1");
    let refused = fake.run(&["delete", "-i", "c2"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("User aborted"), "{refused:?}");
}

#[test]
fn list_as_a_table_and_in_other_formats() {
    let fake = Fake::start(willing);
    let table = "\
+-------------+---------+--------------+----------------------+----------+------------+
|    NAME     |  STATE  | ARCHITECTURE |      CREATED AT      | PROFILES |    TYPE    |
+-------------+---------+--------------+----------------------+----------+------------+
| alpine      | RUNNING | x86_64       | 2016/03/20 02:11 UTC | default  | PERSISTENT |
+-------------+---------+--------------+----------------------+----------+------------+
| alpine-edge | RUNNING | x86_64       | 2016/03/20 02:11 UTC | default  | PERSISTENT |
+-------------+---------+--------------+----------------------+----------+------------+
";
    assert_eq!(fake.ok(&["list", "--fast", "alpine"]), table);
    assert_eq!(fake.find("GET /1.0/containers").query, "recursion=1");
    assert_eq!(
        fake.ok(&["list", "local:w", "-c", "ns,limits.cpu:CPU", "--format", "csv"]),
        "web,STOPPED,2\n"
    );
    let json: Value = serde_json::from_str(&fake.ok(&["list", "--format=json", "status=stopped"])).unwrap();
    assert_eq!((&json[0]["name"], &json[0]["state"]), (&json!("web"), &json!(null)));
    assert!(fake.ok(&["ls", "-f", "yaml", "^web$"]).contains("name: web"));
    assert!(fake.ok(&["list", "-f", "compact"]).starts_with("  NAME"));
    assert!(fake.fails(&["list", "--fast", "-c", "n"]).contains("Can't specify --fast with --columns"));
}

#[test]
fn a_server_without_recursion_two_is_asked_one_by_one() {
    let fake = Fake::start(|seen| match (seen.path.as_str(), seen.query.as_str()) {
        ("/1.0/containers", "recursion=2") => sync(json!(["/1.0/containers/c1"])),
        ("/1.0/containers", _) => sync(json!([container("c1", 103)])),
        ("/1.0/containers/c1/state", _) => sync(json!({"status": "Running", "status_code": 103, "pid": 7,
            "disk": null, "network": {"eth0": {"addresses": [
                {"family": "inet", "address": "10.0.0.9", "scope": "global"}]}}})),
        _ => sync(json!([{"name": "c1/snap0"}, {"name": "c1/snap1"}])),
    });
    assert_eq!(fake.ok(&["list", "-c", "n4pS", "--format", "csv"]), "c1,10.0.0.9 (eth0),7,2\n");
}

#[test]
fn renaming_copying_and_broken_names() {
    let fake = Fake::start(willing);
    fake.ok(&["rename", "a", "b"]);
    assert_eq!(fake.find("POST /1.0/containers/a").json()["name"], "b");
    fake.ok(&["move", "local:a", "c"]);
    fake.ok(&["copy", "a", "d"]);
    assert_eq!(fake.find("POST /1.0/containers").json()["source"]["source"], "a");
    assert!(fake.fails(&["exec", "local:", "true"]).contains("Missing container name"));
    assert_eq!(fake.fails(&["start", "no:c"]), "Error: The remote \"no\" doesn't exist\n");
}

#[test]
fn a_daemon_that_is_not_there_is_told_plainly() {
    let fake = Fake::start(willing);
    let output = fake.command(&["list"]).env("LXD_SOCKET", fake.path("none")).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        text.starts_with("Error: cannot connect to the daemon at ") && text.contains("is it running"),
        "{text}"
    );
}

#[test]
fn a_listing_cut_short_is_no_error() {
    let fake =
        Fake::start(|_| sync(Value::Array((0..5000).map(|i| container(&format!("c{i}"), 102)).collect())));
    let mut child = fake
        .command(&["list"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(141), &b""[..]));
}
