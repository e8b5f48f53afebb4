//! A second process that dies in the middle of an operation, as a daemon does that is killed.

use crate::site::{TestPool, container, none, size, snap, snapshot, still, with};
use serde::{Deserialize, Serialize};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use storage::{DriverKind, Parcel, Staged, Volume, VolumeSource};

/// Names the file that says what to do.
pub(crate) const TASK: &str = "LIGHTERVISOR_CONFORMANCE_TASK";

/// What it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Operation {
    Image,
    Container,
    Draft,
    Snapshot,
    Copy,
    Rename,
    Restore,
    Delete,
    DeleteSnapshot,
    Grow,
    Transfer,
    DeletePool,
}

#[derive(Serialize, Deserialize)]
struct Task {
    operation: Operation,
    var: PathBuf,
    pools: Vec<(String, String, crate::drivers::Config)>,
    note: PathBuf,
}

/// What a crash left of an operation's own knowledge.
pub(crate) fn staged(note: &Path) -> Option<Staged> {
    std::fs::read_to_string(note).ok().and_then(|text| serde_json::from_str(&text).ok())
}

/// Lets another process do this and die at its `nth` step. False: it has fewer steps, and all is done.
pub(crate) fn die_at(nth: u32, operation: Operation, pools: &[&TestPool], note: &Path) -> bool {
    let _ = std::fs::remove_file(note);
    let about = |pool: &&TestPool| {
        (pool.name().as_str().to_owned(), pool.kind().name().to_owned(), pool.recorded.clone())
    };
    let task = Task {
        operation,
        var: pools[0].var.clone(),
        pools: pools.iter().map(about).collect(),
        note: note.to_owned(),
    };
    let file = note.with_extension("task");
    std::fs::write(&file, serde_json::to_string(&task).unwrap()).unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(std::env::args_os().skip(1))
        .env(TASK, &file)
        .env("LIGHTERVISOR_CRASH_AFTER", nth.to_string())
        .output()
        .unwrap();
    let said = [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).concat();
    if output.status.signal() == Some(9) {
        return true;
    }
    assert!(output.status.success(), "{operation:?} until step {nth}: {said}");
    false
}

/// The other process.
pub(crate) async fn work() {
    let file = std::env::var_os(TASK).unwrap();
    let task: Task = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let open = |(name, kind, recorded): &(String, String, crate::drivers::Config)| {
        TestPool::open(&task.var, name, DriverKind::parse(kind).unwrap(), recorded.clone())
    };
    let pools: Vec<TestPool> = task.pools.iter().map(open).collect();
    for pool in &pools {
        pool.mount().await.unwrap();
    }
    operate(task.operation, &pools[0], pools.get(1), &task.note).await;
}

/// The operation on a pool that [`crate::scenarios::crashes`] has prepared.
pub(crate) async fn operate(operation: Operation, pool: &TestPool, other: Option<&TestPool>, note: &Path) {
    let (i, c1, c2) = (crate::site::image('a'), container("c1"), container("c2"));
    let keys = none();
    match operation {
        Operation::Image => {
            pool.image('b').await;
        }
        Operation::Container => pool.make(&c2, still(&i), &keys).await.unwrap(),
        Operation::Draft => {
            let draft = pool.draft(still(&c1), &keys).await.unwrap();
            pool.draft_snapshot(&draft, &snap("s1")).await.unwrap();
            pool.finish(draft, &c2).await.unwrap();
        }
        Operation::Snapshot => pool.make(&snapshot(&c1, "new"), still(&c1), &keys).await.unwrap(),
        Operation::Copy => pool.make(&c2, with(&c1, &["s1", "s2"]), &keys).await.unwrap(),
        Operation::Rename => pool.rename(&c1, &c2).await.unwrap(),
        Operation::Restore => restore(pool, &c1, note).await,
        Operation::Delete => {
            pool.delete_volume(&c1).await.unwrap();
        }
        Operation::DeleteSnapshot => {
            pool.delete_volume(&snapshot(&c1, "s1")).await.unwrap();
        }
        Operation::Grow => {
            pool.resize(&c1, &size(200)).await.unwrap();
        }
        Operation::DeletePool => return pool.delete().await.unwrap(),
        Operation::Transfer => {
            let snapshots = vec![snap("s1"), snap("s2")];
            let parcel = Parcel { volume: container("far"), snapshots, config: none(), running: false };
            pool.copy_from(other.unwrap(), &parcel, &c2, &keys).await.unwrap();
        }
    }
    pool.settle().await.unwrap();
}

async fn restore(pool: &TestPool, volume: &Volume, note: &Path) {
    let source = VolumeSource::still(snapshot(volume, "s1"));
    let staged = pool.stage(volume, source, &none()).await.unwrap();
    // As a daemon remembers it before it commits.
    let new = note.with_extension("new");
    std::fs::write(&new, serde_json::to_string(&staged).unwrap()).unwrap();
    std::fs::rename(new, note).unwrap();
    pool.commit_staged(volume, staged).await.unwrap();
}
