//! A tour of storage as LXD's users took it: a btrfs on a disk of its own beside the default pool,
//! volumes that containers share, and the commands in the words of the announcements.

use std::path::Path;
use std::process::Command;
use testkit::{TestDaemon, Unavailable, daemon, find_program, or_skip, run};

/// A disk to put a pool on.
struct Disk(String);

impl Disk {
    fn new(file: &Path, megabytes: u64) -> Result<Self, Unavailable> {
        for program in ["btrfs", "mkfs.btrfs", "losetup"] {
            if find_program(program).is_none() {
                return Err(Unavailable(format!("{program} is not installed")));
            }
        }
        if !std::fs::read_to_string("/proc/filesystems").unwrap_or_default().contains("btrfs") {
            return Err(Unavailable("the kernel has no btrfs".to_owned()));
        }
        std::fs::File::create(file).unwrap().set_len(megabytes << 20).unwrap();
        let attached = run(Command::new("losetup").args(["--find", "--show"]).arg(file));
        match attached.status.success() {
            true => Ok(Self(attached.text().trim().to_owned())),
            false => Err(Unavailable("there are no loop devices".to_owned())),
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("losetup").args(["--detach", &self.0]).status();
    }
}

fn numbers(d: &TestDaemon, container: &str, path: &str) -> String {
    d.exec(container, &["stat", "-c", "%u:%g", path])
}

#[test]
fn storage_management_as_it_was_announced() {
    let d = daemon!();
    let disk = or_skip!(Disk::new(&d.scratch().join("sdb"), 1024));
    let created = d.lxc_ok(&["storage", "create", "my-btrfs", "btrfs", &format!("source={}", disk.0)]);
    assert_eq!(created, "Storage pool my-btrfs created\n");
    assert!(d.lxc_ok(&["storage", "list", "-f", "csv"]).contains("my-btrfs,,btrfs,"));
    d.lxc_ok(&["launch", "busybox", "xen1"]);
    d.lxc_ok(&["launch", "busybox", "xen-on-my-btrfs", "-s", "my-btrfs"]);
    let pools = d.lxc_ok(&["list", "-c", "nb", "-f", "csv"]);
    assert_eq!(pools, "xen-on-my-btrfs,my-btrfs\nxen1,default\n");

    d.lxc_ok(&["storage", "volume", "create", "my-btrfs", "my-custom-volume"]);
    d.lxc_ok(&[
        "storage",
        "volume",
        "attach",
        "my-btrfs",
        "my-custom-volume",
        "xen1",
        "data",
        "/opt/my/data",
    ]);
    d.exec("xen1", &["sh", "-c", "echo hello > /opt/my/data/file"]);
    assert_eq!(numbers(&d, "xen1", "/opt/my/data/file"), "0:0\n");

    // A container with a map of its own is refused; with the same map it shares the volume.
    d.lxc_ok(&["launch", "busybox", "xen-isolated", "-c", "security.idmap.isolated=true"]);
    let attach = ["storage", "volume", "attach", "my-btrfs", "my-custom-volume"];
    let refused = d.lxc_fails(&[&attach[..], &["xen-isolated", "data", "/opt/my/data"]].concat());
    assert!(refused.to_lowercase().contains("id") && refused.contains("my-custom-volume"), "{refused}");
    d.lxc_ok(&["stop", "--force", "xen-isolated"]);
    d.lxc_ok(&["config", "unset", "xen-isolated", "security.idmap.isolated"]);
    d.lxc_ok(&["move", "xen-isolated", "xen2"]);
    d.lxc_ok(&["start", "xen2"]);
    d.lxc_ok(&[&attach[..], &["xen2", "data", "/opt/my/data"]].concat());
    assert_eq!(d.exec("xen2", &["cat", "/opt/my/data/file"]), "hello\n");
    assert_eq!(numbers(&d, "xen2", "/opt/my/data/file"), "0:0\n");
    d.exec("xen2", &["sh", "-c", "echo more >> /opt/my/data/file"]);
    assert_eq!(d.exec("xen1", &["cat", "/opt/my/data/file"]), "hello\nmore\n");

    let users = d.lxc_ok(&["storage", "volume", "info", "my-btrfs", "my-custom-volume"]);
    assert!(users.contains("  /1.0/containers/xen1\n  /1.0/containers/xen2\n"), "{users}");
    let busy = d.lxc_fails(&["storage", "volume", "delete", "my-btrfs", "my-custom-volume"]);
    assert!(busy.contains("still in use"), "{busy}");
    let full = d.lxc_fails(&["storage", "delete", "my-btrfs"]);
    assert!(full.contains("my-btrfs") && full.contains("xen-on-my-btrfs"), "{full}");
    d.lxc_ok(&["storage", "volume", "detach", "my-btrfs", "my-custom-volume", "xen1"]);
    d.lxc_ok(&["storage", "volume", "detach", "my-btrfs", "my-custom-volume", "xen2", "data"]);
    assert_eq!(d.exec("xen1", &["sh", "-c", "cat /opt/my/data/file 2>/dev/null || echo gone"]), "gone\n");
    let deleted = d.lxc_ok(&["storage", "volume", "delete", "my-btrfs", "my-custom-volume"]);
    assert_eq!(deleted, "Storage volume my-custom-volume deleted\n");
    d.lxc_ok(&["delete", "--force", "xen-on-my-btrfs"]);
    for image in d.lxc_ok(&["image", "list", "-c", "F", "-f", "csv"]).lines() {
        d.lxc_ok(&["image", "delete", image]);
    }
    assert_eq!(d.lxc_ok(&["storage", "delete", "my-btrfs"]), "Storage pool my-btrfs deleted\n");
}

#[test]
fn volumes_from_beginning_to_end() {
    let d = daemon!();
    let source = format!("source={}", d.scratch().join("p2").display());
    d.lxc_ok(&["storage", "create", "p2", "dir", &source]);
    let volume = |args: &[&str]| d.lxc_ok(&[&["storage", "volume"], args].concat());
    volume(&["create", "default", "data", "user.for=the database"]);
    assert_eq!(volume(&["get", "default", "data", "user.for"]), "the database\n");
    volume(&["set", "default", "data", "user.for=tests", "user.more=x"]);
    volume(&["unset", "default", "data", "user.more"]);
    assert_eq!(volume(&["get", "default", "custom/data", "user.for"]), "tests\n");
    assert_eq!(volume(&["get", "default", "data", "user.more"]), "\n");

    d.lxc_ok(&["launch", "busybox", "c1"]);
    // The device is called like the volume unless it is told otherwise.
    volume(&["attach", "default", "data", "c1", "/data"]);
    assert_eq!(d.lxc_ok(&["config", "device", "get", "c1", "data", "source"]), "data\n");
    let again = d.lxc_fails(&["storage", "volume", "attach", "default", "data", "c1", "/other"]);
    assert!(again.contains("The device already exists"), "{again}");
    d.exec("c1", &["sh", "-c", "echo 1 > /data/v"]);
    volume(&["snapshot", "default", "data"]);
    d.exec("c1", &["sh", "-c", "echo 2 > /data/v"]);
    volume(&["snapshot", "default", "data", "second"]);
    volume(&["detach", "default", "data", "c1"]);
    volume(&["restore", "default", "data", "snap0"]);
    volume(&["attach", "default", "data", "c1", "/data"]);
    assert_eq!(d.exec("c1", &["cat", "/data/v"]), "1\n");
    let info = volume(&["info", "default", "data"]);
    assert!(
        info.contains("\nSnapshots:\n  snap0 (taken at ") && info.contains("\n  second (taken at "),
        "{info}"
    );
    volume(&["rename", "default", "data/second", "data/good"]);
    assert!(volume(&["show", "default", "data/good"]).contains("name: data/good\n"));

    volume(&["copy", "default/data", "p2/data"]);
    volume(&["copy", "default/data/good", "p2/good"]);
    volume(&["attach", "p2", "good", "c1", "/good"]);
    assert_eq!(d.exec("c1", &["cat", "/good/v"]), "2\n");
    assert!(d.lxc_fails(&["storage", "volume", "move", "p2/good", "default/good"]).contains("in use"));
    volume(&["detach", "p2", "good", "c1"]);
    volume(&["move", "p2/good", "default/better"]);
    volume(&["move", "default/better", "default/best"]);
    volume(&["attach", "default", "best", "c1", "/best"]);
    assert_eq!(d.exec("c1", &["cat", "/best/v"]), "2\n");
    let listed = volume(&["list", "-f", "csv", "type=custom", "-c", "pn"]);
    assert!(listed.contains("default,best\n") && listed.contains("p2,data\n"), "{listed}");
    assert!(!listed.contains("p2,good\n"), "{listed}");

    // All containers of a profile get it, and lose it.
    d.lxc_ok(&["profile", "create", "shared"]);
    volume(&["attach-profile", "p2", "data", "shared", "more", "/more"]);
    d.lxc_ok(&["profile", "add", "c1", "shared"]);
    assert_eq!(d.exec("c1", &["cat", "/more/v"]), "1\n");
    volume(&["detach-profile", "p2", "data", "shared"]);
    assert_eq!(d.exec("c1", &["sh", "-c", "ls /more 2>/dev/null | wc -l"]), "0\n");
    let deleted = volume(&["delete", "p2", "data/snap0", "data"]);
    assert_eq!(deleted, "Storage volume data/snap0 deleted\nStorage volume data deleted\n");
}
