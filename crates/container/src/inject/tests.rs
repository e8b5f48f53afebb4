//! Mounts that come and go in a container that runs.

use super::*;
use crate::enter::Child;
use crate::testbed::{Bed, Container};
use model::runtime::mounting::{MountResult, Mounted, UnmountResult, Unmounted};
use model::runtime::spec::{Create, Mount, MountSource};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

fn answer<T: serde::de::DeserializeOwned>(made: Result<Child, Error>, socket: &OwnedFd) -> T {
    let child = made.unwrap();
    let mut buffer = vec![0; 4096];
    let length = sys::scm::recv(socket.as_fd(), &mut buffer).unwrap().len;
    sys::waitid::wait(child.pidfd.as_fd()).unwrap();
    serde_json::from_slice(&buffer[..length]).unwrap()
}

fn put(container: &Container, mount: &Mount, given: Option<OwnedFd>) -> MountResult {
    let (ours, theirs) = sys::seqpacket::pair(4096).unwrap();
    let running = &container.running;
    answer(attach(running.pid, running.pidfd.as_fd(), mount, given, &theirs), &ours)
}

fn take(container: &Container, target: &str, mounted: Mounted) -> UnmountResult {
    let (ours, theirs) = sys::seqpacket::pair(4096).unwrap();
    let running = &container.running;
    let mark = Mark { target, identity: mounted.identity, remove: mounted.made };
    answer(detach(running.pid, running.pidfd.as_fd(), mark, &theirs), &ours)
}

fn bind(path: &Path, target: &str) -> Mount {
    let kind = if path.is_dir() { Create::Dir } else { Create::File };
    Mount {
        source: MountSource::Bind { path: path.to_owned(), recursive: false, idmapped: false },
        target: target.to_owned(),
        create: Some(kind),
        optional: false,
        read_only: false,
    }
}

fn mounts() -> String {
    std::fs::read_to_string("/proc/self/mountinfo").unwrap()
}

/// Checklist of the runtime, line 8.
#[test]
fn a_directory_and_a_file_come_and_go_and_the_host_sees_nothing() {
    let Some(bed) = Bed::new("a_directory_and_a_file_come_and_go_and_the_host_sees_nothing") else {
        return;
    };
    let host = tempfile::tempdir().unwrap();
    std::fs::write(host.path().join("note"), "from outside").unwrap();
    let mut spec = bed.spec("sleep 1000");
    for privileged in [false, true] {
        if privileged {
            spec.idmap = None;
        }
        let container = bed.start(&spec, None);
        let before = mounts();
        let dir = put(&container, &bind(host.path(), "mnt/a/b"), None).unwrap();
        assert!(dir.made);
        assert_eq!(container.sh("cat /mnt/a/b/note"), "from outside");
        assert_eq!(container.sh("stat -c %u:%g:%a /mnt/a"), "0:0:755\n");
        let file = put(&container, &bind(&host.path().join("note"), "/etc/note"), None).unwrap();
        assert_eq!(container.sh("cat /etc/note"), "from outside");
        assert_eq!(mounts(), before);
        assert_eq!(take(&container, "/etc/note", dir), Ok(Unmounted::Other));
        assert_eq!(take(&container, "/etc/note", file), Ok(Unmounted::Done));
        assert_eq!(take(&container, "/etc/note", file), Ok(Unmounted::Absent));
        assert_eq!(take(&container, "mnt/a/b", dir), Ok(Unmounted::Done));
        assert_eq!(container.sh("ls /mnt/a /etc"), "/etc:\n\n/mnt/a:\n");
        assert_eq!(take(&container, "/tmp", dir), Ok(Unmounted::Absent));
        drop(container);
        std::fs::remove_dir_all(bed.root().join("mnt")).unwrap();
        assert!(host.path().join("note").exists());
    }
}

#[test]
fn a_busy_mount_goes_too_and_a_full_mount_point_stays() {
    let Some(bed) = Bed::new("a_busy_mount_goes_too_and_a_full_mount_point_stays") else { return };
    let host = tempfile::tempdir().unwrap();
    let container = bed.start(&bed.spec("sleep 1000"), None);
    std::fs::create_dir(bed.root().join("mnt")).unwrap();
    std::fs::write(bed.root().join("mnt/kept"), "").unwrap();
    let mut mounted = put(&container, &bind(host.path(), "mnt"), None).unwrap();
    assert!(!mounted.made);
    container.sh("(cd /mnt && exec sleep 900) >/dev/null 2>&1 &");
    mounted.made = true;
    assert_eq!(take(&container, "mnt", mounted), Ok(Unmounted::Done));
    assert_eq!(container.sh("ls /mnt"), "kept\n");
}

#[test]
fn read_only_cannot_be_undone_inside() {
    let Some(bed) = Bed::new("read_only_cannot_be_undone_inside") else { return };
    let host = tempfile::tempdir().unwrap();
    let container = bed.start(&bed.spec("sleep 1000"), None);
    let mount = Mount { read_only: true, ..bind(host.path(), "mnt") };
    let mounted = put(&container, &mount, None).unwrap();
    let said = container.sh("touch /mnt/x; mount -o remount,rw,bind /mnt; touch /mnt/x");
    assert!(said.contains("Read-only file system"), "{said}");
    assert!(!host.path().join("x").exists());
    assert_eq!(take(&container, "mnt", mounted), Ok(Unmounted::Done));
    assert_eq!(
        container.sh("touch /mnt/x 2>&1; ls /mnt 2>&1"),
        "touch: /mnt/x: No such file or directory\nls: /mnt: No such file or directory\n"
    );
}

#[test]
fn ids_are_mapped_when_asked_for() {
    let Some(bed) = Bed::new("ids_are_mapped_when_asked_for") else { return };
    let host = tempfile::tempdir_in(bed.root().parent().unwrap()).unwrap();
    std::fs::write(host.path().join("note"), "x").unwrap();
    let container = bed.start(&bed.spec("sleep 1000"), None);
    let mut mount = bind(host.path(), "mnt");
    put(&container, &mount, None).unwrap();
    assert_eq!(container.sh("stat -c %u /mnt/note"), "65534\n");
    mount.source = MountSource::Bind { path: host.path().to_owned(), recursive: false, idmapped: true };
    mount.target = "mapped".to_owned();
    put(&container, &mount, None).unwrap();
    assert_eq!(container.sh("touch /mapped/made; stat -c %u /mapped/note /mapped/made"), "0\n0\n");
    assert_eq!(std::fs::metadata(host.path().join("made")).unwrap().uid(), 0);
    mount.read_only = true;
    mount.target = "locked".to_owned();
    put(&container, &mount, None).unwrap();
    assert_eq!(container.sh("stat -c %u /locked/note"), "0\n");
    mount.source = MountSource::Bind { path: "/proc".into(), recursive: false, idmapped: true };
    let refused = put(&container, &mount, None).unwrap_err();
    assert_eq!(refused.step, "map the ids of the source");
}

#[test]
fn links_do_not_lead_out_of_the_container() {
    let Some(bed) = Bed::new("links_do_not_lead_out_of_the_container") else { return };
    let host = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    let container = bed.start(&bed.spec("sleep 1000"), None);
    symlink(outside.path(), bed.root().join("absolute")).unwrap();
    symlink("../../../../../../../etc", bed.root().join("upwards")).unwrap();
    let refused = put(&container, &bind(host.path(), "absolute/x"), None).unwrap_err();
    assert!(refused.step.contains("/absolute/x"), "{refused:?}");
    put(&container, &bind(host.path(), "upwards/x"), None).unwrap();
    assert!(bed.root().join("etc/x").is_dir());
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
    assert_eq!(bed.root().join("etc/x").metadata().unwrap().uid(), 0, "the container's root, unmapped");
    let missing = put(&container, &bind(Path::new("/no/such/source"), "mnt"), None).unwrap_err();
    assert_eq!(missing.step, "open /no/such/source");
    assert_eq!(missing.errno, Some(Errno::NOENT.raw_os_error()));
}

#[test]
fn a_mount_that_was_made_elsewhere() {
    let Some(bed) = Bed::new("a_mount_that_was_made_elsewhere") else { return };
    let container = bed.start(&bed.spec("sleep 1000"), None);
    let made = crate::start::NewFilesystem::new("tmpfs", "").unwrap().make().unwrap();
    let source = MountSource::Given { idmapped: false };
    let mount = Mount { source, ..bind(Path::new("/"), "mnt") };
    assert!(attach_without(&container, &mount).step.contains("/mnt"));
    let mounted = put(&container, &mount, Some(made)).unwrap();
    assert!(container.sh("grep ' /mnt ' /proc/self/mounts").contains("tmpfs"));
    assert_eq!(take(&container, "mnt", mounted), Ok(Unmounted::Done));
}

fn attach_without(container: &Container, mount: &Mount) -> Error {
    let (_, theirs) = sys::seqpacket::pair(4096).unwrap();
    let running = &container.running;
    attach(running.pid, running.pidfd.as_fd(), mount, None, &theirs).unwrap_err()
}
