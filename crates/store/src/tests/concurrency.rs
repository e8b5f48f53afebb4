//! Many at once: batches, failures in them, closing.

use super::{container, name, open, with_pool};
use crate::{Error, instances, journal, server_config};
use std::sync::mpsc::channel;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_writers_and_readers() {
    let (_directory, store) = with_pool().await;
    let tasks: Vec<_> = (0..200)
        .map(|i| {
            let store = store.clone();
            tokio::spawn(async move {
                let new = container(&format!("c{i}"));
                store.write(move |tx| instances::insert(tx, &new)).await.unwrap();
                // What was written is there for whoever reads next.
                let wanted = name(&format!("c{i}"));
                store.read(move |c| instances::get(c, &wanted)).await.unwrap();
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let all = store.read(instances::list).await.unwrap();
    assert_eq!(all.len(), 200);
    assert!(all.iter().all(|i| i.profiles.len() == 1));
}

/// Keeps the writer busy until the returned sender is dropped, so that what is queued meanwhile
/// is committed together.
fn hold(store: &crate::Store) -> std::sync::mpsc::Sender<()> {
    let (release, held) = channel::<()>();
    let (entered, waiting) = channel();
    drop(store.write(move |_| {
        let _ = entered.send(());
        let _ = held.recv();
        Ok(())
    }));
    waiting.recv().unwrap();
    release
}

#[tokio::test]
async fn a_failure_in_a_batch_undoes_itself_alone() {
    let (_directory, store) = with_pool().await;
    let release = hold(&store);
    let good = store.write(|tx| instances::insert(tx, &container("c1")));
    let taken = store.write(|tx| instances::insert(tx, &container("c1")));
    let half = store.write(|tx| {
        instances::insert(tx, &container("c2"))?;
        instances::get(tx, &name("c9"))
    });
    let panics = store.write(|tx| {
        instances::insert(tx, &container("c3"))?;
        assert!(tx.sql().is_autocommit(), "never outside of a transaction");
        Ok(())
    });
    let last = store.write(|tx| instances::insert(tx, &container("c4")));
    drop(release);
    good.await.unwrap();
    assert!(matches!(taken.await, Err(Error::Conflict { .. })));
    assert!(matches!(half.await, Err(Error::NotFound { .. })));
    assert!(matches!(panics.await, Err(Error::Panicked)));
    last.await.unwrap();
    assert_eq!(store.read(instances::names).await.unwrap(), [name("c1"), name("c4")]);
}

#[tokio::test]
async fn a_write_is_done_though_nobody_waits() {
    let (_directory, store) = with_pool().await;
    drop(store.write(|tx| instances::insert(tx, &container("c1"))));
    // The queue is in order.
    store.write(|_| Ok(())).await.unwrap();
    assert_eq!(store.read(instances::names).await.unwrap(), [name("c1")]);
}

#[tokio::test]
async fn readers_do_not_wait_for_the_writer_and_cannot_write() {
    let (_directory, store) = with_pool().await;
    let release = hold(&store);
    assert!(store.read(instances::names).await.unwrap().is_empty());
    drop(release);
    let error = store
        .read(|conn| {
            conn.sql().execute("DELETE FROM profiles", [])?;
            Ok(())
        })
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Sql { .. }));
    let panicked: Result<(), Error> = store.read(|_| std::panic::resume_unwind(Box::new("test"))).await;
    assert!(matches!(panicked, Err(Error::Panicked)));
    store.read(instances::names).await.unwrap();
}

#[tokio::test]
async fn own_errors_stop_a_write() {
    #[derive(Debug, thiserror::Error)]
    enum Mine {
        #[error("no")]
        No,
        #[error(transparent)]
        Store(#[from] Error),
    }
    let (_directory, store) = with_pool().await;
    let refused: Result<(), Mine> = store
        .try_write(|tx| {
            instances::insert(tx, &container("c1"))?;
            Err(Mine::No)
        })
        .await;
    assert!(matches!(refused, Err(Mine::No)));
    let other: Result<(), Mine> = store.try_write(|tx| Ok(instances::delete(tx, &name("c1"))?)).await;
    assert!(matches!(other, Err(Mine::Store(Error::NotFound { .. }))));
    assert!(store.read(instances::names).await.unwrap().is_empty());
}

#[tokio::test]
async fn closing_finishes_what_is_queued() {
    let (directory, store) = with_pool().await;
    let release = hold(&store);
    let writes: Vec<_> =
        (0..100).map(|i| store.write(move |tx| journal::begin(tx, "test", &i.to_string(), &()))).collect();
    drop(release);
    let closing = store.clone();
    tokio::task::spawn_blocking(move || closing.close()).await.unwrap();
    for write in writes {
        write.await.unwrap();
    }
    assert!(matches!(store.read(server_config::get).await, Err(Error::Closed)));
    assert!(matches!(store.write(|_| Ok(())).await, Err(Error::Closed)));
    store.close();
    let file = directory.path().join("lxd.db");
    assert!(!directory.path().join("lxd.db-wal").exists(), "the log is folded into the file");
    let store = crate::Store::open(&file).unwrap();
    assert_eq!(store.read(journal::list).await.unwrap().len(), 100);
}

#[tokio::test]
async fn another_program_that_writes_is_named() {
    let (directory, store) = open();
    let other = rusqlite::Connection::open(directory.path().join("lxd.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = store.write(|tx| journal::begin(tx, "test", "x", &())).await.unwrap_err();
    assert!(
        matches!(&error, Error::Lost { source, .. } if matches!(**source, Error::Busy { .. })),
        "{error:?}"
    );
    assert!(error.to_string().contains("lxd.db"));
    other.execute_batch("ROLLBACK").unwrap();
    store.write(|tx| journal::begin(tx, "test", "x", &())).await.unwrap();
}
