//! The wire: envelopes, codes and paths, seen by a client that shares no code with us.

use serde_json::json;
use testkit::daemon;

#[test]
fn envelopes_are_as_clients_expect_them() {
    let d = daemon!();
    let api = d.api();
    let root = api.get("/");
    assert_eq!((root.status, root.metadata()), (200, json!(["/1.0"])));
    assert!(root.header("content-type").is_some_and(|t| t.starts_with("application/json")));
    let body = root.json();
    let fixed = json!({"type": "sync", "status": "Success", "status_code": 200, "operation": "", "error_code": 0, "error": ""});
    for (key, value) in fixed.as_object().expect("an object") {
        assert_eq!(&body[key], value, "{key}");
    }
    let missing = api.get("/1.0/containers/nobody");
    assert_eq!(missing.status, 404);
    assert_eq!((&missing.json()["type"], &missing.json()["error_code"]), (&json!("error"), &json!(404)));
    assert!(!missing.error().is_empty());
    let body = json!({"name": "c1", "source": {"type": "image", "alias": "busybox"}});
    let started = api.send("POST", "/1.0/containers", &body);
    assert_eq!((started.status, &started.json()["type"]), (202, &json!("async")));
    assert_eq!(started.json()["status_code"], 100);
    let operation = started.json()["metadata"].clone();
    assert_eq!(operation["class"], "task");
    assert_eq!(operation["resources"]["containers"], json!(["/1.0/containers/c1"]));
    assert_eq!(api.wait(started.json()["operation"].as_str().unwrap())["status"], "Success");
}

#[test]
fn the_server_describes_itself() {
    let d = daemon!();
    let server = d.api().get("/1.0").metadata();
    assert_eq!((&server["api_version"], &server["auth"]), (&json!("1.0"), &json!("trusted")));
    let environment = &server["environment"];
    assert_eq!((&environment["server"], &environment["storage"]), (&json!("lxd"), &json!("dir")));
    for key in ["kernel", "kernel_version", "kernel_architecture", "server_version", "driver", "server_pid"] {
        assert!(!environment[key].is_null() && environment[key] != "", "{key}");
    }
    let extensions = server["api_extensions"].as_array().expect("a list");
    assert!(extensions.contains(&json!("etag")) && extensions.contains(&json!("patch")));
    for later in ["clustering", "projects", "container_backup", "storage_buckets"] {
        assert!(!extensions.contains(&json!(later)), "{later} is not there yet");
    }
}

#[test]
fn unknown_paths_and_methods_have_codes_of_their_own() {
    let d = daemon!();
    let api = d.api();
    for path in ["/2.0", "/1.0/nonsense", "/1.0/containers/c1/nonsense", "/favicon.ico"] {
        assert_eq!(api.get(path).status, 404, "{path}");
        assert_eq!(api.get(path).json()["type"], "error");
    }
    for (method, path) in [("DELETE", "/1.0"), ("PUT", "/1.0/containers/c1/exec"), ("POST", "/1.0/events")] {
        assert_eq!(api.send(method, path, &json!({})).status, 501, "{method} {path}");
    }
}

#[test]
fn containers_are_also_instances() {
    let d = daemon!();
    let api = d.api();
    let body = json!({"name": "i1", "type": "container", "source": {"type": "image", "alias": "busybox"}});
    assert_eq!(api.operation("POST", "/1.0/instances", &body)["status"], "Success");
    assert_eq!(api.get("/1.0/instances").metadata(), json!(["/1.0/instances/i1"]));
    assert_eq!(api.get("/1.0/containers").metadata(), json!(["/1.0/containers/i1"]));
    assert_eq!(
        api.operation("PUT", "/1.0/instances/i1/state", &json!({"action": "start"}))["status"],
        "Success"
    );
    let one = api.get("/1.0/instances/i1").metadata();
    assert_eq!(
        (&one["name"], &one["status"], &one["type"]),
        (&json!("i1"), &json!("Running"), &json!("container"))
    );
    assert_eq!(api.get("/1.0/instances/i1/state").metadata()["status"], "Running");
    let force = json!({"action": "stop", "force": true, "timeout": 0});
    assert_eq!(api.operation("PUT", "/1.0/instances/i1/state", &force)["status"], "Success");
    assert_eq!(api.operation("DELETE", "/1.0/instances/i1", &json!({}))["status"], "Success");
}

#[test]
fn lists_can_be_full_and_filtered() {
    let d = daemon!();
    let api = d.api();
    d.lxc_ok(&["init", "busybox", "a"]);
    d.lxc_ok(&["launch", "busybox", "b"]);
    let full = api.get("/1.0/containers?recursion=1").metadata();
    let names: Vec<_> = full.as_array().unwrap().iter().map(|c| c["name"].clone()).collect();
    assert_eq!(names, ["a", "b"]);
    assert!(
        full[0]["expanded_devices"]["eth0"].is_object()
            && full[0]["devices"].as_object().is_some_and(|d| d.is_empty())
    );
    let fuller = api.get("/1.0/containers?recursion=2").metadata();
    assert_eq!(
        (&fuller[1]["state"]["status"], fuller[1]["state"]["pid"].as_i64() > Some(0)),
        (&json!("Running"), true)
    );
    let some = api.get("/1.0/containers?recursion=1&filter=status%20eq%20Running").metadata();
    assert_eq!(some.as_array().map(Vec::len), Some(1));
    let refused = api.get("/1.0/containers?recursion=1&filter=status%20eq");
    assert!([400, 500].contains(&refused.status), "{refused:?}");
}

#[test]
fn server_configuration_is_replaced_merged_and_guarded() {
    let d = daemon!();
    let api = d.api();
    let (one, two) = ("user.one", "user.two");
    assert_eq!(api.send("PATCH", "/1.0", &json!({"config": {one: "1"}})).status, 200);
    assert_eq!(api.send("PATCH", "/1.0", &json!({"config": {two: "2"}})).status, 200);
    let tag = api.get("/1.0").header("etag").expect("an ETag").to_owned();
    let config = || api.get("/1.0").metadata()["config"].clone();
    assert_eq!((&config()[one], &config()[two]), (&json!("1"), &json!("2")));
    assert_eq!(api.send("PUT", "/1.0", &json!({"config": {two: "3"}})).status, 200);
    assert!(config()[one].is_null() && config()[two] == "3", "{}", config());
    let headers = [("Content-Type", "application/json"), ("If-Match", tag.as_str())];
    assert_eq!(api.request("PUT", "/1.0", &headers, b"{\"config\":{}}").status, 412);
    let refused = api.send("PUT", "/1.0", &json!({"config": {"core.wrong": "x"}}));
    assert_eq!(refused.status, 400);
    assert!(refused.error().contains("core.wrong"), "{}", refused.error());
    assert_eq!(config()[two], "3");
}

#[test]
fn logs_networks_and_pools_can_be_read() {
    let d = daemon!();
    let api = d.api();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    let logs = api.get("/1.0/containers/c1/logs").metadata();
    let log = logs.as_array().unwrap().iter().find(|l| l.as_str().is_some_and(|l| l.ends_with("/lxc.log")));
    assert_eq!(api.get(log.and_then(|l| l.as_str()).unwrap_or_else(|| panic!("{logs}"))).status, 200);
    for wrong in ["..%2f..%2fdatabase%2flxd.db", "other.txt", "%2fetc%2fpasswd"] {
        assert_eq!(api.get(&format!("/1.0/containers/c1/logs/{wrong}")).status, 400, "{wrong}");
    }
    let network = api.get("/1.0/networks/lxdbr0").metadata();
    assert_eq!((&network["type"], &network["managed"]), (&json!("bridge"), &json!(true)));
    assert!(network["used_by"].to_string().contains("/1.0/containers/c1"), "{network}");
    assert!(
        api.get("/1.0/networks")
            .metadata()
            .as_array()
            .is_some_and(|l| l.contains(&json!("/1.0/networks/lxdbr0")))
    );
    let pool = api.get("/1.0/storage-pools/default").metadata();
    assert_eq!((&pool["driver"], &pool["status"]), (&json!("dir"), &json!("Created")));
    assert_eq!(api.get("/1.0/networks/none").status, 404);
    assert_eq!(api.get("/1.0/storage-pools/none").status, 404);
}

#[test]
fn query_speaks_to_it_raw() {
    let d = daemon!();
    let list: serde_json::Value = serde_json::from_str(&d.lxc_ok(&["query", "/1.0/profiles"])).unwrap();
    assert_eq!(list, json!(["/1.0/profiles/default"]));
    d.lxc_ok(&["query", "-X", "POST", "-d", "{\"name\": \"p1\"}", "/1.0/profiles"]);
    let list: serde_json::Value = serde_json::from_str(&d.lxc_ok(&["query", "/1.0/profiles"])).unwrap();
    assert_eq!(list.as_array().map(Vec::len), Some(2));
    let wait = [
        "query",
        "--wait",
        "-X",
        "POST",
        "-d",
        "{\"name\": \"c1\", \"source\": {\"type\": \"image\", \"alias\": \"busybox\"}}",
        "/1.0/containers",
    ];
    d.lxc_ok(&wait);
    assert_eq!(d.status("c1"), "Stopped");
    assert!(d.lxc_fails(&["query", "/1.0/containers/nobody"]).contains("not found"));
}
