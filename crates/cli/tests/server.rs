//! Events, operations, networks, pools, versions, completion.

mod fake;

use fake::{Fake, Say, Seen, error, operation, sync};
use futures_util::SinkExt as _;
use serde_json::{Value, json};
use std::process::Stdio;
use tokio_tungstenite::tungstenite::Message;

fn daemon(seen: &Seen) -> Say {
    match seen.path.as_str() {
        "/1.0" => sync(json!({"api_version": "1.0", "auth": "trusted", "config": {"a.b": "c"},
            "environment": {"server_version": "9.9", "driver": "lxc"}})),
        "/1.0/events" => Say::Websocket(Box::new(|mut socket| {
            Box::pin(async move {
                let events = [
                    json!({"type": "logging", "timestamp": "2016-03-30T04:36:00Z",
                        "metadata": {"message": "hello", "level": "dbug", "context": {}}}),
                    json!({"type": "logging", "timestamp": "2016-03-30T04:36:01Z",
                        "metadata": {"message": "ouch", "level": "eror", "context": {"why": "x"}}}),
                ];
                for event in events {
                    socket.send(Message::text(event.to_string())).await.unwrap();
                }
                socket.close(None).await.unwrap();
            })
        })),
        "/1.0/networks" => sync(json!([
            {"name": "lo", "type": "loopback", "managed": false, "used_by": []},
            {"name": "lxdbr0", "type": "bridge", "managed": true, "used_by": ["/1.0/containers/a"]}])),
        "/1.0/networks/lxdbr0/leases" => sync(
            json!([{"hostname": "a", "hwaddr": "00:16:3e:00:00:01", "address": "10.0.0.2", "type": "dynamic"}]),
        ),
        "/1.0/storage-pools/default" => sync(json!({"name": "default", "driver": "dir",
            "used_by": ["/1.0/containers/b", "/1.0/containers/a", "/1.0/profiles/default"]})),
        "/1.0/storage-pools/default/resources" => {
            sync(json!({"space": {"used": 1024, "total": 1_073_741_824}}))
        }
        "/1.0/operations" => sync(json!({"running": [operation(103, json!(null), json!(null))]})),
        _ => error(404, "not found"),
    }
}

#[test]
fn events_as_yaml_json_and_log_lines() {
    let fake = Fake::start(daemon);
    let yaml = "metadata:\n  context: {}\n  level: dbug\n  message: hello\ntimestamp: \"2016-03-30T04:36:00Z\"\ntype: logging\n\n";
    assert!(fake.ok(&["monitor"]).starts_with(yaml), "{}", fake.ok(&["monitor"]));
    let json = fake.ok(&["monitor", "--format", "json", "--type", "logging", "--type", "lifecycle"]);
    assert_eq!(json.lines().count(), 2);
    assert_eq!(
        serde_json::from_str::<Value>(json.lines().nth(1).unwrap()).unwrap()["metadata"]["message"],
        "ouch"
    );
    assert_eq!(fake.seen().last().unwrap().query, "type=logging,lifecycle");
    let pretty = fake.ok(&["monitor", "--pretty", "--type=logging", "--loglevel=warn"]);
    assert_eq!(pretty, "ERROR    [2016-03-30T04:36:01Z] ouch why=x\n");
    assert!(fake.fails(&["monitor", "--pretty"]).contains("--type=logging"));
}

#[test]
fn networks_pools_and_operations() {
    let fake = Fake::start(daemon);
    assert_eq!(fake.ok(&["network", "list", "-f", "csv"]), "lxdbr0,bridge,YES,,1\n");
    assert_eq!(
        fake.ok(&["network", "list-leases", "lxdbr0", "-f", "csv"]),
        "a,00:16:3e:00:00:01,10.0.0.2,DYNAMIC\n"
    );
    assert_eq!(
        fake.ok(&["storage", "info", "default"]),
        "info:\n  description: \"\"\n  driver: dir\n  name: default\n  space used: 1.00kB\n  total space: 1.00GB\n\
         used by:\n  containers:\n  - a\n  - b\n  profiles:\n  - default\n"
    );
    assert!(fake.ok(&["storage", "info", "default", "--bytes"]).contains("total space: \"1073741824\""));
    assert_eq!(fake.ok(&["operation", "list", "-f", "csv"]), "op1,TASK,,X,NO,\n");
    assert_eq!(fake.fails(&["operation", "show", "gone"]), "Error: not found\n");
}

#[test]
fn the_server_and_versions() {
    let fake = Fake::start(daemon);
    assert!(fake.ok(&["info"]).starts_with("config:\n  a.b: c\napi_extensions: []\n"));
    assert_eq!(
        fake.ok(&["version"]),
        format!("Client version: {}\nServer version: 9.9\n", env!("CARGO_PKG_VERSION"))
    );
    assert!(fake.ok(&["--version"]).contains(env!("CARGO_PKG_VERSION")));
    for shell in ["bash", "zsh", "fish"] {
        assert!(fake.ok(&["completion", shell]).contains("list-leases"), "{shell}");
    }
}

#[test]
fn ctrl_c_cancels_what_can_be_cancelled() {
    let (cancelled, wait) = tokio::sync::oneshot::channel();
    let state = std::sync::Mutex::new((Some(cancelled), Some(wait)));
    let fake = Fake::start(move |seen| match (seen.method.as_str(), seen.path.as_str()) {
        ("POST", _) => {
            let mut operation = operation(103, json!(null), json!(null));
            operation["may_cancel"] = json!(true);
            let body = json!({"type": "async", "metadata": operation});
            Say::Answer(fake::raw(202, body.to_string()))
        }
        ("GET", "/1.0/operations/op1/wait") => Say::Later(state.lock().unwrap().1.take().unwrap()),
        ("DELETE", "/1.0/operations/op1") => {
            let ended = fake::sync_response(&operation(401, json!(null), json!(null)));
            let _ = state.lock().unwrap().0.take().unwrap().send(ended);
            sync(json!({}))
        }
        _ => error(404, "not found"),
    });
    let child = fake.command(&["launch", "debian/12", "c1"]).stderr(Stdio::piped()).spawn().unwrap();
    // The signal is only caught once the client waits.
    for _ in 0..500 {
        if fake.lines().iter().any(|line| line.ends_with("/wait")) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT)
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "Error: Cancelled\n");
    assert_eq!(output.status.code(), Some(1));
}
