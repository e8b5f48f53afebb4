//! Ids: which ones of the host a container's are, measured in its processes and its files.

use testkit::{TestDaemon, daemon};

/// Lines of a map of ids of a container's init: inside, outside, count.
fn map(d: &TestDaemon, name: &str, file: &str) -> Vec<[u64; 3]> {
    let text = testkit::run(d.inside("cat").arg(format!("/proc/{}/{file}", d.init_pid(name)))).text();
    text.lines()
        .map(|line| {
            let numbers: Vec<u64> = line.split_whitespace().map(|n| n.parse().unwrap()).collect();
            [numbers[0], numbers[1], numbers[2]]
        })
        .collect()
}

fn base(d: &TestDaemon, name: &str) -> u64 {
    map(d, name, "uid_map")[0][1]
}

/// Files are the container's own as its programs see them.
fn owns_its_files(d: &TestDaemon, name: &str) {
    for path in ["/bin/busybox", "/etc", "/own"] {
        let owner = if path == "/own" { "1000:1000" } else { "0:0" };
        assert_eq!(d.exec(name, &["stat", "-c", "%u:%g", path]).trim(), owner, "{path}");
    }
}

#[test]
fn isolated_containers_share_no_id_and_keep_theirs() {
    let d = daemon!();
    let isolated = "security.idmap.isolated=true";
    d.lxc_ok(&["launch", "busybox", "shared"]);
    d.lxc_ok(&["launch", "busybox", "a", "-c", isolated]);
    d.lxc_ok(&["launch", "busybox", "b", "-c", isolated, "-c", "security.idmap.size=100000"]);
    d.lxc_ok(&["launch", "busybox", "c", "-c", isolated]);
    assert_eq!(map(&d, "shared", "uid_map"), [[0, 1_000_000, 1_000_000_000]]);
    let first = 1_000_000 + 65536;
    assert_eq!(map(&d, "a", "uid_map"), [[0, first, 65536]]);
    assert_eq!(map(&d, "b", "gid_map"), [[0, first + 65536, 100_000]]);
    assert_eq!(base(&d, "c"), first + 65536 + 100_000);
    d.exec("b", &["sh", "-c", "touch /own && chown 1000:1000 /own"]);

    // A change of the keys is for the next start; what runs keeps its ids, and nobody else gets them.
    d.lxc_ok(&["config", "set", "b", "security.idmap.size", "70000"]);
    assert_eq!(map(&d, "b", "uid_map"), [[0, first + 65536, 100_000]]);
    d.lxc_ok(&["launch", "busybox", "e", "-c", isolated]);
    let other = base(&d, "e");
    assert!(other >= first + 65536 + 100_000 + 65536, "{other}");
    d.lxc_ok(&["restart", "--force", "b"]);
    assert_eq!(map(&d, "b", "uid_map")[0][2], 70000);
    owns_its_files(&d, "b");

    // Without a change they stay, whatever is free.
    d.lxc_ok(&["delete", "--force", "a"]);
    let before = base(&d, "c");
    d.lxc_ok(&["restart", "--force", "c"]);
    assert_eq!(base(&d, "c"), before);
    // The gap is used again by what is smaller: an exact fit is none.
    d.lxc_ok(&["launch", "busybox", "f", "-c", isolated, "-c", "security.idmap.size=65000"]);
    assert_eq!(base(&d, "f"), first);
}

#[test]
fn a_base_can_be_named_and_has_to_fit() {
    let d = daemon!();
    let wish = |base: &str| {
        ["launch", "busybox", "c1", "-c", "security.idmap.isolated=true", "-c", base].map(str::to_owned)
    };
    let run = |base: &str| d.lxc(&wish(base).iter().map(String::as_str).collect::<Vec<_>>());
    let said = run("security.idmap.base=500").errors();
    assert!(said.contains("security.idmap.base 500") && said.contains("1000000"), "{said}");
    d.lxc_ok(&["config", "set", "c1", "security.idmap.base", "2000000"]);
    d.lxc_ok(&["start", "c1"]);
    assert_eq!(map(&d, "c1", "uid_map"), [[0, 2_000_000, 65536]]);
}

#[test]
fn single_ids_of_the_host_are_punched_in() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1", "-c", "raw.idmap=both 1000 1000\nuid 2000-2001 5000-5001"]);
    let uids = map(&d, "c1", "uid_map");
    assert_eq!(uids[..3], [[0, 1_000_000, 1000], [1000, 1000, 1], [1001, 1_001_001, 3999]]);
    assert!(uids.contains(&[5000, 2000, 2]), "{uids:?}");
    assert!(!map(&d, "c1", "gid_map").contains(&[5000, 2000, 2]));
    d.exec("c1", &["sh", "-c", "touch /own && chown 1000:1000 /own"]);
    owns_its_files(&d, "c1");
    let said = d.lxc_fails(&["config", "set", "c1", "raw.idmap", "both 1000"]);
    assert!(said.contains("both 1000"), "{said}");
    d.lxc_ok(&["config", "set", "c1", "raw.idmap", "both 1000001 7"]);
    let said = d.lxc_fails(&["restart", "--force", "c1"]);
    assert!(said.contains("1000001"), "{said}");
    d.lxc_ok(&["config", "unset", "c1", "raw.idmap"]);
    d.lxc_ok(&["start", "c1"]);
    owns_its_files(&d, "c1");
}

#[test]
fn files_follow_a_change_of_privileges() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    d.exec("c1", &["sh", "-c", "touch /own && chown 1000:1000 /own"]);
    for (privileged, first) in [("true", 0), ("false", 1_000_000), ("true", 0)] {
        d.lxc_ok(&["config", "set", "c1", "security.privileged", privileged]);
        d.lxc_ok(&["restart", "--force", "c1"]);
        assert_eq!(base(&d, "c1"), first);
        owns_its_files(&d, "c1");
    }
}

#[test]
fn where_mounts_cannot_map_ids_the_files_are_shifted() {
    let d = daemon!(TestDaemon::builder().uninitialised());
    let place = d.scratch().join("layers");
    std::fs::create_dir(&place).unwrap();
    let mounted = testkit::run(
        d.inside("sh")
            .arg("-ec")
            .arg(
                "cd \"$0\"; mount -t tmpfs -o size=1g tmpfs .; cd \"$0\"; mkdir lower upper work pool
         mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work overlay pool",
            )
            .arg(&place),
    );
    if mounted.code() != 0 {
        testkit::skip!("no overlay: {}", mounted.errors());
    }
    let preseed = format!(
        "storage_pools:\n- name: default\n  driver: dir\n  config:\n    source: {}\n\
         profiles:\n- name: default\n  devices:\n    root:\n      type: disk\n      path: /\n      pool: default\n",
        place.join("pool").display()
    );
    let _ = testkit::run_with_input(d.lxd_command().args(["init", "--preseed"]), preseed.as_bytes())
        .expect_success();
    let image = testkit::or_skip!(testkit::busybox_image());
    d.lxc_ok(&["image", "import", &image.to_string_lossy(), "--alias", "busybox"]);
    d.lxc_ok(&["launch", "busybox", "c1"]);
    if !d.log().contains("cannot map ids") {
        testkit::skip!("mounts of every file system here can map ids");
    }
    let owner = |path: &str| {
        let root = format!("/proc/{}/root{path}", d.init_pid("c1"));
        testkit::run(d.inside("stat").args(["-c", "%u", &root])).text().trim().parse::<u64>().unwrap()
    };
    d.exec("c1", &["sh", "-c", "touch /own && chown 1000:1000 /own"]);
    assert_eq!((owner("/etc"), owner("/own")), (1_000_000, 1_001_000), "the host's ids are on disk");
    d.lxc_ok(&["config", "set", "c1", "security.idmap.isolated", "true"]);
    d.lxc_ok(&["restart", "--force", "c1"]);
    assert_eq!((owner("/etc"), owner("/own")), (1_065_536, 1_066_536));
    owns_its_files(&d, "c1");
    d.lxc_ok(&["config", "set", "c1", "security.privileged", "true"]);
    d.lxc_ok(&["restart", "--force", "c1"]);
    assert_eq!((owner("/etc"), owner("/own")), (0, 1000));
    owns_its_files(&d, "c1");
}
