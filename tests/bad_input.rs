//! What is wrong is refused with the right code and a sentence, and changes nothing.

use serde_json::{Value, json};
use testkit::{TestDaemon, daemon};

/// Everything that requests here could change.
fn snapshot(d: &TestDaemon) -> Vec<Value> {
    let api = d.api();
    let lists = ["containers", "profiles", "images", "networks", "storage-pools"];
    lists.iter().map(|l| api.get(&format!("/1.0/{l}?recursion=1")).metadata()).collect()
}

#[test]
fn requests_that_make_no_sense() {
    let d = daemon!();
    let api = d.api();
    d.lxc_ok(&["launch", "busybox", "up"]);
    d.lxc_ok(&["init", "busybox", "down"]);
    let image = json!({"type": "image", "alias": "busybox"});
    let named = |name: &str| json!({"name": name, "source": image});
    let with = |key: &str, value: Value| {
        let mut body = named("new");
        body[key] = value;
        body
    };
    let long = "a".repeat(64);
    // Method, path, body, code, a word that the sentence must have.
    let cases: Vec<(&str, &str, Value, u16, &str)> = vec![
        ("POST", "/1.0/containers", named("a/b"), 400, "/"),
        ("POST", "/1.0/containers", named("-start"), 400, "-start"),
        ("POST", "/1.0/containers", named("under_score"), 400, "under_score"),
        ("POST", "/1.0/containers", named(".."), 400, ".."),
        ("POST", "/1.0/containers", named("new\nline"), 400, ""),
        ("POST", "/1.0/containers", named(&long), 400, ""),
        ("POST", "/1.0/containers", json!({"name": "new", "source": {"type": "magic"}}), 400, "magic"),
        ("POST", "/1.0/containers", json!({"name": "new"}), 400, ""),
        ("POST", "/1.0/containers", json!({"name": 5}), 400, ""),
        ("POST", "/1.0/containers", with("profiles", json!(["nowhere"])), 404, "nowhere"),
        ("POST", "/1.0/containers", with("config", json!({"no.such": "x"})), 400, "no.such"),
        ("POST", "/1.0/containers", with("config", json!({"limits.memory": "much"})), 400, "much"),
        ("POST", "/1.0/containers", with("devices", json!({"x": {"type": "teapot"}})), 400, "type"),
        ("POST", "/1.0/containers", with("devices", json!({"x": {"type": "disk"}})), 400, "path"),
        ("POST", "/1.0/containers", with("devices", json!({"x": {}})), 400, "type"),
        ("GET", "/1.0/containers/nobody", json!({}), 404, ""),
        ("DELETE", "/1.0/containers/nobody", json!({}), 404, ""),
        ("DELETE", "/1.0/containers/up", json!({}), 400, "running"),
        ("PUT", "/1.0/containers/up/state", json!({"action": "dance"}), 400, "dance"),
        ("PUT", "/1.0/containers/nobody/state", json!({"action": "start"}), 404, ""),
        ("PATCH", "/1.0/containers/down", json!({"config": {"security.privileged": "maybe"}}), 400, "maybe"),
        ("PUT", "/1.0/containers/down", json!({"config": {"no.such": "x"}}), 400, "no.such"),
        ("PUT", "/1.0/containers/down", json!({"profiles": ["nowhere"]}), 404, "nowhere"),
        ("POST", "/1.0/containers/down", json!({"name": "up"}), 409, "up"),
        ("POST", "/1.0/containers/down", json!({"name": "a b"}), 400, "a b"),
        ("POST", "/1.0/containers/down/exec", json!({"command": ["true"]}), 400, "not running"),
        ("POST", "/1.0/containers/up/exec", json!({"command": []}), 400, "command"),
        ("POST", "/1.0/containers/up/exec", json!({"command": "true"}), 400, ""),
        ("POST", "/1.0/containers/nobody/exec", json!({"command": ["true"]}), 404, ""),
        ("POST", "/1.0/containers/down/console", json!({}), 400, "not running"),
        ("POST", "/1.0/profiles", json!({"name": ""}), 400, ""),
        ("POST", "/1.0/profiles", json!({"name": "a/b"}), 400, "/"),
        ("POST", "/1.0/profiles", json!({"name": "p", "config": {"no.such": "x"}}), 400, "no.such"),
        ("PUT", "/1.0/profiles/nowhere", json!({}), 404, ""),
        ("DELETE", "/1.0/profiles/nowhere", json!({}), 404, ""),
        ("DELETE", "/1.0/profiles/default", json!({}), 400, "default"),
        ("GET", "/1.0/images/0000", json!({}), 404, ""),
        ("GET", "/1.0/images/not-hex", json!({}), 404, "not-hex"),
        ("DELETE", "/1.0/images/0000", json!({}), 404, ""),
        ("POST", "/1.0/images/aliases", json!({"name": "x", "target": "0000"}), 404, ""),
        ("POST", "/1.0/images/aliases", json!({"name": "", "target": "0000"}), 400, ""),
        ("DELETE", "/1.0/images/aliases/nowhere", json!({}), 404, ""),
        ("GET", "/1.0/operations/not-a-uuid", json!({}), 404, ""),
        ("PUT", "/1.0", json!({"config": {"core.nonsense": "x"}}), 400, "core.nonsense"),
        ("POST", "/1.0/networks", json!({"name": "lxdbr0"}), 400, "lxdbr0"),
    ];
    let before = snapshot(&d);
    let mut wrong = Vec::new();
    for (method, path, body, code, word) in cases {
        let response = api.send(method, path, &body);
        let sentence = response.error();
        let good = response.status == code && response.json()["error_code"] == code;
        if !good || !sentence.contains(word) || sentence.len() < 8 {
            wrong.push(format!(
                "{method} {path} {body}: {} {sentence:?}, not {code} {word:?}",
                response.status
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(snapshot(&d), before);
}

#[test]
fn bodies_that_are_no_json() {
    let d = daemon!();
    let api = d.api();
    let json = [("Content-Type", "application/json")];
    for body in [&b"{"[..], b"[]", b"\xff\xfe", b"{\"name\": }", b""] {
        for (method, path) in
            [("POST", "/1.0/containers"), ("POST", "/1.0/profiles"), ("PUT", "/1.0/profiles/default")]
        {
            let status = api.request(method, path, &json, body).status;
            assert!((400..500).contains(&status), "{method} {path} {body:?}: {status}");
        }
    }
    let deep = "[".repeat(100_000);
    assert_eq!(api.request("POST", "/1.0/containers", &json, deep.as_bytes()).status, 400);
    assert_eq!(api.get("/1.0").status, 200);
}

#[test]
fn names_that_are_taken_and_images_that_are_not_there() {
    let d = daemon!();
    let api = d.api();
    d.lxc_ok(&["init", "busybox", "c1"]);
    let again = api.send(
        "POST",
        "/1.0/containers",
        &json!({"name": "c1", "source": {"type": "image", "alias": "busybox"}}),
    );
    let text = match again.status {
        202 => api.wait(again.json()["operation"].as_str().unwrap())["err"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        code => {
            assert_eq!(code, 409);
            again.error()
        }
    };
    assert!(text.contains("already exists"), "{text}");
    assert_eq!(d.lxc_ok(&["list", "-c", "n", "--format", "csv"]), "c1\n");
    for source in [
        json!({"type": "image", "alias": "nowhere"}),
        json!({"type": "image", "fingerprint": "00ff"}),
        json!({"type": "image"}),
        json!({"type": "copy", "source": "nobody"}),
    ] {
        let response = api.send("POST", "/1.0/containers", &json!({"name": "c2", "source": source}));
        let refused = match response.status {
            202 => api.wait(response.json()["operation"].as_str().unwrap())["status"] == "Failure",
            code => (400..500).contains(&code),
        };
        assert!(refused, "{source}");
        assert_eq!(d.status("c2"), "");
    }
    let refused = d.lxc_fails(&["launch", "nowhere", "c3"]);
    assert!(refused.contains("nowhere") || refused.contains("image"), "{refused}");
}

#[test]
fn stateful_is_refused_with_a_reason() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    for body in [json!({"action": "stop", "stateful": true}), json!({"action": "start", "stateful": true})] {
        let response = d.api().send("PUT", "/1.0/containers/c1/state", &body);
        let text = match response.status {
            202 => d.api().wait(response.json()["operation"].as_str().unwrap())["err"].to_string(),
            _ => response.error(),
        };
        assert!(text.to_lowercase().contains("state"), "{body}: {text}");
    }
    d.lxc_ok(&["snapshot", "c1", "plain"]);
    for arguments in [
        &["stop", "--stateful", "c1"][..],
        &["snapshot", "--stateful", "c1"],
        &["restore", "--stateful", "c1", "plain"],
    ] {
        let text = d.lxc_fails(arguments);
        assert!(text.contains("tate") && !text.contains("unexpected argument"), "{arguments:?}: {text}");
    }
    assert_eq!(d.status("c1"), "Running");
    d.lxc_ok(&["stop", "--force", "c1"]);
    d.lxc_ok(&["start", "--stateless", "c1"]);
    assert_eq!(d.status("c1"), "Running");
}

#[test]
fn the_command_line_says_what_is_wrong() {
    let d = daemon!();
    for arguments in [
        &["frobnicate"][..],
        &["launch", "a", "b", "c"],
        &["list", "--no-such-flag"],
        &["exec", "c1"],
        &["list", "nowhere:"],
    ] {
        let ended = d.lxc(arguments);
        assert_eq!(ended.code(), 1, "{ended:?}");
        assert!(!ended.errors().trim().is_empty(), "{ended:?}");
        assert!(!ended.errors().contains("panicked"), "{ended:?}");
    }
    let remote = d.lxc_fails(&["list", "nowhere:"]);
    assert!(remote.contains("The remote \"nowhere\" doesn't exist"), "{remote}");
    assert!(d.lxc_ok(&["help"]).contains("launch"));
    assert!(!d.lxc_ok(&["version"]).trim().is_empty());
    assert_eq!(d.lxc(&[]).code(), 0);
}
