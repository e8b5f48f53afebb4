//! Devices of the host that come and go by themselves, and daemons that die meanwhile.

use super::{host_mounts, left, sh, shared, source};
use std::path::Path;
use testkit::{TestDaemon, daemon, eventually, run};

#[test]
fn a_node_that_is_not_required_comes_and_goes_with_the_host() {
    let d = daemon!();
    let directory = d.scratch().join("nodes/deep");
    let path = directory.join("node");
    d.lxc_ok(&["launch", "busybox", "c1"]);
    let from = source(&path);
    let add = ["config", "device", "add", "c1", "later", "unix-char", &from, "path=/dev/later"];
    assert!(d.lxc_fails(&add).contains("required=false"));
    d.lxc_ok(&[&add[..], &["required=false"]].concat());
    let there = || sh(&d, "c1", "stat -c '%F %t:%T' /dev/later");
    for round in ["first", "second"] {
        assert!(there().contains("No such file"), "{round}: {}", there());
        std::fs::create_dir_all(&directory).unwrap();
        let _ = run(d.inside("mknod").arg(&path).args(["c", "1", "5"])).expect_success();
        eventually("it appears inside", || there().contains("character special file 1:5").then_some(()));
        std::fs::remove_file(&path).unwrap();
        eventually("it vanishes inside", || there().contains("No such file").then_some(()));
        std::fs::remove_dir_all(d.scratch().join("nodes")).unwrap();
    }
    d.lxc_ok(&["restart", "--force", "c1"]);
    std::fs::create_dir_all(&directory).unwrap();
    let _ = run(d.inside("mknod").arg(&path).args(["c", "1", "5"])).expect_success();
    eventually("it appears inside", || there().contains("character special file 1:5").then_some(()));
    d.lxc_ok(&["config", "device", "remove", "c1", "later"]);
    assert!(there().contains("No such file"));
    assert_eq!(left(&d, "c1"), [""; 0]);
}

/// A made-up USB device whose number is that of `/dev/zero`.
fn plug_in(sys: &Path) {
    let directory = sys.join("bus/usb/devices/1-1");
    std::fs::create_dir_all(&directory).unwrap();
    let attributes =
        [("idVendor", "0781"), ("idProduct", "5567"), ("busnum", "1"), ("devnum", "4"), ("dev", "1:5")];
    for (name, value) in attributes {
        std::fs::write(directory.join(name), format!("{value}\n")).unwrap();
    }
}

/// The kernel passes on what root says to the listeners of the same network namespace.
fn say(d: &TestDaemon, action: &str) {
    let message =
        format!("{action}@/x\\0ACTION={action}\\0SUBSYSTEM=usb\\0DEVTYPE=usb_device\\0DEVPATH=/x\\0");
    let script = format!(
        "import socket\ns = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 15)\ns.bind((0, 0))\n\
         body = b'{message}'\nheader = (16 + len(body)).to_bytes(4, 'little') + (16).to_bytes(2, 'little') + (5).to_bytes(2, 'little') + bytes(8)\n\
         s.sendto(header + body, (0, 0))\nprint(s.recv(4096)[16:20])\n"
    );
    let _ = run(d.inside("python3").args(["-c", &script])).expect_success();
}

#[test]
fn usb_devices_come_and_go_with_the_kernels_word() {
    let made_up = tempfile::tempdir().unwrap();
    let sys = made_up.path();
    let d = daemon!(TestDaemon::builder().env("LIGHTERVISOR_SYS", &sys.to_string_lossy()));
    if testkit::find_program("python3").is_none() {
        testkit::skip!("python3 is not installed, which tells the kernel of a device");
    }
    d.lxc_ok(&["launch", "busybox", "c1"]);
    let add = ["config", "device", "add", "c1", "stick", "usb", "vendorid=0781", "mode=0666"];
    let said = d.lxc_fails(&[&add[..], &["required=true"]].concat());
    assert!(said.contains("0781"), "{said}");
    d.lxc_ok(&add);
    let there = || sh(&d, "c1", "head -c 2 /dev/bus/usb/001/004 | od -An -tx1");
    assert!(there().contains("No such file"), "{}", there());
    plug_in(sys);
    say(&d, "add");
    eventually("the device appears inside", || there().contains("00 00").then_some(()));
    assert_eq!(d.exec("c1", &["stat", "-c", "%a", "/dev/bus/usb/001/004"]), "666\n");
    d.lxc_ok(&["restart", "--force", "c1"]);
    assert!(there().contains("00 00"), "it is there at start");
    std::fs::remove_dir_all(sys.join("bus/usb/devices/1-1")).unwrap();
    say(&d, "remove");
    eventually("the device vanishes inside", || there().contains("No such file").then_some(()));
    assert_eq!(left(&d, "c1"), [""; 0]);
}

/// The daemon is killed at every step of adding and removing; the next one makes it what is stored.
#[test]
fn a_daemon_that_is_killed_on_the_way_leaves_what_is_stored() {
    let mut d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    let data = shared(&d, "data", "x");
    let before = host_mounts(&d);
    let add_disk =
        ["config", "device", "add", "c1", "a", "disk", &source(&data), "path=/mnt"].map(str::to_owned);
    let add_node =
        ["config", "device", "add", "c1", "a", "unix-char", "path=/dev/mine", "major=1", "minor=5"]
            .map(str::to_owned);
    let remove = ["config", "device", "remove", "c1", "a"].map(str::to_owned);
    let there = |d: &TestDaemon| sh(d, "c1", "cat /mnt/note; test -c /dev/mine && echo node");
    for (step, adds) in
        [("device:made", true), ("device:noted", true), ("device:mounted", true), ("device:unmounted", false)]
    {
        for (add, sign) in [(&add_disk[..], "x"), (&add_node[..], "node")] {
            let add: Vec<&str> = add.iter().map(String::as_str).collect();
            let remove: Vec<&str> = remove.iter().map(String::as_str).collect();
            if !adds {
                d.lxc_ok(&add);
            }
            d.terminate();
            d.set_env("LIGHTERVISOR_CRASH_AT", Some(step));
            d.start_again();
            d.lxc_fails(if adds { &add } else { &remove });
            d.wait_gone();
            d.set_env("LIGHTERVISOR_CRASH_AT", None);
            d.start_again();
            let stored = d.lxc_ok(&["config", "device", "list", "c1"]);
            assert_eq!(stored.trim(), if adds { "a" } else { "" }, "{step}");
            eventually(&format!("it is inside as it is stored after {step}: {}", there(&d)), || {
                (there(&d).contains(sign) == adds).then_some(())
            });
            if adds {
                d.lxc_ok(&remove);
                assert!(!there(&d).contains(sign), "{step}: {}", there(&d));
            }
            assert_eq!(left(&d, "c1"), [""; 0], "{step}");
            assert_eq!(sh(&d, "c1", "grep -c -e /mnt -e /dev/mine /proc/self/mounts"), "0\n", "{step}");
            assert_eq!(host_mounts(&d), before, "{step}");
        }
    }
    d.lxc_ok(&["stop", "--force", "c1"]);
    assert!(!d.lxd_dir().join("devices/c1").exists());
}

#[test]
fn what_was_given_before_a_restart_of_the_daemon_can_be_taken_away_after_it() {
    let mut d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    let data = shared(&d, "data", "x");
    d.lxc_ok(&["config", "device", "add", "c1", "data", "disk", &source(&data), "path=/mnt"]);
    d.lxc_ok(&["config", "device", "add", "c1", "zero", "unix-char", "source=/dev/zero", "path=/dev/z"]);
    d.kill9();
    d.start_again();
    assert_eq!(sh(&d, "c1", "cat /mnt/note; grep -c /mnt /proc/self/mounts"), "x1\n", "once, not twice");
    d.lxc_ok(&["config", "device", "remove", "c1", "data"]);
    d.lxc_ok(&["config", "device", "remove", "c1", "zero"]);
    assert_eq!(sh(&d, "c1", "grep -c -e /mnt -e '/dev/z ' /proc/self/mounts"), "0\n");
    d.lxc_ok(&["config", "device", "add", "c1", "zero", "unix-char", "source=/dev/zero", "path=/dev/z"]);
    // It ends while nobody looks.
    let init = d.init_pid("c1").to_string();
    d.kill9();
    let _ = run(d.inside("kill").args(["-9", &init])).expect_success();
    d.start_again();
    d.wait_status("c1", "Stopped");
    eventually("nothing is left", || (!d.lxd_dir().join("devices/c1").exists()).then_some(()));
}
