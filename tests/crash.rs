//! The daemon is killed at every step of create, start, stop and delete; nothing half-made remains.
//!
//! A debug build of the daemon writes the name of each step that it takes to `LIGHTERVISOR_STEPS`
//! and dies at the one that `LIGHTERVISOR_CRASH_AT` names, so this test finds the steps by itself.

use serde_json::json;
use std::collections::BTreeSet;
use testkit::{Api, TestDaemon, daemon, eventually, run};

/// The life of one container as requests. A daemon that dies leaves one of them unanswered.
fn live(api: &Api) -> std::io::Result<()> {
    let create = json!({"name": "c1", "source": {"type": "image", "alias": "busybox"}});
    operation(api, "POST", "/1.0/containers", &create)?;
    operation(api, "PUT", "/1.0/containers/c1/state", &json!({"action": "start", "timeout": 30}))?;
    operation(api, "PUT", "/1.0/containers/c1/state", &json!({"action": "stop", "timeout": 30}))?;
    operation(api, "PUT", "/1.0/containers/c1/state", &json!({"action": "start", "timeout": 30}))?;
    operation(
        api,
        "PUT",
        "/1.0/containers/c1/state",
        &json!({"action": "stop", "timeout": 0, "force": true}),
    )?;
    operation(api, "DELETE", "/1.0/containers/c1", &json!({}))
}

fn operation(api: &Api, method: &str, path: &str, body: &serde_json::Value) -> std::io::Result<()> {
    let json = [("Content-Type", "application/json")];
    let response = api.try_request(method, path, &json, body.to_string().as_bytes())?;
    assert_eq!(response.status, 202, "{method} {path}: {}", String::from_utf8_lossy(&response.body));
    let url = response.json()["operation"].as_str().unwrap_or_default().to_owned();
    let ended = api.try_request("GET", &format!("{url}/wait?timeout=60"), &[], &[])?.metadata();
    assert_eq!(ended["status"], "Success", "{method} {path}: {ended}");
    Ok(())
}

/// Traces that a container leaves on the host.
fn traces(d: &TestDaemon) -> Vec<String> {
    let mut found = Vec::new();
    let places =
        ["containers", "storage-pools/default/containers", "devices", "devlxd", "security/seccomp", "logs"];
    for place in places {
        for entry in std::fs::read_dir(d.lxd_dir().join(place)).into_iter().flatten().flatten() {
            found.push(format!("{place}/{}", entry.file_name().to_string_lossy()));
        }
    }
    let ports = run(d.inside("ls").arg("/sys/class/net/lxdbr0/brif")).text();
    found.extend(ports.lines().map(|port| format!("port {port}")));
    let mounts = run(d.inside("cat").arg("/proc/self/mounts")).text();
    found.extend(mounts.lines().filter(|l| l.contains("/c1")).map(|l| format!("mount {l}")));
    let processes = run(d.inside("ps").args(["ax", "-o", "args"])).text();
    found.extend(processes.lines().filter(|l| l.contains("/sbin/init")).map(|l| format!("process {l}")));
    found
}

#[test]
fn crash_at_every_step() {
    let list = tempfile::NamedTempFile::new().expect("a temporary file");
    let builder = TestDaemon::builder().env("LIGHTERVISOR_STEPS", &list.path().to_string_lossy());
    let mut d = daemon!(builder);
    let clean = traces(&d);
    live(&d.api()).expect("nothing crashes yet");
    let steps: BTreeSet<String> =
        std::fs::read_to_string(list.path()).expect("the list").lines().map(str::to_owned).collect();
    if steps.is_empty() {
        testkit::skip!("the daemon names no steps: it is no debug build");
    }
    let verbs = ["create:", "start:", "stop:", "delete:"];
    for verb in verbs {
        assert!(steps.iter().any(|s| s.starts_with(verb)), "no step of {verb} in {steps:?}");
    }
    d.set_env("LIGHTERVISOR_STEPS", None);
    let same = |found: &[String]| found.iter().filter(|t| !clean.contains(t)).cloned().collect::<Vec<_>>();
    eventually("no trace of the first one", || same(&traces(&d)).is_empty().then_some(()));
    for step in steps.iter().filter(|step| verbs.iter().any(|verb| step.starts_with(verb))) {
        d.set_env("LIGHTERVISOR_CRASH_AT", Some(step));
        d.terminate();
        d.start_again();
        let lived = live(&d.api());
        assert!(lived.is_err(), "the daemon did not crash at {step}");
        d.wait_gone();
        d.set_env("LIGHTERVISOR_CRASH_AT", None);
        d.start_again();
        recovered(&mut d, step);
        eventually(&format!("no trace after the crash at {step}: {:?}", same(&traces(&d))), || {
            same(&traces(&d)).is_empty().then_some(())
        });
    }
}

/// After a crash the container is whole or absent, and its name can be used.
fn recovered(d: &mut TestDaemon, step: &str) {
    let status = d.status("c1");
    assert!(["", "Stopped", "Running"].contains(&status.as_str()), "{step}: c1 is {status}");
    if status == "Running" {
        d.exec("c1", &["true"]);
        d.lxc_ok(&["stop", "--force", "c1"]);
    }
    if !status.is_empty() {
        d.lxc_ok(&["start", "c1"]);
        assert_eq!(d.exec("c1", &["hostname"]), "c1\n", "{step}");
        d.lxc_ok(&["delete", "--force", "c1"]);
    }
    d.lxc_ok(&["launch", "busybox", "c1"]);
    assert_eq!(d.exec("c1", &["hostname"]), "c1\n", "{step}");
    d.lxc_ok(&["delete", "--force", "c1"]);
}
