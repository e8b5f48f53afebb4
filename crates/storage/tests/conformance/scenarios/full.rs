//! A pool without room: whoever wants more is told, and what is there lives on.

use crate::commands;
use crate::host::text;
use crate::site::{Site, container, none};
use std::error::Error as _;
use storage::{Parcel, VolumeSource};

pub(crate) async fn the_error_names_the_pool(site: &Site) {
    let Some(small) = site.driver.small else { return };
    let source = site.pool_of(&crate::drivers::DIR).await;
    let big = container("big");
    source.make(&big, VolumeSource::Empty, &none()).await.unwrap();
    source.inside(&big, |path| random(&path.join("rootfs/data"), 80)).await;

    let name = site.unused();
    let pool = site.create(site.driver, &name, &small(&site.host, &name)).await.unwrap();
    let first = container("first");
    pool.make(&first, VolumeSource::Empty, &none()).await.unwrap();
    pool.write(&first, "rootfs/f", "x").await;
    let parcel = Parcel { volume: big.clone(), snapshots: Vec::new(), config: none(), running: false };
    let mut made = Vec::new();
    let error = loop {
        let next = container(&format!("c{}", made.len()));
        match pool.copy_from(&source, &parcel, &next, &none()).await {
            Ok(()) => made.push(next),
            Err(error) => break error,
        }
        assert!(made.len() < 10, "800 MB fit into a pool of some 200 MB");
    };
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        told.push_str(&format!(": {next}"));
        cause = next.source();
    }
    eprintln!("a full pool says: {told}");
    assert!(told.contains(&name), "the error does not name the pool: {told}");

    // Nothing of it is left, and what was there is there.
    let mut expected = made.clone();
    expected.push(first.clone());
    assert_eq!(pool.all().await, expected);
    assert_eq!(pool.read(&first, "rootfs/f").await.as_deref(), Some("x"));
    let pool = pool.after_a_crash().await;
    assert_eq!(pool.read(&first, "rootfs/f").await.as_deref(), Some("x"));
    if let Some(gone) = made.pop() {
        pool.remove(&gone).await;
        pool.settle().await.unwrap();
        pool.copy_from(&source, &parcel, &gone, &none()).await.unwrap();
    }
    pool.end().await;
    source.end().await;
}

fn random(path: &std::path::Path, megabytes: u32) {
    let (to, count) = (format!("of={}", text(path)), format!("count={megabytes}"));
    commands::must("dd", &["if=/dev/urandom", "bs=1000000", "iflag=fullblock", &to, &count]);
}
