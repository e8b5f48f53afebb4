//! Events, operations and what listens to them.

use serde_json::json;
use std::process::Stdio;
use std::time::Duration;
use testkit::{daemon, eventually, spawn};

#[test]
fn the_life_of_a_container_is_told() {
    let d = daemon!();
    let mut events = d.events("lifecycle");
    d.lxc_ok(&["launch", "busybox", "c1"]);
    d.lxc_ok(&["config", "set", "c1", "user.a", "b"]);
    d.lxc_ok(&["pause", "c1"]);
    d.lxc_ok(&["start", "c1"]);
    d.lxc_ok(&["stop", "--force", "c1"]);
    d.lxc_ok(&["delete", "c1"]);
    let seen = events.until("deleted", |e| e["metadata"]["action"] == "container-deleted");
    let actions: Vec<_> = seen
        .iter()
        .filter(|e| e["metadata"]["source"] == "/1.0/containers/c1")
        .filter_map(|e| e["metadata"]["action"].as_str())
        .collect();
    let expected = ["created", "started", "updated", "paused", "resumed", "stopped", "deleted"];
    assert_eq!(actions, expected.map(|action| format!("container-{action}")));
    assert!(seen.iter().all(|e| e["type"] == "lifecycle" && e["timestamp"].is_string()));
}

#[test]
fn operations_are_told_from_beginning_to_end() {
    let d = daemon!();
    d.lxc_ok(&["init", "busybox", "c1"]);
    let mut events = d.events("operation");
    let response = d.api().send("PUT", "/1.0/containers/c1/state", &json!({"action": "start"}));
    let id = response.json()["metadata"]["id"].as_str().expect("an id").to_owned();
    let seen = events.until("the end of it", |e| {
        e["metadata"]["id"] == id.as_str() && e["metadata"]["status_code"].as_u64() >= Some(200)
    });
    let last = &seen.last().expect("an event")["metadata"];
    assert_eq!((&last["status"], &last["description"]), (&json!("Success"), &json!("Starting container")));
    assert_eq!(last["resources"]["containers"], json!(["/1.0/containers/c1"]));
    assert!(seen.iter().any(|e| e["metadata"]["status"] == "Running"), "{seen:?}");
}

#[test]
fn an_operation_can_be_waited_for_listed_and_is_forgotten() {
    let d = daemon!();
    let api = d.api();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    let body = json!({"command": ["sleep", "2"], "wait-for-websocket": false});
    let started = api.send("POST", "/1.0/containers/c1/exec", &body);
    assert_eq!(started.status, 202);
    let url = started.json()["operation"].as_str().expect("a URL").to_owned();
    assert_eq!(started.header("location"), Some(url.as_str()));
    assert_eq!(api.get(&format!("{url}/wait?timeout=0")).metadata()["status"], "Running");
    let listed = api.get("/1.0/operations").metadata();
    assert!(listed["running"].as_array().is_some_and(|l| l.contains(&json!(url))), "{listed}");
    let table = d.lxc_ok(&["operation", "list"]);
    assert!(table.contains(" ID ") && table.contains("RUNNING"), "{table}");
    let id = url.rsplit('/').next().expect("an id");
    assert!(d.lxc_ok(&["operation", "show", id]).contains("class: task"));
    assert_eq!(api.delete(&url).status, 400, "it cannot be cancelled");
    assert_eq!(api.wait(&url)["status"], "Success");
    eventually("it is forgotten some seconds later", || (api.get(&url).status == 404).then_some(()));
    assert_eq!(api.get(&format!("{url}/wait")).status, 404);
    assert_eq!(api.delete(&url).status, 404);
}

#[test]
fn monitor_prints_what_happens() {
    let d = daemon!();
    let monitor = spawn(d.lxc_command().args(["monitor", "--type", "lifecycle"]).stdin(Stdio::null()));
    std::thread::sleep(Duration::from_secs(1));
    d.lxc_ok(&["init", "busybox", "c1"]);
    std::thread::sleep(Duration::from_secs(1));
    monitor.signal(rustix::process::Signal::INT);
    let ended = monitor.wait(Duration::from_secs(10));
    assert!(
        ended.text().contains("container-created") && ended.text().contains("type: lifecycle"),
        "{ended:?}"
    );
}

/// Rule R6.
#[test]
fn a_secret_opens_one_stream_once() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    let body = json!({"command": ["cat"], "wait-for-websocket": true, "interactive": false});
    let started = d.api().send("POST", "/1.0/containers/c1/exec", &body).json();
    let url = started["operation"].as_str().expect("a URL");
    let fds = &started["metadata"]["metadata"]["fds"];
    let secret = |fd: &str| fds[fd].as_str().unwrap_or_else(|| panic!("no fd {fd}: {started}")).to_owned();
    let refused = d.api().request("GET", &format!("{url}/websocket?secret=wrong"), &UPGRADE, &[]);
    assert_eq!(refused.status, 403, "{refused:?}");
    let open =
        |fd: &str| testkit::Events::open(&d.socket(), &format!("{url}/websocket?secret={}", secret(fd)));
    let (mut stdin, mut stdout, _stderr) = (open("0"), open("1"), open("2"));
    let again = d.api().request("GET", &format!("{url}/websocket?secret={}", secret("1")), &UPGRADE, &[]);
    assert_ne!(again.status, 101, "the same secret twice");
    stdin.send_binary(b"through");
    assert_eq!(stdout.next_message().map(|m| m.into_data().to_vec()), Some(b"through".to_vec()));
    stdin.send_text("");
    let end = stdout.next_message();
    assert!(end.is_none_or(|m| m.is_text() && m.is_empty()), "an empty text says that this was all");
    assert_eq!(d.api().wait(url)["metadata"]["return"], 0);
}

const UPGRADE: [(&str, &str); 4] = [
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
];
