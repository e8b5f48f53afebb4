//! Containers' volumes: made of images and of nothing, under all names that there are.

use crate::site::{Site, container, custom, image, none};
use crate::tree;
use std::os::unix::fs::MetadataExt as _;
use storage::{Error, Volume, VolumeSource};

pub(crate) async fn one_has_what_its_image_has(site: &Site) {
    let pool = site.pool().await;
    pool.fill_image('a', tree::odd).await.unwrap();
    let before = pool.tree(&image('a')).await;
    let c1 = pool.launch("c1", &image('a')).await;
    let (path, link) = (pool.volume_path(&c1), site.host.var().join("containers/c1"));
    assert_eq!(std::fs::read_link(link).unwrap(), path);
    before.expect(&pool.tree(&c1).await, "a container");
    let mode = pool.inside(&c1, |path| path.metadata().unwrap().mode() & 0o7777).await;
    assert_eq!(mode, 0o700, "only root enters a container's volume");

    pool.write(&c1, "rootfs/etc/hostname", "c1").await;
    pool.write(&c1, "rootfs/names/*", None).await;
    before.expect(&pool.tree(&image('a')).await, "the image of a container that wrote");
    let taken = pool.make(&c1, VolumeSource::Empty, &none()).await.unwrap_err();
    assert!(matches!(taken, Error::VolumeExists { .. }), "{taken}");
    let missing = VolumeSource::still(container("missing"));
    let missing = pool.make(&container("c2"), missing, &none()).await.unwrap_err();
    assert!(matches!(missing, Error::NoVolume { .. }), "{missing}");
    assert!(!pool.delete_volume(&container("missing")).await.unwrap());
    assert!(pool.usage(&c1).await.unwrap() > 0);
    pool.remove(&c1).await;
    assert!(site.host.var().join("containers/c1").symlink_metadata().is_err());
    pool.end().await;
}

pub(crate) async fn empty_ones_have_a_rootfs(site: &Site) {
    let pool = site.pool().await;
    let c1 = container("c1");
    pool.make(&c1, VolumeSource::Empty, &none()).await.unwrap();
    let (names, mode) = pool
        .inside(&c1, |path| {
            let names = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name());
            let names: Vec<_> = names.filter(|name| name != "lost+found").collect();
            (names, path.join("rootfs").metadata().unwrap().mode() & 0o7777)
        })
        .await;
    assert_eq!((names, mode), (vec!["rootfs".into()], 0o755));
    pool.end().await;
}

/// Names that a driver may have to write in other letters, and that must not meet there.
pub(crate) async fn odd_names_stay_apart(site: &Site) {
    let pool = site.pool().await;
    let longest = format!("a{}", "b".repeat(62));
    let names = ["a", "A", "a-b", "a--b", "a-b-c", "snap", "deleted", "tmp", "images", longest.as_str()];
    let volumes = [
        "a",
        "A",
        "a-b",
        "a--b",
        "a_b",
        "a.b",
        "a b",
        "a@b",
        "a%b",
        "a%20b",
        "a+b",
        "a:b",
        "a=b",
        "é",
        "_tmp",
        "snapshot_x",
        "x.block",
        "x_tmeta",
        "x_mlog",
        "pvmove0",
        "a\\x2db",
    ];
    let all: Vec<Volume> =
        names.iter().map(|n| container(n)).chain(volumes.iter().map(|n| custom(n))).collect();
    for volume in &all {
        pool.make(volume, VolumeSource::Empty, &none()).await.unwrap();
        pool.write(volume, "name", volume.to_string().as_str()).await;
    }
    let mut found = pool.all().await;
    found.sort();
    let mut expected = all.clone();
    expected.sort();
    assert_eq!(found, expected);
    let pool = pool.after_a_crash().await;
    for volume in &all {
        assert_eq!(pool.read(volume, "name").await, Some(volume.to_string()));
        pool.remove(volume).await;
    }
    pool.end().await;
}
