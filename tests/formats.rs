//! Everything that `lxc` lists, shows and tells can be read by programs, in every format.

use serde_json::Value;
use testkit::{TestDaemon, daemon};

const FORMATS: [&str; 5] = ["json", "yaml", "csv", "table", "compact"];

/// What a command prints as JSON; the other formats must be there too, and not empty.
fn read(d: &TestDaemon, command: &str) -> Value {
    let words: Vec<&str> = command.split(' ').collect();
    let printed = FORMATS.map(|format| d.lxc_ok(&[&words[..], &["--format", format]].concat()));
    let [json, yaml, csv, table, compact] = &printed;
    assert_eq!(json.lines().count(), 1, "{command}: {json}");
    assert!(!yaml.is_empty() && !csv.is_empty(), "{command}: {yaml}, {csv}");
    assert!(table.starts_with("+-") && table.ends_with("+\n"), "{command}: {table}");
    assert!(compact.starts_with("  ") && compact.lines().count() > 1, "{command}: {compact}");
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{command}: {error}: {json}"))
}

#[test]
fn every_object_can_be_read_by_programs() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1", "-c", "user.note=a, \"b\""]);
    d.lxc_ok(&["snapshot", "c1", "one"]);
    for command in
        ["list", "image list", "profile list", "network list", "storage list", "remote list", "alias list"]
    {
        let all = read(&d, command);
        assert!(all.as_array().is_some_and(|all| !all.is_empty()) || all.is_object(), "{command}: {all}");
    }
    assert_eq!(read(&d, "info c1")["state"]["processes"].as_u64().map(|count| count > 0), Some(true));
    assert_eq!(read(&d, "info c1")["snapshots"][0]["name"], "c1/one");
    assert!(read(&d, "info")["environment"]["kernel"].is_string());
    assert_eq!(read(&d, "config show c1")["config"]["user.note"], "a, \"b\"");
    assert_eq!(read(&d, "config show c1 --expanded")["devices"]["root"]["pool"], "default");
    assert_eq!(read(&d, "config show c1/one")["config"]["user.note"], "a, \"b\"");
    assert!(read(&d, "config show")["config"].is_object());
    assert!(read(&d, "config metadata show c1")["architecture"].is_string());
    assert_eq!(read(&d, "profile show default")["devices"]["root"]["type"], "disk");
    assert_eq!(read(&d, "profile device show default")["root"]["path"], "/");
    assert_eq!(read(&d, "profile device list default")["root"]["path"], "/");
    assert!(read(&d, "image show busybox")["properties"].is_object());
    let fingerprint = read(&d, "image info busybox")["fingerprint"].as_str().unwrap().to_owned();
    assert_eq!(fingerprint.len(), 64);
    let bridge = read(&d, "network show lxdbr0");
    assert_eq!(bridge["managed"], true);
    let address = bridge["config"]["ipv4.address"].as_str().unwrap();
    let state = read(&d, "network info lxdbr0");
    assert!(state["counters"]["bytes_sent"].is_number() && state["state"] == "up", "{state}");
    let has = |found: &Value| address.starts_with(found["address"].as_str().unwrap());
    assert!(state["addresses"].as_array().unwrap().iter().any(has), "{state}");
    assert_eq!(d.lxc_ok(&["network", "get", "lxdbr0", "ipv4.address"]), format!("{address}\n"));
    assert_eq!(d.lxc_ok(&["network", "get", "lxdbr0", "user.nothing"]), "\n");

    assert_eq!(read(&d, "storage show default")["driver"], "dir");
    let info = read(&d, "storage info default");
    assert!(info["space"]["total"].as_u64() > Some(0) && info["space"]["used"].as_u64() > Some(0), "{info}");
    let total = format!("space.total,{}\n", info["space"]["total"]);
    assert!(d.lxc_ok(&["storage", "info", "default", "-f", "csv"]).contains(&total));
    let volumes = read(&d, "storage volume list default");
    let named = |name: &str| volumes.as_array().unwrap().iter().any(|volume| volume["name"] == name);
    assert!(named("c1") && named(&fingerprint), "{volumes}");
    // Values are found under their own names, whatever they are.
    let csv = d.lxc_ok(&["config", "show", "c1", "-f", "csv"]);
    assert!(csv.contains("config.user.note,\"a, \"\"b\"\"\"\n"), "{csv}");
}
