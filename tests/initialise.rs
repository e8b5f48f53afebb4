//! `lxd` and its sub-commands.

use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::time::Duration;
use testkit::{TestDaemon, daemon, run, run_with_input, spawn};

#[test]
fn init_auto_makes_what_launch_needs() {
    let d = daemon!(TestDaemon::builder().uninitialised());
    assert_eq!(d.api().get("/1.0/storage-pools").metadata(), serde_json::json!([]));
    let _ = run(d.lxd_command().args(["init", "--auto"])).expect_success();
    let api = d.api();
    assert_eq!(api.get("/1.0/storage-pools/default").metadata()["driver"], "dir");
    let profile = api.get("/1.0/profiles/default").metadata();
    assert_eq!(profile["devices"]["root"]["pool"], "default");
    assert!(profile["devices"]["eth0"].is_object(), "{profile}");
    let network = api.get("/1.0/networks/lxdbr0").metadata();
    assert_eq!(network["config"]["ipv4.nat"], "true", "{network}");
    let address = network["config"]["ipv4.address"].as_str().unwrap_or_default().to_owned();
    assert!(address.starts_with("10.") && address.ends_with(".1/24"), "{address}");
    let image = testkit::or_skip!(testkit::busybox_image());
    d.lxc_ok(&["image", "import", image.to_str().unwrap(), "--alias", "busybox"]);
    d.lxc_ok(&["launch", "busybox", "c1"]);
    testkit::eventually("it gets an address", || {
        let list = d.lxc_ok(&["list", "-c", "4", "--format", "csv"]);
        list.contains("(eth0)").then_some(())
    });
}

#[test]
fn contradicting_flags_are_refused() {
    let d = daemon!(TestDaemon::builder().uninitialised());
    for arguments in [&["init", "--auto", "--preseed"][..], &["init", "--no-such-flag"]] {
        let ended = run(d.lxd_command().args(arguments));
        assert!(!ended.status.success() && !ended.errors().is_empty(), "{ended:?}");
    }
    assert_eq!(d.api().get("/1.0/storage-pools").metadata(), serde_json::json!([]));
}

#[test]
fn a_preseed_that_fails_is_undone() {
    let d = daemon!(TestDaemon::builder().uninitialised());
    let before = d.api().get("/1.0/profiles/default").metadata();
    let text = "config:\n  user.mark: 5\nstorage_pools:\n- name: default\n  driver: dir\n\
                profiles:\n- name: default\n  config:\n    no.such.key: x\n";
    let ended = run_with_input(d.lxd_command().args(["init", "--preseed"]), text.as_bytes());
    assert!(!ended.status.success() && ended.errors().contains("no.such.key"), "{ended:?}");
    let api = d.api();
    assert_eq!(api.get("/1.0/storage-pools").metadata(), serde_json::json!([]));
    assert_eq!(api.get("/1.0/profiles/default").metadata(), before);
    assert!(api.get("/1.0").metadata()["config"]["user.mark"].is_null());
    let broken = run_with_input(d.lxd_command().args(["init", "--preseed"]), b"- [");
    assert!(!broken.status.success(), "{broken:?}");
}

#[test]
fn questions_have_defaults() {
    if testkit::find_program("script").is_none() {
        testkit::skip!("the program script, which gives it a terminal, is not installed");
    }
    let d = daemon!(TestDaemon::builder().uninitialised());
    let line = format!("{} init", testkit::program("lxd").display());
    let mut asked = d.inside("script");
    d.configure(&mut asked).args(["-qec", &line, "/dev/null"]).env("SHELL", "/bin/sh");
    // The driver is not left to what this host would propose. Then enough empty lines for every question.
    let answers = format!("\n\ndir\n{}", "\n".repeat(40));
    let _ = run_with_input(&mut asked, answers.as_bytes()).expect_success();
    assert_eq!(
        d.api().get("/1.0/storage-pools").metadata(),
        serde_json::json!(["/1.0/storage-pools/default"])
    );
    let nobody =
        spawn(d.lxd_command().arg("init").stdin(std::process::Stdio::null())).wait(Duration::from_secs(20));
    assert!(!nobody.status.success() && !nobody.errors().is_empty(), "{nobody:?}");
}

#[test]
fn the_daemon_says_its_version_and_when_it_is_ready() {
    let d = daemon!(TestDaemon::builder().uninitialised());
    let version = run(d.lxd_command().arg("--version")).expect_success().text();
    assert!(version.trim().chars().next().is_some_and(|c| c.is_ascii_digit()), "{version}");
    let _ = run(d.lxd_command().args(["waitready", "--timeout", "5"])).expect_success();
    let _ = run(d.lxd_command().arg("activateifneeded")).expect_success();
    let nobody =
        run(d.lxd_command().args(["waitready", "--timeout", "1"]).env("LXD_DIR", "/tmp/no-such-lxd"));
    assert!(!nobody.status.success() && nobody.errors().contains("not running"), "{nobody:?}");
}

#[test]
fn a_second_daemon_on_the_same_directory_is_refused() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    let second = spawn(d.lxd_command().stdin(std::process::Stdio::null())).wait(Duration::from_secs(20));
    assert!(!second.status.success() && second.errors().contains("already running"), "{second:?}");
    d.exec("c1", &["true"]);
}

#[test]
fn shutdown_stops_containers_and_they_come_back_if_they_should() {
    let mut d = daemon!();
    d.lxc_ok(&["launch", "busybox", "always", "-c", "boot.autostart=true"]);
    d.lxc_ok(&["launch", "busybox", "was-up"]);
    d.lxc_ok(&["launch", "busybox", "never", "-c", "boot.autostart=false"]);
    d.lxc_ok(&["init", "busybox", "was-down"]);
    let _ = run(d.lxd_command().args(["shutdown", "--timeout", "60"])).expect_success();
    d.wait_gone();
    let left = run(d.inside("ps").args(["ax", "-o", "args"])).text();
    assert!(!left.contains("/sbin/init") && !left.contains("dnsmasq"), "{left}");
    d.start_again();
    d.wait_status("always", "Running");
    d.wait_status("was-up", "Running");
    assert_eq!((d.status("never").as_str(), d.status("was-down").as_str()), ("Stopped", "Stopped"));
}

#[test]
fn nobody_else_can_look_into_its_directory() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    d.exec("c1", &["sh", "-c", "cp /bin/busybox /root/set-uid; chmod 4755 /root/set-uid"]);
    d.lxc_ok(&["file", "pull", "c1/etc/passwd", "-"]);
    let var = d.lxd_dir();
    let socket = var.join("unix.socket").symlink_metadata().unwrap();
    assert!(socket.file_type().is_socket());
    assert_eq!(socket.mode() & 0o777, 0o660);
    for (path, most) in [
        ("", 0o711),
        ("database", 0o700),
        ("images", 0o700),
        ("logs", 0o700),
        ("keeper", 0o700),
        ("security", 0o700),
    ] {
        let mode = var.join(path).metadata().unwrap().mode() & 0o777;
        assert_eq!(mode & !most, 0, "{path} has {mode:o}, at most {most:o}");
    }
    // As a user without rights, who could otherwise run what a container's root made set-uid.
    let tried = run(std::process::Command::new("setpriv")
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "find"])
        .arg(&var)
        .args(["-perm", "-4000", "-o", "-readable", "-type", "f"]));
    assert_eq!(tried.text(), "", "reachable by anybody");
}
