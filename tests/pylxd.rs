//! The Python library pylxd against our daemon. `LIGHTERVISOR_TEST_PYTHON` names an interpreter that
//! has it, if `python3` has not.

use std::process::Command;
use testkit::{TestDaemon, Unavailable, or_skip, run, run_with_input};

/// The library as it is used, with what is expected of it.
const SCRIPT: &str = r#"
import pylxd, pylxd.exceptions
client = pylxd.Client()
for manager in (client.containers, client.instances):
    c = manager.create({"name": "c1", "source": {"type": "image", "alias": "busybox"}}, wait=True)
    c.files.put("/root/v", b"1")
    snapshot = c.snapshots.create("s1", wait=True)
    assert snapshot.name == "s1"
    c.files.put("/root/v", b"2")
    assert [s.name for s in c.snapshots.all()] == ["s1"]
    assert c.snapshots.get("s1").created_at and not c.snapshots.get("s1").stateful
    c.restore_snapshot("s1", wait=True)
    assert c.files.get("/root/v") == b"1"
    snapshot.rename("s2", wait=True)
    assert [s.name for s in c.snapshots.all()] == ["s2"]
    copy = manager.create({"name": "c2", "source": {"type": "copy", "source": "c1/s2"}}, wait=True)
    assert copy.files.get("/root/v") == b"1" and copy.snapshots.all() == []
    whole = manager.create({"name": "c3", "source": {"type": "copy", "source": "c1"}}, wait=True)
    assert [s.name for s in whole.snapshots.all()] == ["s2"]
    whole.rename("c4", wait=True)
    assert [s.name for s in manager.get("c4").snapshots.all()] == ["s2"]
    c.snapshots.get("s2").delete(wait=True)
    assert c.snapshots.all() == []
    try:
        c.snapshots.get("s2")
        raise SystemExit("a snapshot that is gone was found")
    except pylxd.exceptions.NotFound:
        pass
    for name in ("c1", "c2", "c4"):
        manager.get(name).delete(wait=True)
print("done")
"#;

fn python(d: &TestDaemon) -> Result<Command, Unavailable> {
    let program = std::env::var_os("LIGHTERVISOR_TEST_PYTHON").unwrap_or_else(|| "python3".into());
    let found = Command::new(&program).args(["-c", "import pylxd"]).output();
    if !found.is_ok_and(|found| found.status.success()) {
        return Err(Unavailable("the Python library pylxd is not installed".to_owned()));
    }
    let mut command = Command::new(program);
    d.configure(&mut command).arg("-");
    Ok(command)
}

#[test]
fn snapshots_and_copies() {
    let d = or_skip!(TestDaemon::builder().start());
    let mut python = or_skip!(python(&d));
    let said = run_with_input(&mut python, SCRIPT.as_bytes()).expect_success();
    assert_eq!(said.text(), "done\n");
    assert_eq!(run(d.lxc_command().args(["list", "--format", "csv"])).text(), "");
}
