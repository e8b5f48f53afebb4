//! Debian's packaged client, lxc 5.0.2, against our daemon.

use std::process::Command;
use testkit::{Finished, TestDaemon, Unavailable, eventually, or_skip, run, run_with_input};

struct Theirs {
    d: TestDaemon,
    program: std::path::PathBuf,
}

fn theirs() -> Result<Theirs, Unavailable> {
    let missing = || Unavailable("Debian's package lxd-client 5.0.2 is not installed".to_owned());
    // Where the package puts it: ours may come first in the path.
    let program = std::path::PathBuf::from("/usr/bin/lxc");
    if !program.is_file() {
        return Err(missing());
    }
    let version = run(Command::new(&program).arg("--version").env("LXD_CONF", "/tmp/no-such-conf")).text();
    if !version.starts_with("5.0.2") {
        return Err(missing());
    }
    Ok(Theirs { d: TestDaemon::builder().start()?, program })
}

impl Theirs {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        self.d.configure(&mut command).env("LXD_CONF", self.d.scratch().join("their-conf")).args(arguments);
        command
    }

    #[track_caller]
    fn ok(&self, arguments: &[&str]) -> String {
        run(&mut self.command(arguments)).expect_success().text()
    }

    fn with_input(&self, arguments: &[&str], input: &[u8]) -> Finished {
        run_with_input(&mut self.command(arguments), input)
    }
}

#[test]
fn launch_list_info_stop_delete() {
    let t = or_skip!(theirs());
    t.ok(&["launch", "busybox", "c1"]);
    let list = t.ok(&["list"]);
    assert!(list.contains("| c1 ") && list.contains("RUNNING"), "{list}");
    eventually("the address is listed", || {
        t.ok(&["list", "-c", "n4", "--format", "csv"]).contains("(eth0)").then_some(())
    });
    assert!(t.ok(&["list", "c1", "--fast"]).contains("c1"));
    assert!(t.ok(&["list", "--format", "json"]).contains("\"c1\""));
    t.ok(&["pause", "c1"]);
    t.ok(&["start", "c1"]);
    t.ok(&["restart", "--force", "c1"]);
    t.ok(&["stop", "c1"]);
    let refused = run(&mut t.command(&["exec", "c1", "--", "true"]));
    assert!(!refused.status.success() && refused.errors().contains("not running"), "{refused:?}");
    t.ok(&["delete", "c1"]);
    assert!(!t.ok(&["list"]).contains("c1"));
    assert!(t.ok(&["info"]).contains("server_version"));
    t.ok(&["launch", "busybox", "c2", "--ephemeral"]);
    t.ok(&["stop", "--force", "c2"]);
    t.d.wait_status("c2", "");
}

#[test]
fn exec_streams_statuses_and_identities() {
    let t = or_skip!(theirs());
    t.ok(&["launch", "busybox", "c1"]);
    let both = run(&mut t.command(&["exec", "c1", "--", "sh", "-c", "echo out; echo err >&2; exit 7"]))
        .expect_code(7);
    assert_eq!((both.text().as_str(), both.errors().as_str()), ("out\n", "err\n"));
    let bytes: Vec<u8> = (0..2_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    assert!(t.with_input(&["exec", "c1", "--", "cat"], &bytes).expect_success().stdout == bytes);
    let _ = run(&mut t.command(&["exec", "c1", "--", "sh", "-c", "kill -9 $$"])).expect_code(137);
    let who = t.ok(&[
        "exec",
        "c1",
        "--user",
        "1000",
        "--group",
        "1000",
        "--cwd",
        "/tmp",
        "--env",
        "A=b",
        "--",
        "sh",
        "-c",
        "id -u; pwd; echo $A",
    ]);
    assert_eq!(who, "1000\n/tmp\nb\n");
    for _ in 0..20 {
        assert!(t.ok(&["exec", "c1", "--", "ls", "-al", "/usr/lib"]).lines().count() > 300);
    }
}

#[test]
fn files_and_configuration() {
    let t = or_skip!(theirs());
    t.ok(&["init", "busybox", "c1"]);
    let local = t.d.scratch().join("f");
    std::fs::write(&local, "content\n").unwrap();
    t.ok(&["file", "push", local.to_str().unwrap(), "c1/root/f"]);
    assert_eq!(t.ok(&["file", "pull", "c1/root/f", "-"]), "content\n");
    let tree = t.d.scratch().join("tree");
    std::fs::create_dir_all(tree.join("a/b")).unwrap();
    std::fs::write(tree.join("a/b/c"), "deep\n").unwrap();
    t.ok(&["file", "push", "-r", tree.to_str().unwrap(), "c1/root/"]);
    assert_eq!(t.ok(&["file", "pull", "c1/root/tree/a/b/c", "-"]), "deep\n");
    let back = t.d.scratch().join("back");
    std::fs::create_dir(&back).unwrap();
    t.ok(&["file", "pull", "-r", "c1/root/tree", back.to_str().unwrap()]);
    assert_eq!(std::fs::read_to_string(back.join("tree/a/b/c")).unwrap(), "deep\n");
    t.ok(&["file", "delete", "c1/root/f"]);

    t.ok(&["config", "set", "c1", "user.key", "value"]);
    t.ok(&["config", "set", "c1", "user.other=second"]);
    assert_eq!(t.ok(&["config", "get", "c1", "user.key"]).trim(), "value");
    assert!(t.ok(&["config", "show", "c1"]).contains("user.other: second"));
    t.ok(&["config", "unset", "c1", "user.key"]);
    t.ok(&["config", "device", "add", "c1", "data", "disk", "source=/tmp", "path=/mnt"]);
    t.ok(&["config", "device", "remove", "c1", "data"]);
    t.ok(&["profile", "create", "p1"]);
    t.ok(&["profile", "set", "p1", "limits.processes", "40"]);
    t.ok(&["profile", "add", "c1", "p1"]);
    assert!(t.ok(&["profile", "list"]).contains("p1"));
    assert!(t.ok(&["config", "show", "c1", "--expanded"]).contains("limits.processes: \"40\""));
    assert!(t.ok(&["image", "list"]).contains("busybox"));
    assert!(t.ok(&["image", "info", "busybox"]).contains("Fingerprint"));
    t.ok(&["image", "alias", "list"]);
    t.ok(&["operation", "list"]);
}

#[test]
fn snapshots_and_copies() {
    let t = or_skip!(theirs());
    t.ok(&["launch", "busybox", "c1"]);
    let value = |name: &str| t.ok(&["exec", name, "--", "cat", "/root/v"]);
    let set = |value: &str| t.ok(&["exec", "c1", "--", "sh", "-c", &format!("echo {value} > /root/v")]);
    set("1");
    t.ok(&["snapshot", "c1", "first"]);
    set("2");
    t.ok(&["snapshot", "c1"]);
    t.ok(&["snapshot", "c1", "--no-expiry"]);
    t.ok(&["snapshot", "c1", "first", "--reuse"]);
    set("3");
    let info = t.ok(&["info", "c1"]);
    assert!(info.contains("first") && info.contains("snap0") && info.contains("snap1"), "{info}");
    assert_eq!(t.ok(&["list", "-c", "nS", "--format", "csv"]), "c1,3\n");
    t.ok(&["restore", "c1", "first"]);
    assert_eq!(value("c1"), "2\n");
    t.ok(&["move", "c1/snap0", "c1/renamed"]);
    t.ok(&["rename", "c1/snap1", "c1/again"]);
    assert!(t.ok(&["config", "show", "c1/renamed"]).contains("expanded_config"));
    t.ok(&["copy", "c1/renamed", "c2"]);
    t.ok(&["copy", "c1", "c3"]);
    t.ok(&["copy", "c1", "c4", "--instance-only"]);
    assert_eq!(t.ok(&["list", "-c", "nS", "--format", "csv"]), "c1,3\nc2,0\nc3,3\nc4,0\n");
    t.ok(&["start", "c2"]);
    assert_eq!(value("c2"), "2\n");
    t.ok(&["move", "c4", "c5"]);
    t.ok(&["delete", "c1/renamed"]);
    t.ok(&["delete", "--force", "c1", "c2", "c3", "c5"]);
    assert_eq!(t.ok(&["list", "--format", "csv"]), "");
    t.ok(&["init", "busybox", "c6", "-c", "security.protection.delete=true"]);
    let refused = run(&mut t.command(&["delete", "c6"]));
    assert!(!refused.status.success() && refused.errors().contains("protected"), "{refused:?}");
}

#[test]
fn devices_of_a_running_container() {
    let t = or_skip!(theirs());
    t.ok(&["launch", "busybox", "c1"]);
    let data = t.d.scratch().join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("note"), "from outside\n").unwrap();
    let source = format!("source={}", data.display());
    let said = t.ok(&["config", "device", "add", "c1", "data", "disk", &source, "path=/mnt"]);
    assert!(said.contains("Device data added to c1"), "{said}");
    assert_eq!(t.ok(&["exec", "c1", "--", "cat", "/mnt/note"]), "from outside\n");
    assert_eq!(t.ok(&["config", "device", "list", "c1"]), "data\n");
    assert_eq!(t.ok(&["config", "device", "get", "c1", "data", "path"]), "/mnt\n");
    assert!(t.ok(&["config", "device", "show", "c1"]).contains("path: /mnt"));
    t.ok(&["config", "device", "set", "c1", "data", "path=/srv"]);
    assert_eq!(t.ok(&["exec", "c1", "--", "cat", "/srv/note"]), "from outside\n");
    t.ok(&["config", "device", "set", "c1", "data", "readonly=true"]);
    let refused = run(&mut t.command(&["exec", "c1", "--", "touch", "/srv/x"]));
    assert!(refused.errors().contains("Read-only"), "{refused:?}");
    t.ok(&["config", "device", "unset", "c1", "data", "readonly"]);
    t.ok(&["config", "device", "remove", "c1", "data"]);
    t.ok(&[
        "profile",
        "device",
        "add",
        "default",
        "zero",
        "unix-char",
        "source=/dev/zero",
        "path=/dev/null0",
    ]);
    assert_eq!(t.ok(&["exec", "c1", "--", "stat", "-c", "%t:%T", "/dev/null0"]), "1:5\n");
    t.ok(&["config", "device", "override", "c1", "zero", "mode=0600"]);
    assert_eq!(t.ok(&["exec", "c1", "--", "stat", "-c", "%a", "/dev/null0"]), "600\n");
    t.ok(&["config", "device", "remove", "c1", "zero"]);
    t.ok(&["profile", "device", "remove", "default", "zero"]);
    assert!(!run(&mut t.command(&["exec", "c1", "--", "ls", "/dev/null0"])).status.success());
    let missing =
        run(&mut t.command(&["config", "device", "add", "c1", "gone", "disk", "source=/no/such", "path=/x"]));
    assert!(missing.errors().contains("/no/such"), "{missing:?}");
}

#[test]
fn interfaces_and_proxies_of_a_running_container() {
    let t = or_skip!(theirs());
    t.ok(&["launch", "busybox", "c1"]);
    let add = ["config", "device", "add", "c1"];
    t.ok(&[&add[..], &["eth1", "nic", "nictype=bridged", "parent=lxdbr0", "name=lan0"]].concat());
    t.ok(&["exec", "c1", "--", "ip", "link", "show", "lan0"]);
    t.ok(&["config", "device", "set", "c1", "eth1", "limits.max", "10Mbit"]);
    t.ok(&[&add[..], &["port", "proxy", "listen=tcp:127.0.0.1:7000", "connect=tcp:127.0.0.1:80"]].concat());
    let listens = || run(t.d.inside("cat").arg("/proc/net/tcp")).text().contains("0100007F:1B58");
    assert!(listens());
    let shown = t.ok(&["config", "device", "show", "c1"]);
    assert!(shown.contains("limits.max: 10Mbit") && shown.contains("listen: tcp:127.0.0.1:7000"), "{shown}");
    t.ok(&["config", "device", "remove", "c1", "eth1", "port"]);
    assert!(!listens());
    let gone = run(&mut t.command(&["exec", "c1", "--", "ip", "link", "show", "lan0"]));
    assert!(!gone.status.success(), "{gone:?}");
}

#[test]
fn pools_and_volumes() {
    let t = or_skip!(theirs());
    t.ok(&["storage", "create", "second", "dir"]);
    t.ok(&["launch", "busybox", "c1", "-s", "second"]);
    t.ok(&["storage", "volume", "create", "second", "v"]);
    t.ok(&["storage", "volume", "attach", "second", "v", "c1", "data", "/srv"]);
    t.ok(&["exec", "c1", "--", "sh", "-c", "echo 1 > /srv/v"]);
    t.ok(&["storage", "volume", "set", "second", "v", "user.k", "w"]);
    assert_eq!(t.ok(&["storage", "volume", "get", "second", "v", "user.k"]), "w\n");
    let shown = t.ok(&["storage", "volume", "show", "second", "v"]);
    assert!(shown.contains("/1.0/containers/c1") || shown.contains("/1.0/instances/c1"), "{shown}");
    t.ok(&["storage", "volume", "snapshot", "second", "v"]);
    t.ok(&["exec", "c1", "--", "sh", "-c", "echo 2 > /srv/v"]);
    let refused = run(&mut t.command(&["storage", "volume", "delete", "second", "v"]));
    assert!(refused.errors().contains("still in use by containers or profiles"), "{refused:?}");
    t.ok(&["storage", "volume", "detach", "second", "v", "c1"]);
    t.ok(&["storage", "volume", "restore", "second", "v", "snap0"]);
    t.ok(&["storage", "volume", "rename", "second", "v/snap0", "v/kept"]);
    t.ok(&["storage", "volume", "copy", "second/v", "default/copied"]);
    t.ok(&["storage", "volume", "move", "second/v", "default/moved"]);
    t.ok(&["storage", "volume", "rename", "default", "moved", "again"]);
    t.ok(&["storage", "volume", "attach", "default", "again", "c1", "/srv"]);
    assert_eq!(t.ok(&["exec", "c1", "--", "cat", "/srv/v"]), "1\n");
    let listed = t.ok(&["storage", "volume", "list", "default", "--format", "csv"]);
    for name in ["copied", "copied/kept", "again", "again/kept"] {
        assert!(listed.contains(&format!(",{name},")), "{listed}");
    }
    assert!(t.ok(&["storage", "volume", "info", "default", "again"]).contains("kept"));
    t.ok(&["storage", "volume", "detach", "default", "again", "c1"]);
    t.ok(&["storage", "volume", "delete", "default", "again/kept"]);
    t.ok(&["storage", "volume", "delete", "default", "again"]);
    t.ok(&["storage", "volume", "delete", "default", "copied"]);
    t.ok(&["delete", "--force", "c1"]);
    t.ok(&["storage", "delete", "second"]);
    assert_eq!(t.ok(&["storage", "list", "--format", "csv"]).lines().count(), 1);
}
