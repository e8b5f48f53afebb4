//! The security rules, tried from outside; `docs/security.md` lists each with its tests.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use testkit::{Response, TestDaemon, daemon};

/// A field of `/proc/<pid>/status` of the daemon's process namespace.
fn status(d: &TestDaemon, pid: i64, field: &str) -> String {
    let file = testkit::run(d.inside("cat").arg(format!("/proc/{pid}/status"))).expect_success().text();
    let line = file.lines().find_map(|line| line.strip_prefix(field)).expect("a field of status");
    line.trim_start_matches(':').trim().to_owned()
}

/// Children of a process of the host, and the programs that they are.
fn children(pid: i32) -> BTreeMap<u32, PathBuf> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let pids: Vec<u32> =
        lists.flat_map(|l| l.split(' ').filter_map(|p| p.parse().ok()).collect::<Vec<_>>()).collect();
    let program = |pid: u32| Some((pid, std::fs::read_link(format!("/proc/{pid}/exe")).ok()?));
    pids.into_iter().filter_map(program).collect()
}

/// Checklist of the runtime, line 1: the daemon, which has threads, never runs on in a copy of itself:
/// whatever is its child is another program. What is cloned for containers is cloned by a process with
/// one thread, so that nothing it shares with the copy can be locked.
#[test]
fn only_execution_crosses_from_the_daemon() {
    let d = daemon!();
    let (daemon, done) = (d.pid().as_raw_nonzero().get(), AtomicBool::new(false));
    let lxd = std::fs::read_link(format!("/proc/{daemon}/exe")).unwrap();
    // What the watcher sees, it sees of a process whose child we know.
    let own = i32::try_from(std::process::id()).unwrap();
    assert!(children(own).values().any(|exe| exe.ends_with("unshare")), "{:?}", children(own));
    std::thread::scope(|scope| {
        let _watcher = scope.spawn(|| {
            let mut copies: BTreeMap<u32, u32> = BTreeMap::new();
            while !done.load(Ordering::Relaxed) {
                let now = children(daemon);
                copies.retain(|pid, _| now.get(pid) == Some(&lxd));
                for pid in now.iter().filter(|(_, exe)| **exe == lxd).map(|(pid, _)| *pid) {
                    *copies.entry(pid).or_default() += 1;
                }
                // Between the clone and the execution it is still the daemon, for less than this.
                assert!(copies.values().all(|seen| *seen < 100), "a copy of the daemon goes on: {now:?}");
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        for name in ["c1", "c2", "c3"] {
            d.lxc_ok(&["launch", "busybox", name]);
            d.exec(name, &["true"]);
            let init = d.init_pid(name);
            let keeper: i64 = status(&d, init, "PPid").parse().unwrap();
            assert_eq!(status(&d, keeper, "Name"), "lxd-keeper");
            assert_eq!(status(&d, keeper, "Threads"), "1");
            // What goes wrong between the clone and the execution is told, not logged by the child.
            d.lxc_ok(&["stop", "--force", name]);
            d.lxc_ok(&["config", "set", name, "raw.lxc", "lxc.init.cmd = /no/such/program"]);
            let said = d.lxc_fails(&["start", name]);
            assert!(said.contains("/no/such/program"), "{said}");
        }
        done.store(true, Ordering::Relaxed);
    });
}

fn refused(d: &TestDaemon, what: &str, response: &Response, word: &str) {
    let text = match response.status {
        202 => d.api().wait(response.json()["operation"].as_str().unwrap())["err"].to_string(),
        code => {
            assert!((400..500).contains(&code), "{what}: {code}");
            response.error()
        }
    };
    assert!(text.contains(word), "{what}: {text}");
}

/// Rule R2: what an update would refuse comes in by no other door.
#[test]
fn r2_every_verb_refuses_what_an_update_refuses() {
    if testkit::find_program("sqlite3").is_none() {
        testkit::skip!("sqlite3 is not installed");
    }
    let mut d = daemon!();
    d.lxc_ok(&["init", "busybox", "c1"]);
    d.lxc_ok(&["snapshot", "c1", "good"]);
    d.lxc_ok(&["snapshot", "c1", "bad"]);
    d.lxc_ok(&["snapshot", "c1", "odd"]);
    d.lxc_ok(&["profile", "create", "p1"]);
    // A snapshot of another release, or one that somebody has tampered with.
    d.terminate();
    let sql = r#"UPDATE snapshots SET config = json_set(config, '$."raw.lxc"', 'lxc.hook.pre-start = /bin/true')
            WHERE name = 'bad';
        UPDATE snapshots SET devices = json_set(devices, '$.x', json('{"type":"disk","path":"../up","source":"/"}'))
            WHERE name = 'odd';"#;
    let mut sqlite = std::process::Command::new("sqlite3");
    let _ = testkit::run(sqlite.arg(d.lxd_dir().join("database/lxd.db")).arg(sql)).expect_success();
    d.start_again();
    let api = d.api();
    let source = json!({"type": "image", "alias": "busybox"});
    let good = json!({"type": "copy", "source": "c1/good"});
    let bad_configs = [
        ("raw.lxc", "lxc.hook.pre-start = /bin/true", "lxc.hook"),
        ("security.nesting", "perhaps", "perhaps"),
        ("environment.A\nlxc.hook.start", "/bin/true", "environment.A"),
        ("no.such.key", "1", "no.such.key"),
    ];
    let bad_devices = [
        (json!({"type": "disk", "path": "../up", "source": "/"}), "path"),
        (json!({"type": "teapot"}), "type"),
    ];
    let mut bodies: Vec<(Value, &str)> = Vec::new();
    for (key, value, word) in bad_configs {
        bodies.push((json!({"config": {key: value}}), word));
    }
    for (device, word) in bad_devices {
        bodies.push((json!({"devices": {"x": device}}), word));
    }
    for (body, word) in &bodies {
        let with = |more: Value| {
            let mut whole = body.clone();
            for (key, value) in more.as_object().unwrap() {
                whole[key] = value.clone();
            }
            whole
        };
        let create = with(json!({"name": "new", "source": source}));
        refused(&d, "create", &api.send("POST", "/1.0/containers", &create), word);
        let copy = with(json!({"name": "new", "source": good}));
        refused(&d, "copy", &api.send("POST", "/1.0/containers", &copy), word);
        refused(&d, "update", &api.send("PUT", "/1.0/containers/c1", body), word);
        refused(&d, "patch", &api.send("PATCH", "/1.0/containers/c1", body), word);
        let profile = with(json!({"name": "p2"}));
        refused(&d, "profile", &api.send("POST", "/1.0/profiles", &profile), word);
        refused(&d, "profile update", &api.send("PUT", "/1.0/profiles/p1", body), word);
        refused(&d, "profile patch", &api.send("PATCH", "/1.0/profiles/p1", body), word);
    }
    for (snapshot, word) in [("bad", "lxc.hook"), ("odd", "path")] {
        refused(&d, "restore", &api.send("PUT", "/1.0/containers/c1", &json!({"restore": snapshot})), word);
        let copy = json!({"name": "new", "source": {"type": "copy", "source": format!("c1/{snapshot}")}});
        refused(&d, "copy of a snapshot", &api.send("POST", "/1.0/containers", &copy), word);
    }
    assert_eq!(d.lxc_ok(&["list", "--format", "csv", "-c", "n"]), "c1\n");
    assert_eq!(d.lxc_ok(&["config", "get", "c1", "raw.lxc"]).trim(), "");
    assert_eq!(d.lxc_ok(&["config", "device", "list", "c1"]).trim(), "");
    assert!(!d.lxc_ok(&["profile", "show", "p1"]).contains("nesting"));
    d.lxc_ok(&["restore", "c1", "good"]);
}

/// Rule R3: everything works where there is no shell, and words that a shell would take for commands
/// are words.
#[test]
fn r3_no_shell_is_ever_needed() {
    let mut d = daemon!();
    let nothing = d.scratch().join("nothing");
    std::fs::write(&nothing, "").unwrap();
    let shells = ["sh", "bash", "dash", "zsh", "fish", "ksh", "ash"];
    let found: Vec<PathBuf> = ["/bin", "/usr/bin"]
        .iter()
        .flat_map(|dir| shells.map(|shell| Path::new(dir).join(shell)))
        .filter_map(|path| path.canonicalize().ok())
        .filter(|path| !path.ends_with("busybox"))
        .collect();
    // In the daemon's mount namespace alone, in which everything that it runs is.
    for shell in found {
        let _ = testkit::run(d.inside("mount").arg("--bind").arg(&nothing).arg(&shell)).expect_success();
    }
    let shell = testkit::run(d.inside("env").args(["sh", "-c", "true"]));
    assert_ne!(shell.code(), 0, "there still is a shell: {shell:?}");
    d.terminate();
    d.start_again();
    let odd = d.scratch().join("a; touch gone; $(touch gone) `touch gone` 'x' \"y\" | & *");
    std::fs::create_dir(&odd).unwrap();
    std::fs::write(odd.join("file"), "there\n").unwrap();
    d.lxc_ok(&["launch", "busybox", "c1", "-c", "user.x=$(touch gone); `touch gone`"]);
    let source = format!("source={}", odd.display());
    d.lxc_ok(&["config", "device", "add", "c1", "data", "disk", &source, "path=/mnt/it is; here"]);
    assert_eq!(d.exec("c1", &["cat", "/mnt/it is; here/file"]), "there\n");
    d.lxc_ok(&["config", "device", "override", "c1", "eth0", "limits.max=10Mbit"]);
    d.lxc_ok(&["stop", "--force", "c1"]);
    d.lxc_ok(&["snapshot", "c1", "s1"]);
    d.lxc_ok(&["restore", "c1", "s1"]);
    d.lxc_ok(&["copy", "c1/s1", "c2"]);
    d.lxc_ok(&["start", "c2"]);
    let bridge =
        json!({"name": "other", "config": {"ipv4.address": "10.178.0.1/24", "ipv6.address": "none"}});
    let made = d.api().send("POST", "/1.0/networks", &bridge);
    assert!(made.status < 300, "{}", made.error());
    assert_eq!(d.api().delete("/1.0/networks/other").status, 200);
    let exported = d.scratch().join("exported");
    d.lxc_ok(&["image", "export", "busybox", &exported.to_string_lossy()]);
    let image = std::fs::read_dir(d.scratch()).unwrap().flatten().map(|e| e.path());
    let image = image.filter(|p| p.to_string_lossy().contains("exported")).max().unwrap();
    d.lxc_ok(&["image", "delete", "busybox"]);
    d.lxc_ok(&["image", "import", &image.to_string_lossy(), "--alias", "again"]);
    d.lxc_ok(&["delete", "--force", "c1", "c2"]);
    let left = std::fs::read_dir(d.scratch()).unwrap().flatten().any(|e| e.file_name() == "gone");
    assert!(!left && !Path::new("gone").exists(), "something was run");
}

/// Rule R5: what is another's answers as what is not there.
#[test]
fn r5_nobody_learns_what_there_is_from_a_refusal() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    let body = json!({"command": ["cat"], "wait-for-websocket": true, "interactive": false});
    let started = d.api().send("POST", "/1.0/containers/c1/exec", &body).json();
    let url = started["operation"].as_str().expect("a URL").to_owned();
    let fds = &started["metadata"]["metadata"]["fds"];
    let right = fds["0"].as_str().expect("a secret");
    let ask = |secret: &str| {
        let upgrade = [
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let answer = d.api().request("GET", &format!("{url}/websocket?secret={secret}"), &upgrade, &[]);
        (answer.status, answer.error())
    };
    // Nearly right, of the right length, of none, of another's stream: one answer.
    let mut nearly = right.to_owned();
    nearly.pop();
    nearly.push(if right.ends_with('0') { '1' } else { '0' });
    let refused = ask("x");
    assert_eq!(refused.0, 403);
    for secret in [nearly.as_str(), &right[..right.len() - 1], &"0".repeat(right.len()), &format!("{right}0")]
    {
        assert_eq!(ask(secret), refused, "{secret}");
    }
    let _ = d.api().delete(&url);
}
