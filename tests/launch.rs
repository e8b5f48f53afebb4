//! The life of a container, as a user drives it.

use testkit::{daemon, eventually};

#[test]
fn launch_list_stop_start_delete() {
    let d = daemon!();
    let said = d.lxc_ok(&["launch", "busybox", "c1"]);
    assert!(said.contains("Creating c1") && said.contains("Starting c1"), "{said}");
    assert_eq!(d.status("c1"), "Running");
    let list = d.lxc_ok(&["list"]);
    assert!(list.contains(" NAME ") && list.contains("| c1") && list.contains("RUNNING"), "{list}");

    d.lxc_ok(&["stop", "c1"]);
    assert_eq!(d.status("c1"), "Stopped");
    assert!(d.lxc_ok(&["list", "--format", "csv", "-c", "ns"]).contains("c1,STOPPED"));
    d.lxc_ok(&["start", "c1"]);
    assert_eq!(d.exec("c1", &["hostname"]).trim(), "c1");

    let before = d.init_pid("c1");
    d.lxc_ok(&["restart", "c1"]);
    assert_eq!(d.status("c1"), "Running");
    assert_ne!(d.init_pid("c1"), before);

    let refused = d.lxc_fails(&["delete", "c1"]);
    assert!(refused.contains("currently running"), "{refused}");
    d.lxc_ok(&["delete", "--force", "c1"]);
    assert_eq!(d.lxc_ok(&["list", "--format", "csv"]), "");
}

#[test]
fn without_a_name_one_is_made_up() {
    let d = daemon!();
    let said = d.lxc_ok(&["init", "busybox"]);
    let name = said.lines().find_map(|l| l.strip_prefix("Container name is: ")).map(str::trim);
    let name = name.unwrap_or_else(|| panic!("no name in {said:?}"));
    assert_eq!(d.status(name), "Stopped");
    assert!(name.contains('-') && name == name.to_lowercase(), "{name}");
}

#[test]
fn verbs_take_several_names() {
    let d = daemon!();
    for name in ["a", "b", "c"] {
        d.lxc_ok(&["init", "busybox", name]);
    }
    d.lxc_ok(&["start", "a", "local:b", "c"]);
    d.lxc_ok(&["pause", "a", "b"]);
    assert_eq!(d.lxc_ok(&["list", "-c", "ns", "--format", "csv"]), "a,FROZEN\nb,FROZEN\nc,RUNNING\n");
    d.lxc_ok(&["start", "a", "b"]);
    d.lxc_ok(&["restart", "--force", "a", "b"]);
    d.lxc_ok(&["stop", "--force", "a", "b", "c"]);
    let refused = d.lxc_fails(&["start", "a", "nobody"]);
    assert!(refused.contains("nobody"), "{refused}");
    assert_eq!(d.status("a"), "Running");
    d.lxc_ok(&["delete", "-f", "a", "b", "c"]);
    assert_eq!(d.lxc_ok(&["list", "--format", "csv"]), "");
}

#[test]
fn a_frozen_container_does_nothing_until_it_is_thawed() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    d.exec("c1", &["sh", "-c", "(while :; do date +%s%N > /tmp/beat; sleep 0.02; done) >/dev/null 2>&1 &"]);
    d.lxc_ok(&["pause", "c1"]);
    assert_eq!(d.status("c1"), "Frozen");
    let read =
        || std::fs::read_to_string(d.lxd_dir().join("containers/c1/rootfs/tmp/beat")).unwrap_or_default();
    let at = read();
    let refused = d.lxc_fails(&["exec", "c1", "--", "true"]);
    assert!(refused.to_lowercase().contains("frozen"), "{refused}");
    assert_eq!(read(), at);
    d.lxc_ok(&["start", "c1"]);
    assert_eq!(d.status("c1"), "Running");
    eventually("it goes on", || (read() != at).then_some(()));
    d.lxc_ok(&["pause", "c1"]);
    d.lxc_ok(&["stop", "--force", "c1"]);
    assert_eq!(d.status("c1"), "Stopped");
}

#[test]
fn init_is_asked_to_end_before_it_is_killed() {
    let d = daemon!();
    d.lxc_ok(&["init", "busybox", "polite"]);
    let script =
        b"#!/bin/sh\ntrap 'echo bye > /root/said; poweroff -f' PWR\nwhile :; do sleep 1 & wait; done\n";
    push_init(&d, "polite", script);
    d.lxc_ok(&["start", "polite"]);
    d.exec("polite", &["true"]);
    d.lxc_ok(&["stop", "polite"]);
    assert_eq!(d.lxc_ok(&["file", "pull", "polite/root/said", "-"]), "bye\n");

    d.lxc_ok(&["init", "busybox", "deaf"]);
    push_init(&d, "deaf", b"#!/bin/sh\ntrap '' PWR TERM INT\nwhile :; do sleep 1; done\n");
    d.lxc_ok(&["start", "deaf"]);
    let refused = d.lxc_fails(&["stop", "deaf", "--timeout", "1"]);
    assert!(refused.contains("deaf"), "{refused}");
    assert_eq!(d.status("deaf"), "Running");
    d.lxc_ok(&["stop", "deaf", "--force"]);
    assert_eq!(d.status("deaf"), "Stopped");
}

fn push_init(d: &testkit::TestDaemon, name: &str, script: &[u8]) {
    let path = format!("{name}/sbin/init");
    let _ = d.lxc_with_input(&["file", "push", "--mode", "755", "-", &path], script).expect_success();
}

#[test]
fn reboot_from_inside_starts_it_again() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    d.lxc_ok(&["launch", "-e", "busybox", "fleeting"]);
    for name in ["c1", "fleeting"] {
        let before = d.init_pid(name);
        // The session ends with the container, so its status is no success.
        let _ = d.lxc(&["exec", name, "--", "reboot", "-f"]);
        eventually("it runs again", || {
            let now = d.init_pid(name);
            (now != 0 && now != before).then_some(())
        });
        assert_eq!(d.exec(name, &["hostname"]).trim(), name);
    }
}

#[test]
fn power_off_from_inside_stops_it() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    let _ = d.lxc(&["exec", "c1", "--", "poweroff", "-f"]);
    d.wait_status("c1", "Stopped");
    d.lxc_ok(&["start", "c1"]);
    d.exec("c1", &["true"]);
}

#[test]
fn an_ephemeral_container_is_gone_once_it_stops() {
    let d = daemon!();
    for ending in ["stop", "force", "inside"] {
        d.lxc_ok(&["launch", "--ephemeral", "busybox", "e1"]);
        match ending {
            "stop" => drop(d.lxc_ok(&["stop", "e1"])),
            "force" => drop(d.lxc_ok(&["stop", "--force", "e1"])),
            _ => drop(d.lxc(&["exec", "e1", "--", "poweroff", "-f"])),
        }
        d.wait_status("e1", "");
        let volume = d.lxd_dir().join("storage-pools/default/containers/e1");
        eventually("its files are gone", || (!volume.exists()).then_some(()));
    }
}

#[test]
fn copies_and_empty_containers_are_made_through_the_api() {
    let d = daemon!();
    let api = d.api();
    d.lxc_ok(&["launch", "busybox", "c1", "-c", "user.mark=yes"]);
    d.exec(
        "c1",
        &["sh", "-c", "echo kept > /root/file; ln /root/file /root/link; chown 1000:1000 /root/file"],
    );
    d.lxc_ok(&["stop", "--force", "c1"]);
    let copy = serde_json::json!({"name": "c2", "source": {"type": "copy", "source": "c1"}});
    assert_eq!(api.operation("POST", "/1.0/containers", &copy)["status"], "Success");
    d.lxc_ok(&["start", "c1", "c2"]);
    assert_eq!(d.exec("c2", &["cat", "/root/file"]), "kept\n");
    assert_eq!(d.exec("c2", &["stat", "-c", "%h %u %g", "/root/file"]).trim(), "2 1000 1000");
    assert_eq!(d.exec("c2", &["hostname"]).trim(), "c2");
    assert_eq!(d.lxc_ok(&["config", "get", "c2", "user.mark"]).trim(), "yes");

    let empty = serde_json::json!({"name": "c3", "architecture": "x86_64", "source": {"type": "none"}});
    assert_eq!(api.operation("POST", "/1.0/containers", &empty)["status"], "Success");
    assert_eq!(d.status("c3"), "Stopped");
    let refused = d.lxc_fails(&["start", "c3"]);
    assert!(refused.contains("init"), "{refused}");
    assert_eq!(d.status("c3"), "Stopped");
}

#[test]
fn rename_moves_files_and_logs_along() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    let body = serde_json::json!({"name": "c2"});
    let refused = d.api().send("POST", "/1.0/containers/c1", &body);
    assert_eq!(refused.status, 400, "{refused:?}");
    assert_eq!(d.status("c1"), "Running");
    d.lxc_ok(&["stop", "-f", "c1"]);
    assert_eq!(d.api().operation("POST", "/1.0/containers/c1", &body)["status"], "Success");
    assert_eq!((d.status("c1").as_str(), d.status("c2").as_str()), ("", "Stopped"));
    d.lxc_ok(&["start", "c2"]);
    d.exec("c2", &["true"]);
    assert!(!d.lxd_dir().join("storage-pools/default/containers/c1").exists());
    d.lxc_ok(&["init", "busybox", "c1"]);
}

#[test]
fn list_has_columns_filters_and_formats() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "web1", "-c", "user.role=web"]);
    d.lxc_ok(&["init", "busybox", "db1", "-c", "user.role=db"]);
    assert_eq!(d.lxc_ok(&["list", "web", "-c", "n", "--format", "csv"]), "web1\n");
    assert_eq!(d.lxc_ok(&["list", "user.role=db", "-c", "ns", "--format", "csv"]), "db1,STOPPED\n");
    assert_eq!(d.lxc_ok(&["list", "-c", "n,user.role:ROLE", "--format", "csv"]), "db1,db\nweb1,web\n");
    let fast = d.lxc_ok(&["list", "--fast"]);
    assert!(fast.contains("ARCHITECTURE") && fast.contains("PROFILES"), "{fast}");
    let json: serde_json::Value = serde_json::from_str(&d.lxc_ok(&["list", "--format", "json"])).unwrap();
    assert_eq!(json.as_array().map(Vec::len), Some(2));
    assert_eq!(json[1]["state"]["status"], "Running");
    let yaml = d.lxc_ok(&["list", "--format", "yaml"]);
    assert!(yaml.contains("name: web1"), "{yaml}");
    let refused = d.lxc_fails(&["list", "-c", "!"]);
    assert!(refused.starts_with("Error: "), "{refused}");
}

#[test]
fn info_tells_about_a_container() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    let info = d.lxc_ok(&["info", "c1"]);
    for line in
        ["Name: c1", "Status: Running", "Type: persistent", "Profiles: default", "Pid: ", "Processes: "]
    {
        assert!(info.contains(line), "no {line:?} in {info}");
    }
    let log = d.lxc_ok(&["info", "c1", "--show-log"]);
    assert!(log.contains("Log:"), "{log}");
    let server = d.lxc_ok(&["info"]);
    assert!(server.contains("api_extensions:") && server.contains("server: "), "{server}");
}

#[test]
fn twenty_start_at_once() {
    let d = daemon!();
    let names: Vec<String> = (0..20).map(|n| format!("c{n}")).collect();
    for name in &names {
        d.lxc_ok(&["init", "busybox", name]);
    }
    let with = |verb| std::iter::once(verb).chain(names.iter().map(String::as_str)).collect::<Vec<_>>();
    d.lxc_ok(&with("start"));
    let running = d.lxc_ok(&["list", "-c", "s", "--format", "csv"]);
    assert_eq!(running.lines().filter(|l| *l == "RUNNING").count(), 20);
    let pids: std::collections::BTreeSet<_> = names.iter().map(|name| d.init_pid(name)).collect();
    assert_eq!(pids.len(), 20);
    let mut stop = with("stop");
    stop.push("--force");
    d.lxc_ok(&stop);
}
