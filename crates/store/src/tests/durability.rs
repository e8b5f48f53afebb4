//! What is left after a kill, a cut log, damage; and who can read it.

use super::{container, name, open, with_pool};
use crate::{Error, Store, instances, journal};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// What is on the disk of a machine on which the daemon was killed: the files as they are, while
/// the first daemon still has them open.
fn copy_as_found(from: &Path, to: &Path) {
    for file in ["lxd.db", "lxd.db-wal"] {
        std::fs::copy(from.join(file), to.join(file)).unwrap();
    }
}

#[tokio::test]
async fn what_was_answered_survives_a_kill() {
    let (directory, store) = with_pool().await;
    let copies = tempfile::tempdir().unwrap();
    for i in 0..5 {
        let new = container(&format!("c{i}"));
        store.write(move |tx| instances::insert(tx, &new)).await.unwrap();
        store
            .write_lazy(move |tx| journal::begin(tx, "start", &format!("c{i}"), &serde_json::json!({"n": i})))
            .await
            .unwrap();
        let copy = copies.path().join(i.to_string());
        std::fs::create_dir(&copy).unwrap();
        copy_as_found(directory.path(), &copy);
        let after = Store::open(&copy.join("lxd.db")).unwrap();
        assert_eq!(after.read(instances::names).await.unwrap().len(), i + 1);
        let journal = after.read(journal::list).await.unwrap();
        assert_eq!(journal.len(), i + 1, "work that was under way is known");
        after.close();
    }
}

#[tokio::test]
async fn a_log_that_was_cut_short_loses_its_end_only() {
    let (directory, store) = with_pool().await;
    for i in 0..20 {
        let new = container(&format!("c{i}"));
        store.write(move |tx| instances::insert(tx, &new)).await.unwrap();
    }
    let length = std::fs::metadata(directory.path().join("lxd.db-wal")).unwrap().len();
    let mut last = 0;
    for part in 1..=8 {
        let copy = tempfile::tempdir().unwrap();
        copy_as_found(directory.path(), copy.path());
        let log = std::fs::OpenOptions::new().write(true).open(copy.path().join("lxd.db-wal")).unwrap();
        log.set_len(length * part / 8 - 1).unwrap();
        let after = match Store::open(&copy.path().join("lxd.db")) {
            Ok(after) => after,
            Err(error) => panic!("{part}/8 of the log: {error}"),
        };
        let names = after.read(instances::names).await.unwrap();
        assert!(names.len() >= last, "more of the log is more of the containers");
        last = names.len();
        after.close();
    }
    assert!(last >= 19, "{last}");
}

#[tokio::test]
async fn opening_again_finds_everything() {
    let (directory, store) = with_pool().await;
    store.write(|tx| instances::insert(tx, &container("c1"))).await.unwrap();
    store.close();
    for _ in 0..3 {
        let store = Store::open(&directory.path().join("lxd.db")).unwrap();
        assert_eq!(store.read(instances::names).await.unwrap(), [name("c1")]);
        store.close();
    }
}

#[tokio::test]
async fn nobody_else_can_read_the_files() {
    let (directory, store) = with_pool().await;
    store.write(|tx| instances::insert(tx, &container("c1"))).await.unwrap();
    let mut seen = 0;
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.file_name());
        seen += 1;
    }
    assert!(seen >= 2, "the file and its log");
}

#[tokio::test]
async fn damage_is_told_apart_and_says_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("lxd.db");
    std::fs::write(&file, "this is not a database, but it is long enough to be taken for one".repeat(100))
        .unwrap();
    let Err(error) = Store::open(&file) else { panic!("opened nonsense") };
    assert!(matches!(error, Error::Damaged { .. }), "{error:?}");
    assert!(error.to_string().contains(&*file.to_string_lossy()) && error.to_string().contains("backup"));

    let missing = directory.path().join("no/such/lxd.db");
    assert!(matches!(Store::open(&missing), Err(Error::Open { .. })));
}

#[tokio::test]
async fn a_page_of_nonsense_is_noticed_at_start() {
    let (directory, store) = with_pool().await;
    for i in 0..200 {
        let new = container(&format!("c{i}"));
        drop(store.write(move |tx| instances::insert(tx, &new)));
    }
    store.close();
    let file = directory.path().join("lxd.db");
    let mut bytes = std::fs::read(&file).unwrap();
    // The page of each table's root and all behind, but not the header.
    for byte in bytes.iter_mut().skip(4096 * 3) {
        *byte = 0xa5;
    }
    std::fs::write(&file, bytes).unwrap();
    let Err(error) = Store::open(&file) else { panic!("opened nonsense") };
    assert!(matches!(error, Error::Damaged { .. }), "{error:?}");
}

#[test]
fn one_connection_takes_little_memory() {
    let (_directory, store) = open();
    let pages: i64 = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(store.read(|c| Ok(c.sql().query_row("PRAGMA cache_size", [], |row| row.get(0))?)))
        .unwrap();
    assert_eq!(pages, -256, "KiB");
}
