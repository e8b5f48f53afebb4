//! A disk runs full: the message names it, nothing half-made remains, and it goes on once there is room.

use testkit::{TestDaemon, busybox_image, or_skip, run, run_with_input};

fn inside(d: &TestDaemon, script: &str, argument: &std::path::Path) {
    let _ = run(d.inside("sh").args(["-ec", script, "sh"]).arg(argument)).expect_success();
}

/// Takes what is left of a file system, up to the last byte.
fn fill(d: &TestDaemon, directory: &std::path::Path) {
    let script = "dd if=/dev/zero of=$1/filler bs=64k 2>/dev/null || true; dd if=/dev/zero bs=1 count=70000 >> $1/filler 2>/dev/null || true";
    inside(d, script, directory);
}

fn free(d: &TestDaemon, directory: &std::path::Path) {
    inside(d, "rm $1/filler", directory);
}

/// What a directory holds, sorted.
fn names(d: &TestDaemon, directory: &std::path::Path) -> Vec<String> {
    let list = run(d.inside("ls").arg("-A").arg(directory)).expect_success().text();
    list.lines().map(str::to_owned).collect()
}

#[track_caller]
fn assert_names(said: &str, disk: &std::path::Path) {
    let expected = format!("No room on the disk mounted at {} (", disk.display());
    assert!(said.contains(&expected) && said.contains("No space left on device"), "{said}");
}

#[test]
fn a_full_pool_is_named_and_keeps_nothing_half_made() {
    let image = or_skip!(busybox_image());
    let d = or_skip!(TestDaemon::builder().uninitialised().start());
    let disk = d.scratch().join("small");
    inside(&d, "mkdir $1; mount -t tmpfs -o size=12m,mode=0711 small $1", &disk);
    let preseed = format!(
        "storage_pools:\n- name: default\n  driver: dir\n  config:\n    source: {}\nprofiles:\n- name: default\n  \
         devices:\n    root: {{type: disk, path: /, pool: default}}\n",
        disk.display()
    );
    let _ = run_with_input(d.lxd_command().args(["init", "--preseed"]), preseed.as_bytes()).expect_success();
    d.lxc_ok(&["image", "import", &image.to_string_lossy(), "--alias", "busybox"]);
    d.lxc_ok(&["launch", "busybox", "c1"]);
    d.lxc_ok(&["init", "busybox", "idle"]);
    let before = names(&d, &disk.join("containers"));
    fill(&d, &disk);
    // Where the daemon has it.
    let disk = d.lxd_dir().join("storage-pools/default");

    assert_names(&d.lxc_fails(&["init", "busybox", "c2"]), &disk);
    assert_names(&d.lxc_fails(&["copy", "idle", "c3"]), &disk);
    assert_names(&d.lxc_fails(&["snapshot", "idle", "s1"]), &disk);
    assert_eq!(d.lxc_ok(&["list", "-c", "nS", "--format", "csv"]), "c1,0\nidle,0\n");
    assert_eq!(names(&d, &disk.join("containers")), before);
    assert!(names(&d, &d.lxd_dir().join("containers")).iter().all(|name| before.contains(name)));
    assert!(!d.scratch().join("logs/c2").exists());

    // What fits nowhere is not there afterwards; what was there keeps its name.
    let big = d.scratch().join("big");
    std::fs::write(&big, vec![b'x'; 1 << 20]).unwrap();
    assert_names(&d.lxc_fails(&["file", "push", &big.to_string_lossy(), "c1/root/big"]), &disk);
    assert_ne!(d.lxc(&["exec", "c1", "--", "test", "-e", "/root/big"]).code(), 0);
    // A disk of the container's own is not the pool's fault.
    d.exec("c1", &["sh", "-c", "mkdir -p /mnt/t && mount -t tmpfs -o size=64k tmpfs /mnt/t"]);
    free(&d, &disk);
    let said = d.lxc_fails(&["file", "push", &big.to_string_lossy(), "c1/mnt/t/big"]);
    assert!(
        said.contains("/mnt/t/big") && said.contains("No space left") && !said.contains("No room"),
        "{said}"
    );
    fill(&d, &disk);

    // A start needs no room, or names what it lacks; and the container that runs goes on running.
    let started = d.lxc(&["start", "idle"]);
    if !started.status.success() {
        assert_names(&started.errors(), &disk);
        assert_eq!(d.status("idle"), "Stopped");
    }
    d.exec("c1", &["true"]);
    d.lxc_ok(&["stop", "--force", "c1"]);

    free(&d, &disk);
    d.lxc_ok(&["start", "c1"]);
    d.lxc_ok(&["launch", "busybox", "c2"]);
    d.exec("c2", &["true"]);
}

#[test]
fn an_image_that_does_not_fit_leaves_nothing() {
    let d = or_skip!(TestDaemon::builder().start());
    let images = d.lxd_dir().join("images");
    inside(
        &d,
        "mkdir $1.kept; cp -a $1/. $1.kept; mount -t tmpfs -o size=3m images $1; cp -a $1.kept/. $1",
        &images,
    );
    let before = names(&d, &images);
    fill(&d, &images);
    let other = d.scratch().join("other.tar.gz");
    std::fs::copy(busybox_image().expect("the daemon has it"), &other).unwrap();
    // Another fingerprint for the same content: gzip ignores what follows the end.
    let mut file = std::fs::File::options().append(true).open(&other).unwrap();
    std::io::Write::write_all(&mut file, &[0; 64]).unwrap();
    let said = d.lxc_fails(&["image", "import", &other.to_string_lossy(), "--alias", "other"]);
    assert_names(&said, &images);
    free(&d, &images);
    assert_eq!(names(&d, &images), before);
    assert_eq!(d.lxc_ok(&["image", "list", "--format", "csv", "-c", "l"]).trim(), "busybox");
    d.lxc_ok(&["image", "import", &other.to_string_lossy(), "--alias", "other"]);
    d.lxc_ok(&["launch", "other", "c1"]);
}

#[test]
fn a_full_database_changes_nothing_and_recovers() {
    let mut d = or_skip!(TestDaemon::builder().start());
    d.lxc_ok(&["launch", "busybox", "c1", "-c", "user.kept=before"]);
    d.lxc_ok(&["init", "busybox", "c2"]);
    d.terminate();
    let database = d.lxd_dir().join("database");
    inside(
        &d,
        "mkdir $1.kept; cp -a $1/. $1.kept; mount -t tmpfs -o size=6m database $1; cp -a $1.kept/. $1",
        &database,
    );
    d.start_again();
    fill(&d, &database);
    let long = "x".repeat(300_000);
    let said = d.lxc_fails(&["config", "set", "c1", "user.kept", &long[..100_000]]);
    assert!(said.contains(&format!("No room on the disk mounted at {}", database.display())), "{said}");
    assert_eq!(d.lxc_ok(&["config", "get", "c1", "user.kept"]), "before\n");
    let said = d.lxc_fails(&["init", "busybox", "c3"]);
    assert!(said.contains("No room on the disk"), "{said}");
    assert_eq!(d.status("c3"), "");
    assert!(!d.lxd_dir().join("storage-pools/default/containers/c3").exists());
    // Reading goes on, and so does what runs.
    assert_eq!(d.exec("c1", &["hostname"]), "c1\n");
    let started = d.lxc(&["start", "c2"]);
    assert_eq!(d.status("c2"), if started.status.success() { "Running" } else { "Stopped" });
    d.kill9();
    free(&d, &database);
    d.start_again();
    assert_eq!(d.lxc_ok(&["config", "get", "c1", "user.kept"]), "before\n");
    assert_eq!(d.status("c1"), "Running");
    assert_eq!(d.status("c2"), if started.status.success() { "Running" } else { "Stopped" });
    d.lxc_ok(&["config", "set", "c1", "user.kept", "after"]);
    d.lxc_ok(&["launch", "busybox", "c3"]);
}
