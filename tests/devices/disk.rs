//! Disks: directories, files and file systems of the host.

use super::{host_mounts, left, sh, shared, source};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use testkit::{TestDaemon, daemon, eventually, find_program, run};

#[test]
fn a_directory_comes_and_goes_while_the_container_runs() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    let before = host_mounts(&d);
    let data = shared(&d, "data", "from outside\n");
    let said = d.lxc_ok(&["config", "device", "add", "c1", "data", "disk", &source(&data), "path=/mnt/in"]);
    assert!(said.contains("Device data added to c1"), "{said}");
    assert_eq!(d.exec("c1", &["cat", "/mnt/in/note"]), "from outside\n");
    assert_eq!(host_mounts(&d), before, "the host sees nothing of it");
    assert_eq!(d.exec("c1", &["stat", "-c", "%u:%g:%a", "/mnt"]), "0:0:755\n");
    d.lxc_ok(&["launch", "busybox", "c2"]);
    assert!(sh(&d, "c2", "cat /mnt/in/note").contains("No such file"), "another container sees it");
    let said = d.lxc_ok(&["config", "device", "remove", "c1", "data"]);
    assert!(said.contains("Device data removed from c1"), "{said}");
    assert_eq!(sh(&d, "c1", "grep -c /mnt /proc/self/mounts; ls /mnt"), "0\n");
    assert_eq!(std::fs::read_to_string(data.join("note")).unwrap(), "from outside\n");
}

#[test]
fn a_changed_disk_is_replaced_and_a_file_is_a_disk_too() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    let (one, two) = (shared(&d, "one", "1\n"), shared(&d, "two", "2\n"));
    d.lxc_ok(&["config", "device", "add", "c1", "data", "disk", &source(&one), "path=mnt"]);
    assert_eq!(d.exec("c1", &["cat", "/mnt/note"]), "1\n");
    d.lxc_ok(&["config", "device", "set", "c1", "data", "source", &two.to_string_lossy()]);
    assert_eq!(d.exec("c1", &["cat", "/mnt/note"]), "2\n");
    d.lxc_ok(&["config", "device", "set", "c1", "data", "path", "/srv/other"]);
    assert_eq!(d.exec("c1", &["cat", "/srv/other/note"]), "2\n");
    assert!(sh(&d, "c1", "cat /mnt/note").contains("No such file"));
    let file = source(&one.join("note"));
    d.lxc_ok(&["config", "device", "add", "c1", "note", "disk", &file, "path=/etc/note", "readonly=true"]);
    assert_eq!(d.exec("c1", &["cat", "/etc/note"]), "1\n");
    assert!(sh(&d, "c1", "echo x > /etc/note").contains("Read-only file system"));
    d.lxc_ok(&["config", "device", "unset", "c1", "note", "readonly"]);
    // Who may write is decided by the host's owner and mode.
    assert!(sh(&d, "c1", "echo x > /etc/note").contains("Permission denied"));
    d.lxc_ok(&["config", "device", "remove", "c1", "note"]);
    assert!(sh(&d, "c1", "cat /etc/note").contains("No such file"));
}

#[test]
fn read_only_is_read_only_for_the_containers_root() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    let data = shared(&d, "data", "kept\n");
    std::os::unix::fs::chown(&data, Some(1_000_000), Some(1_000_000)).unwrap();
    let device =
        ["config", "device", "add", "c1", "data", "disk", &source(&data), "path=/mnt", "readonly=true"];
    for start in ["at once", "at start"] {
        if start == "at once" {
            d.lxc_ok(&device);
        } else {
            d.lxc_ok(&["restart", "--force", "c1"]);
        }
        let said = sh(
            &d,
            "c1",
            "touch /mnt/x; mount -o remount,rw,bind /mnt; touch /mnt/x; umount /mnt; touch /mnt/x",
        );
        assert!(said.contains("Read-only file system"), "{start}: {said}");
        assert!(!data.join("x").exists(), "{start}: {said}");
    }
}

#[test]
fn disks_lie_inside_each_other_at_start_and_while_running() {
    let d = daemon!();
    d.lxc_ok(&["init", "busybox", "c1"]);
    let (outer, inner, file) = (shared(&d, "outer", "o"), shared(&d, "inner", "i"), shared(&d, "file", "f"));
    // Mount points below a directory of the host are the host's business.
    std::fs::create_dir(outer.join("inner")).unwrap();
    std::fs::write(inner.join("file"), "").unwrap();
    // By name the inner one comes first.
    d.lxc_ok(&["config", "device", "add", "c1", "a", "disk", &source(&inner), "path=mnt/x/inner"]);
    d.lxc_ok(&["config", "device", "add", "c1", "b", "disk", &source(&outer), "path=/mnt/x/"]);
    let note = source(&file.join("note"));
    d.lxc_ok(&["config", "device", "add", "c1", "c", "disk", &note, "path=/mnt/x/inner/file"]);
    d.lxc_ok(&["start", "c1"]);
    let look = "cat /mnt/x/note /mnt/x/inner/note /mnt/x/inner/file";
    assert_eq!(sh(&d, "c1", look), "oif");
    for device in ["c", "a", "b"] {
        d.lxc_ok(&["config", "device", "remove", "c1", device]);
    }
    assert_eq!(sh(&d, "c1", "grep -c /mnt /proc/self/mounts"), "0\n");
    let mut body = d.api().get("/1.0/containers/c1").metadata();
    let text = |path: &Path| path.to_string_lossy().into_owned();
    body["devices"] = serde_json::json!({
        "a": {"type": "disk", "source": text(&inner), "path": "mnt/x/inner"},
        "b": {"type": "disk", "source": text(&outer), "path": "/mnt/x"},
    });
    let put = d.api().operation("PUT", "/1.0/containers/c1", &body);
    assert_eq!(put["status"], "Success", "{put}");
    assert_eq!(sh(&d, "c1", "cat /mnt/x/note /mnt/x/inner/note"), "oi");
}

#[test]
fn a_missing_source_is_refused_and_leaves_everything_as_it_was() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    let data = shared(&d, "data", "x");
    d.lxc_ok(&["config", "device", "add", "c1", "data", "disk", &source(&data), "path=/mnt"]);
    let said =
        d.lxc_fails(&["config", "device", "add", "c1", "gone", "disk", "source=/no/such", "path=/srv"]);
    assert!(said.contains("gone") && said.contains("/no/such"), "{said}");
    assert_eq!(d.lxc_ok(&["config", "device", "list", "c1"]), "data\n");
    let said = d.lxc_fails(&["config", "device", "set", "c1", "data", "source", "/no/such"]);
    assert!(said.contains("/no/such"), "{said}");
    assert_eq!(d.exec("c1", &["cat", "/mnt/note"]), "x", "the old one is back");
    assert_eq!(d.lxc_ok(&["config", "device", "get", "c1", "data", "source"]).trim(), data.to_string_lossy());
    let optional =
        ["config", "device", "add", "c1", "later", "disk", "source=/no/such", "path=/srv", "optional=true"];
    d.lxc_ok(&optional);
    d.lxc_ok(&["restart", "--force", "c1"]);
    std::fs::remove_dir_all(&data).unwrap();
    d.lxc_ok(&["stop", "--force", "c1"]);
    let said = d.lxc_fails(&["start", "c1"]);
    assert!(said.contains("data") && said.contains(&*data.to_string_lossy()), "{said}");
    assert_eq!(d.status("c1"), "Stopped");
    assert!(!d.lxd_dir().join("devices/c1").exists());
    let twice = ["config", "device", "add", "c1", "same", "disk", "source=/tmp", "path=//mnt/./"];
    assert!(d.lxc_fails(&twice).contains("mnt"));
}

#[test]
fn ids_are_shifted_when_asked_for() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    let data = shared(&d, "data", "x");
    std::os::unix::fs::chown(data.join("note"), Some(33), Some(44)).unwrap();
    let device = ["config", "device", "add", "c1", "data", "disk", &source(&data), "path=/mnt", "shift=true"];
    let added = d.lxc(&device);
    if added.errors().contains("id-mapped") {
        testkit::skip!("the file system of /tmp cannot map ids");
    }
    for start in ["at once", "at start"] {
        if start == "at start" {
            d.lxc_ok(&["restart", "--force", "c1"]);
        }
        assert_eq!(d.exec("c1", &["stat", "-c", "%u:%g", "/mnt/note"]), "33:44\n", "{start}");
        d.exec("c1", &["sh", "-c", "touch /mnt/made; chown 5:6 /mnt/made"]);
        let made = std::fs::metadata(data.join("made")).unwrap();
        assert_eq!((made.uid(), made.gid()), (5, 6), "{start}");
        std::fs::remove_file(data.join("made")).unwrap();
    }
    let said =
        d.lxc_fails(&["config", "device", "add", "c1", "p", "disk", "source=/proc", "path=/p", "shift=true"]);
    assert!(said.contains("/proc") && said.contains("shift"), "{said}");
    assert_eq!(d.lxc_ok(&["config", "device", "list", "c1"]), "data\n");
}

#[test]
fn recursive_shows_what_is_mounted_below() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    let data = shared(&d, "data", "x");
    std::fs::create_dir(data.join("below")).unwrap();
    let below = data.join("below");
    let _ = run(d.inside("mount").args(["-t", "tmpfs", "tmpfs"]).arg(&below)).expect_success();
    let _ = run(d.inside("touch").arg(below.join("deep"))).expect_success();
    d.lxc_ok(&["config", "device", "add", "c1", "flat", "disk", &source(&data), "path=/flat"]);
    d.lxc_ok(&[
        "config",
        "device",
        "add",
        "c1",
        "all",
        "disk",
        &source(&data),
        "path=/all",
        "recursive=true",
    ]);
    assert_eq!(sh(&d, "c1", "ls /flat/below /all/below"), "/all/below:\ndeep\n\n/flat/below:\n");
    let file = source(&data.join("note"));
    let said =
        d.lxc_fails(&["config", "device", "add", "c1", "f", "disk", &file, "path=/f", "recursive=true"]);
    assert!(said.contains("directory"), "{said}");
    d.lxc_ok(&["config", "device", "remove", "c1", "all"]);
    assert_eq!(sh(&d, "c1", "grep -c /all /proc/self/mounts"), "0\n");
    let _ = run(d.inside("umount").arg(&below)).expect_success();
}

/// A loop device with a file system; detached in the end.
struct Loop(PathBuf);

impl Loop {
    fn new(d: &TestDaemon, kind: &str, name: &str) -> Option<Self> {
        let image = d.scratch().join(name);
        std::fs::File::create(&image).unwrap().set_len(32 << 20).unwrap();
        let mkfs = find_program(&format!("mkfs.{kind}"))?;
        let _ = run(Command::new(mkfs).arg("-q").arg(&image)).expect_success();
        let losetup = find_program("losetup")?;
        let made = run(Command::new(losetup).args(["--find", "--show"]).arg(&image));
        made.status.success().then(|| Self(PathBuf::from(made.text().trim())))
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup").arg("--detach").arg(&self.0).status();
    }
}

#[test]
fn a_block_device_is_mounted_inside_and_nowhere_else() {
    let d = daemon!();
    let Some(disk) = Loop::new(&d, "ext4", "image") else {
        testkit::skip!("there are no loop devices or no mkfs.ext4");
    };
    d.lxc_ok(&["launch", "busybox", "c1"]);
    let before = host_mounts(&d);
    let source = source(&disk.0);
    let added = d.lxc(&["config", "device", "add", "c1", "disk", "disk", &source, "path=/mnt", "shift=true"]);
    assert!(added.status.success(), "{}", added.errors());
    for start in ["at once", "at start"] {
        if start == "at start" {
            d.lxc_ok(&["stop", "--force", "c1"]);
            d.lxc_ok(&["start", "c1"]);
        }
        let mounts = d.exec("c1", &["grep", " /mnt ", "/proc/self/mounts"]);
        assert!(mounts.contains("ext4") && mounts.contains("nodev"), "{start}: {mounts}");
        d.exec("c1", &["sh", "-c", "echo kept > /mnt/file && ls /mnt/lost+found"]);
        assert_eq!(d.exec("c1", &["cat", "/mnt/file"]), "kept\n", "{start}");
        assert_eq!(host_mounts(&d), before, "{start}");
    }
    d.lxc_ok(&["config", "device", "remove", "c1", "disk"]);
    assert_eq!(sh(&d, "c1", "ls /mnt"), "");
    let add = ["config", "device", "add", "c1", "disk", "disk", &source, "path=/mnt", "readonly=true"];
    d.lxc_ok(&add);
    assert_eq!(d.exec("c1", &["cat", "/mnt/file"]), "kept\n");
    assert!(sh(&d, "c1", "mount -o remount,rw,bind /mnt; touch /mnt/x").contains("Read-only"));
    d.lxc_ok(&["delete", "--force", "c1"]);
    // Nothing holds it: it can be had alone.
    eventually("the file system is let go", || {
        let opened = run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&disk.0));
        opened.status.success().then_some(())
    });
}

#[test]
fn a_block_device_without_a_file_system_is_refused() {
    let d = daemon!();
    let Some(disk) = Loop::new(&d, "ext4", "image") else {
        testkit::skip!("there are no loop devices or no mkfs.ext4");
    };
    std::fs::write(&disk.0, vec![0; 4 << 20]).unwrap();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    let said = d.lxc_fails(&["config", "device", "add", "c1", "x", "disk", &source(&disk.0), "path=/mnt"]);
    assert!(said.contains("no file system"), "{said}");
    assert_eq!(left(&d, "c1"), [""; 0]);
}

#[test]
fn a_hostile_container_cannot_redirect_a_mount() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    let data = shared(&d, "data", "x");
    let outside = shared(&d, "outside", "untouched");
    let link = format!("ln -s {} /away; ln -s ../../../../../../../.. /up; ln -s / /srv", outside.display());
    d.exec("c1", &["sh", "-c", &link]);
    let before = host_mounts(&d);
    // Absolute and rising links stay inside the container's root.
    d.lxc(&["config", "device", "add", "c1", "a", "disk", &source(&data), "path=/away/sub"]);
    d.lxc_ok(&["config", "device", "add", "c1", "b", "disk", &source(&data), "path=/up/tmp/b"]);
    assert_eq!(sh(&d, "c1", "cat /tmp/b/note"), "x");
    assert_eq!(host_mounts(&d), before);
    assert!(!outside.join("sub").exists());
    // What the container mounts over it is its own, and stays; it is told what is in the way.
    d.exec("c1", &["mount", "-t", "tmpfs", "tmpfs", "/tmp/b"]);
    let said = d.lxc_fails(&["config", "device", "remove", "c1", "b"]);
    assert!(said.contains("/up/tmp/b"), "{said}");
    d.exec("c1", &["umount", "/tmp/b"]);
    d.lxc_ok(&["config", "device", "remove", "c1", "b"]);
}

#[test]
fn profiles_give_and_take_disks_of_running_containers() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    d.lxc_ok(&["launch", "busybox", "c2"]);
    let (data, own) = (shared(&d, "data", "profile"), shared(&d, "own", "own"));
    d.lxc_ok(&["profile", "device", "add", "default", "data", "disk", &source(&data), "path=/mnt"]);
    for container in ["c1", "c2"] {
        assert_eq!(d.exec(container, &["cat", "/mnt/note"]), "profile");
    }
    d.lxc_ok(&["config", "device", "override", "c1", "data", &source(&own)]);
    assert_eq!(d.exec("c1", &["cat", "/mnt/note"]), "own");
    d.lxc_ok(&["config", "device", "add", "c2", "data", "none"]);
    assert!(sh(&d, "c2", "cat /mnt/note").contains("No such file"));
    d.lxc_ok(&["config", "device", "remove", "c2", "data"]);
    assert_eq!(d.exec("c2", &["cat", "/mnt/note"]), "profile");
    d.lxc_ok(&["profile", "device", "remove", "default", "data"]);
    assert!(sh(&d, "c2", "cat /mnt/note").contains("No such file"));
    assert_eq!(d.exec("c1", &["cat", "/mnt/note"]), "own", "it is its own by now");
}
