//! Configuration, profiles, devices, edit loops, remotes and aliases.

mod fake;

use fake::{Fake, Say, Seen, background, error, operation, sync, tagged};
use serde_json::json;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

fn daemon(seen: &Seen) -> Say {
    match (seen.method.as_str(), seen.path.as_str()) {
        ("GET", path) if path.ends_with("/wait") => sync(operation(200, json!({}), json!({}))),
        ("GET", "/1.0") => {
            tagged(&json!({"config": {"core.https_address": ":8443", "core.trust_password": true}}), "srv")
        }
        ("GET", path) if path.starts_with("/1.0/profiles/") => tagged(
            &json!({"name": "web", "config": {"limits.cpu": "1"}, "devices": {}, "used_by": []}),
            "prof",
        ),
        ("GET", _) => tagged(
            &json!({"name": "c1", "status": "Stopped", "status_code": 102, "architecture": "x86_64",
                "config": {"limits.cpu": "1", "user.note": "x"}, "devices": {"kvm": {"type": "unix-char"}},
                "expanded_devices": {"kvm": {"type": "unix-char"}, "root": {"type": "disk", "path": "/"}},
                "expanded_config": {"limits.cpu": "1", "user.note": "x", "limits.memory": "1GB"},
                "profiles": ["default"]}),
            "tag1",
        ),
        ("PUT", path) if path.starts_with("/1.0/containers/") => {
            match seen.json()["config"]["bad.key"].as_str() {
                Some(_) => error(400, "Unknown configuration key \"bad.key\""),
                None => background(json!(null), json!({})),
            }
        }
        _ => sync(json!({})),
    }
}

#[test]
fn keys_are_set_read_and_removed() {
    let fake = Fake::start(daemon);
    fake.ok(&["config", "set", "c1", "limits.cpu", "2"]);
    let put = fake.find("PUT /1.0/containers/c1");
    assert_eq!(put.json()["config"], json!({"limits.cpu": "2", "user.note": "x"}));
    assert_eq!(put.header("if-match"), "tag1");
    assert_eq!(fake.ok(&["config", "get", "c1", "limits.cpu"]), "1\n");
    assert_eq!(fake.ok(&["config", "get", "c1", "limits.memory"]), "\n");
    assert_eq!(fake.ok(&["config", "get", "core.https_address"]), ":8443\n");
    let text = fake.fails(&["config", "unset", "c1", "limits.disk"]);
    assert_eq!(text, "Error: Can't unset key 'limits.disk', it's not currently set\n");

    let fake = Fake::start(daemon);
    fake.ok(&["config", "unset", "local:c1", "user.note"]);
    assert_eq!(fake.find("PUT /1.0/containers/c1").json()["config"], json!({"limits.cpu": "1"}));
    fake.ok(&["config", "set", "core.https_address=[::]:1", "images.auto_update_interval=2"]);
    let expected = json!({"config": {"core.https_address": "[::]:1", "images.auto_update_interval": "2"}});
    assert_eq!(fake.find("PATCH /1.0").json(), expected);
    fake.ok(&["config", "unset", "core.https_address"]);
    assert_eq!(fake.find("PUT /1.0").json(), json!({"config": {"core.trust_password": true}}));
}

#[test]
fn a_value_may_come_from_standard_input() {
    let fake = Fake::start(daemon);
    let mut child =
        fake.command(&["config", "set", "c1", "user.data", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"#cloud-config\na: b\n").unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(fake.find("PUT /1.0/containers/c1").json()["config"]["user.data"], "#cloud-config\na: b\n");
}

#[test]
fn show_prints_what_edit_takes() {
    let fake = Fake::start(daemon);
    let shown = fake.ok(&["config", "show", "c1"]);
    assert_eq!(
        shown,
        "architecture: x86_64\nconfig:\n  limits.cpu: \"1\"\n  user.note: x\ndevices:\n  kvm:\n    type: unix-char\n\
         ephemeral: false\nprofiles:\n- default\nstateful: false\ndescription: \"\"\n"
    );
    assert!(fake.ok(&["config", "show", "c1", "--expanded"]).contains("limits.memory: 1GB"));
    assert!(fake.ok(&["config", "show"]).starts_with("config:\n  core.https_address: "));
    let mut child = fake.command(&["config", "edit", "c1"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(shown.replace("\"1\"", "4").as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    let put = fake.find("PUT /1.0/containers/c1");
    assert_eq!(put.json()["config"]["limits.cpu"], "4");
    assert_eq!(put.header("if-match"), "", "piped text is not bound to what was read");
}

/// An editor that does one of `steps` each time it is opened. See sh(1).
fn editor(fake: &Fake, steps: &[&str]) -> String {
    let cases: String = steps.iter().enumerate().map(|(n, step)| format!("{n}) {step} ;;\n")).collect();
    let count = fake.path("count");
    let script = format!(
        "#!/bin/sh\nn=$(cat {count} 2>/dev/null || echo 0)\necho $((n+1)) > {count}\ncase $n in\n{cases}esac\n",
        count = count.display()
    );
    let path = fake.path("editor.sh");
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Runs a command on a terminal of its own, because editors are only opened there.
fn on_terminal(fake: &Fake, command: &[&str], editor: &str) -> Option<std::process::Output> {
    let line = std::iter::once(env!("CARGO_BIN_EXE_lxc")).chain(command.iter().copied());
    let line = line.map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ");
    let mut script = std::process::Command::new("script");
    script
        .args(["-qec", &line, "/dev/null"])
        .env("LXD_SOCKET", fake.path("unix.socket"))
        .env("LXD_CONF", fake.path("conf"))
        .env("EDITOR", editor)
        .env_remove("VISUAL")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = match script.spawn() {
        Ok(child) => child,
        Err(error) => {
            eprintln!("SKIP {command:?} on a terminal: cannot run script(1): {error}");
            return None;
        }
    };
    // The answers to "Press enter".
    child.stdin.take().unwrap().write_all(b"\n\n").unwrap();
    Some(child.wait_with_output().unwrap())
}

#[test]
fn an_edit_that_is_refused_is_edited_again() {
    let fake = Fake::start(daemon);
    let steps = [
        "sed -i 's/^config:.*/config: [/' \"$1\"",
        "sed -i 's/^config:.*/config:\\n  bad.key: x/' \"$1\"",
        "sed -i 's/bad.key: x/user.good: y/' \"$1\"",
    ];
    let editor = editor(&fake, &steps);
    let Some(output) = on_terminal(&fake, &["config", "edit", "c1"], &editor) else { return };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert_eq!(text.matches("Config parsing error: ").count(), 2, "{text}");
    assert!(text.contains("Press enter to open the editor again"), "{text}");
    let puts: Vec<_> = fake.seen().into_iter().filter(|seen| seen.method == "PUT").collect();
    assert_eq!(puts.len(), 2);
    assert_eq!(puts[1].json()["config"]["user.good"], "y");
    assert_eq!(puts[1].header("if-match"), "tag1");
}

#[test]
fn an_edit_that_changes_nothing_sends_nothing() {
    let fake = Fake::start(daemon);
    let editor = editor(&fake, &["true"]);
    let Some(output) = on_terminal(&fake, &["profile", "edit", "web"], &editor) else { return };
    assert!(output.status.success());
    assert_eq!(fake.lines(), ["GET /1.0/profiles/web"]);
}

#[test]
fn devices_of_containers_and_profiles() {
    let fake = Fake::start(daemon);
    let printed = fake.ok(&["config", "device", "add", "c1", "share", "disk", "source=/srv", "path=/srv"]);
    assert_eq!(printed, "Device share added to c1\n");
    let put = fake.find("PUT /1.0/containers/c1").json();
    assert_eq!(put["devices"]["share"], json!({"type": "disk", "source": "/srv", "path": "/srv"}));
    assert_eq!(fake.ok(&["config", "device", "list", "c1"]), "kvm\n");
    assert_eq!(fake.ok(&["config", "device", "get", "c1", "kvm", "type"]), "unix-char\n");
    assert!(
        fake.fails(&["config", "device", "add", "c1", "kvm", "disk"]).contains("The device already exists")
    );
    assert!(
        fake.fails(&["config", "device", "add", "c1", "x", "disk", "oops"])
            .contains("No value found in \"oops\"")
    );
    assert!(
        fake.fails(&["config", "device", "set", "c1", "root", "size", "1GB"])
            .contains("comes from a profile")
    );
    assert_eq!(fake.ok(&["config", "device", "remove", "c1", "kvm"]), "Device kvm removed from c1\n");
    let printed = fake.ok(&["config", "device", "override", "c1", "root", "size=20GB"]);
    assert_eq!(printed, "Device root overridden for c1\n");
    fake.ok(&["profile", "device", "add", "web", "eth0", "nic", "nictype=bridged"]);
    let put = fake.find("PUT /1.0/profiles/web");
    assert_eq!(
        (put.json()["devices"]["eth0"]["nictype"].as_str(), put.header("if-match")),
        (Some("bridged"), "prof")
    );
}

#[test]
fn profiles_are_assigned_added_and_taken_away() {
    let fake = Fake::start(daemon);
    assert_eq!(fake.ok(&["profile", "apply", "c1", "default,web"]), "Profiles default,web applied to c1\n");
    assert_eq!(fake.find("PUT /1.0/containers/c1").json()["profiles"], json!(["default", "web"]));
    assert_eq!(fake.ok(&["profile", "assign", "c1", ""]), "Profiles (none) applied to c1\n");
    assert_eq!(fake.ok(&["profile", "add", "c1", "web"]), "Profile web added to c1\n");
    assert!(fake.fails(&["profile", "remove", "c1", "web"]).contains("isn't currently applied"));
    assert_eq!(fake.ok(&["profile", "create", "web"]), "Profile web created\n");
    fake.ok(&["profile", "set", "web", "limits.cpu=2", "limits.memory=1GB"]);
    let put = fake.find("PUT /1.0/profiles/web").json();
    assert_eq!(put["config"], json!({"limits.cpu": "2", "limits.memory": "1GB"}));
}

#[test]
fn remotes_and_aliases_are_kept() {
    let fake = Fake::start(daemon);
    let address = format!("unix://{}", fake.path("unix.socket").display());
    fake.ok(&["remote", "add", "lab", &address]);
    assert_eq!(fake.ok(&["config", "get", "lab:c1", "limits.cpu"]), "1\n");
    assert!(fake.fails(&["remote", "add", "lab", &address]).contains("Remote lab exists as <unix://"));
    assert!(fake.fails(&["remote", "add", "far", "ftp://h:8443"]).contains("is not an address"));
    fake.ok(&["remote", "add", "mini", "https://example.org/minimal/", "--protocol", "simplestreams"]);
    assert!(
        fake.ok(&["remote", "list", "--format", "csv"])
            .contains("mini,https://example.org/minimal,simplestreams,,YES,NO\n")
    );
    fake.ok(&["remote", "rename", "mini", "small"]);
    fake.ok(&["remote", "set-url", "small", "https://example.org/small"]);
    assert!(fake.ok(&["remote", "list", "--format", "json"]).contains("https://example.org/small"));
    fake.ok(&["remote", "remove", "small"]);
    assert!(fake.fails(&["remote", "remove", "small"]).contains("doesn't exist"));
    assert!(fake.fails(&["remote", "rename", "ubuntu", "x"]).contains("static"));
    assert!(fake.fails(&["remote", "add", "a b", &address]).contains("no blanks"));
    let unreachable = fake.fails(&["remote", "add", "far", "127.0.0.1:1"]);
    assert!(unreachable.contains("cannot connect to 127.0.0.1:1") && unreachable.contains("https_address"));
    assert!(fake.fails(&["remote", "remove", "local"]).contains("static"));
    fake.ok(&["remote", "set-default", "lab"]);
    assert_eq!(fake.ok(&["remote", "get-default"]), "lab\n");
    assert!(fake.ok(&["remote", "list"]).contains("| lab (default)"));
    assert!(fake.fails(&["remote", "remove", "lab"]).contains("Can't remove the default remote"));

    fake.ok(&["alias", "add", "cpu", "config get @ARGS@ limits.cpu"]);
    assert_eq!(fake.ok(&["cpu", "c1"]), "1\n");
    assert!(fake.ok(&["alias", "list"]).contains("| shell | exec @ARGS@ -- su -l"));
    fake.ok(&["alias", "rename", "cpu", "cpus"]);
    fake.ok(&["alias", "remove", "cpus"]);
    assert!(fake.fails(&["alias", "remove", "cpus"]).contains("doesn't exist"));
}

#[test]
fn queries_show_what_the_server_says() {
    let fake = Fake::start(daemon);
    let text = fake.ok(&["query", "/1.0"]);
    assert!(text.contains("\n\t\t\"core.https_address\": \":8443\""), "{text}");
    assert_eq!(fake.ok(&["query", "-X", "PATCH", "-d", "{\"a\": 1}", "/1.0/profiles/web"]), "");
    assert_eq!(fake.find("PATCH /1.0/profiles/web").json(), json!({"a": 1}));
    assert!(
        fake.ok(&["query", "-X", "PUT", "-d", "{\"config\":{}}", "--wait", "/1.0/containers/c1"])
            .contains("\"status_code\": 200")
    );
    assert!(fake.ok(&["query", "--raw", "/1.0"]).starts_with("{\"metadata\":"));
    assert!(fake.fails(&["query", "1.0"]).contains("must start with /"));
}
