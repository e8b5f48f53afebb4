//! The database is lost; the pools have everything.

use testkit::{TestDaemon, daemon, eventually, run, run_with_input};

/// The daemon forgets everything but what is on its pools.
fn lose_the_database(d: &mut TestDaemon) {
    d.terminate();
    std::fs::remove_dir_all(d.lxd_dir().join("database")).unwrap();
    d.start_again();
    assert_eq!(d.lxc_ok(&["list", "--format", "csv"]), "");
}

fn backup(d: &TestDaemon, container: &str) -> String {
    let path = d.lxd_dir().join("storage-pools/default/containers").join(container).join("backup.yaml");
    std::fs::read_to_string(path).unwrap_or_default()
}

/// A container with a snapshot and something to know it by.
fn make(d: &TestDaemon) {
    d.lxc_ok(&["launch", "busybox", "c1", "-c", "user.mark=kept", "-c", "limits.processes=100"]);
    d.exec("c1", &["sh", "-c", "echo 1 > /root/v; chown 1000:1000 /root/v"]);
    d.lxc_ok(&["snapshot", "c1", "one"]);
    d.exec("c1", &["sh", "-c", "echo 2 > /root/v"]);
    d.lxc_ok(&["stop", "--force", "c1"]);
    eventually("it is written down", || {
        let text = backup(d, "c1");
        (text.contains("c1/one") && text.contains("kept") && text.contains("STOPPED")).then_some(())
    });
}

fn is_whole(d: &TestDaemon) {
    assert_eq!(d.lxc_ok(&["config", "get", "c1", "user.mark"]), "kept\n");
    d.lxc_ok(&["start", "c1"]);
    assert_eq!(d.exec("c1", &["sh", "-c", "cat /root/v; stat -c %u /root/v"]), "2\n1000\n");
    d.lxc_ok(&["stop", "--force", "c1"]);
    d.lxc_ok(&["restore", "c1", "one"]);
    d.lxc_ok(&["start", "c1"]);
    assert_eq!(d.exec("c1", &["cat", "/root/v"]), "1\n");
}

#[test]
fn everything_on_a_pool_is_taken_over() {
    let mut d = daemon!();
    make(&d);
    d.lxc_ok(&["copy", "c1", "c2"]);
    d.lxc_ok(&["copy", "c1", "c3"]);
    eventually("both are written down", || {
        (backup(&d, "c2").contains("name: c2") && backup(&d, "c3").contains("name: c3")).then_some(())
    });
    std::fs::remove_file(d.lxd_dir().join("storage-pools/default/containers/c3/backup.yaml")).unwrap();
    lose_the_database(&mut d);
    let recover = |answers: &str| run_with_input(d.lxd_command().arg("recover"), answers.as_bytes());
    let source = d.lxd_dir().join("storage-pools/default");
    let pool = format!("yes\ndefault\ndir\n{}\n\nno\n", source.display());
    let shown = recover(&format!("{pool}no\n"));
    assert!(
        shown.text().contains("Container \"c1\" on pool \"default\" (includes 1 snapshots)"),
        "{}",
        shown.text()
    );
    assert!(shown.text().contains("\"c3\"") && shown.text().contains("no description"), "{}", shown.text());
    assert_eq!(d.lxc_ok(&["list", "--format", "csv"]), "");
    assert!(recover(&format!("{pool}yes\n")).status.success());
    assert_eq!(d.lxc_ok(&["list", "-c", "nS", "--format", "csv"]), "c1,1\nc2,1\n");
    is_whole(&d);
    let again = recover("no\n");
    assert!(again.text().contains("\"c3\"") && !again.text().contains("\"c1\""), "{}", again.text());
}

#[test]
fn one_container_is_imported_with_its_pool() {
    let mut d = daemon!();
    make(&d);
    lose_the_database(&mut d);
    let import = |arguments: &[&str]| run(d.lxd_command().arg("import").args(arguments));
    assert!(import(&["c9"]).errors().contains("not found"));
    let snapshot = d.lxd_dir().join("storage-pools/default/snapshots/c1");
    std::fs::rename(snapshot.join("one"), snapshot.join("other")).unwrap();
    std::fs::create_dir(snapshot.join("more")).unwrap();
    let differ = import(&["c1"]);
    assert!(differ.errors().contains("--force"), "{}", differ.errors());
    std::fs::remove_dir(snapshot.join("more")).unwrap();
    std::fs::rename(snapshot.join("other"), snapshot.join("one")).unwrap();
    assert!(import(&["c1"]).status.success());
    assert!(import(&["c1"]).errors().contains("already"));
    is_whole(&d);
}
