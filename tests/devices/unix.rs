//! Device nodes of the host.

use super::{left, sh};
use testkit::daemon;

#[test]
fn a_node_by_path_and_by_number() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    let rename =
        ["config", "device", "add", "c1", "zero", "unix-char", "source=/dev/zero", "path=/dev/other/zero"];
    d.lxc_ok(&[&rename[..], &["uid=7", "gid=8", "mode=0640"]].concat());
    let look = ["stat", "-c", "%F %t:%T %u:%g %a", "/dev/other/zero"];
    let shown = "character special file 1:5 7:8 640\n";
    assert_eq!(d.exec("c1", &look), shown);
    assert_eq!(d.exec("c1", &["sh", "-c", "head -c 4 /dev/other/zero | od -An -tx1"]).trim(), "00 00 00 00");
    assert_eq!(left(&d, "c1"), ["unix.zero.dev-other-zero"]);
    let number =
        ["config", "device", "add", "c1", "full", "unix-char", "path=/dev/mine", "major=1", "minor=7"];
    d.lxc_ok(&number);
    assert!(sh(&d, "c1", "echo x > /dev/mine").contains("No space left"), "it is /dev/full");
    assert_eq!(d.exec("c1", &["stat", "-c", "%u:%g %a", "/dev/mine"]), "0:0 660\n");
    d.lxc_ok(&["restart", "--force", "c1"]);
    assert_eq!(d.exec("c1", &look), shown);
    assert!(sh(&d, "c1", "echo x > /dev/mine").contains("No space left"));
    d.lxc_ok(&["config", "device", "remove", "c1", "zero"]);
    d.lxc_ok(&["config", "device", "remove", "c1", "full"]);
    assert!(sh(&d, "c1", "ls /dev/other/zero /dev/mine").matches("No such file").count() == 2);
    assert_eq!(left(&d, "c1"), [""; 0]);
    d.lxc_ok(&["stop", "--force", "c1"]);
    assert!(!d.lxd_dir().join("devices/c1").exists());
}

#[test]
fn the_mode_comes_from_the_hosts_node() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    // Verbatim from the blog, with a device that every host has.
    d.lxc_ok(&["config", "device", "add", "c1", "kvm", "unix-char", "path=/dev/kmsg"]);
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata("/dev/kmsg").unwrap().permissions());
    assert_eq!(d.exec("c1", &["stat", "-c", "%a", "/dev/kmsg"]).trim(), format!("{:o}", mode & 0o777));
}

#[test]
fn what_is_missing_or_of_another_kind_is_refused() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    for (kind, what, word) in [
        ("unix-char", "source=/dev/no-such-device", "/dev/no-such-device"),
        ("unix-block", "source=/dev/null", "block"),
        ("unix-char", "source=/etc/hostname", "character"),
    ] {
        let said = d.lxc_fails(&["config", "device", "add", "c1", "x", kind, what, "path=/dev/x"]);
        assert!(said.contains(word), "{said}");
        assert_eq!(d.lxc_ok(&["config", "device", "list", "c1"]), "");
        assert_eq!(left(&d, "c1"), [""; 0]);
    }
    let said =
        d.lxc_fails(&["config", "device", "add", "c1", "x", "unix-char", "path=/dev/zero", "uid=4000000000"]);
    assert!(said.contains("4000000000"), "{said}");
}

/// Root of a privileged container is the host's, but for the devices.
#[test]
fn a_privileged_container_may_use_what_it_was_given_and_nothing_else() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1", "-c", "security.privileged=true"]);
    let info = d.lxc_ok(&["info"]);
    if info.contains("controller devices is missing") {
        testkit::skip!("this kernel cannot restrict the use of devices");
    }
    let open = "mknod /node c 1 11 2>/dev/null; head -c 0 /node && echo opened";
    assert!(sh(&d, "c1", open).contains("Operation not permitted"), "{}", sh(&d, "c1", open));
    d.lxc_ok(&["config", "device", "add", "c1", "kmsg", "unix-char", "path=/dev/kmsg"]);
    assert_eq!(sh(&d, "c1", open), "opened\n");
    assert_eq!(sh(&d, "c1", "head -c 0 /dev/kmsg && echo opened"), "opened\n");
    // Another device with the same number: what is allowed stays until the last one goes.
    d.lxc_ok(&["config", "device", "add", "c1", "again", "unix-char", "source=/dev/kmsg", "path=/dev/again"]);
    d.lxc_ok(&["config", "device", "remove", "c1", "kmsg"]);
    assert_eq!(sh(&d, "c1", open), "opened\n");
    d.lxc_ok(&["config", "device", "remove", "c1", "again"]);
    assert!(sh(&d, "c1", open).contains("Operation not permitted"));
    // What everybody may use is not taken away with a device of the same number.
    d.lxc_ok(&[
        "config",
        "device",
        "add",
        "c1",
        "null",
        "unix-char",
        "source=/dev/null",
        "path=/dev/nothing",
    ]);
    d.lxc_ok(&["config", "device", "remove", "c1", "null"]);
    assert_eq!(sh(&d, "c1", "echo x > /dev/null && echo works"), "works\n");
    d.lxc_ok(&["config", "device", "add", "c1", "kmsg", "unix-char", "path=/dev/kmsg"]);
    d.lxc_ok(&["restart", "--force", "c1"]);
    assert_eq!(sh(&d, "c1", "head -c 0 /dev/kmsg && echo opened"), "opened\n");
    assert!(sh(&d, "c1", "mknod /mem c 1 1; head -c 0 /mem && echo opened").contains("not permitted"));
}

#[test]
fn block_nodes() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    let device =
        ["config", "device", "add", "c1", "ram", "unix-block", "path=/dev/myram", "major=1", "minor=0"];
    d.lxc_ok(&device);
    assert_eq!(d.exec("c1", &["stat", "-c", "%F %t:%T", "/dev/myram"]), "block special file 1:0\n");
}
