//! Volumes: made, copied, kept, brought back, removed.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn what_others_are_made_of_outlives_its_name() {
    let Some(host) = Host::new("outlives", &[]).await else { return };
    let image = host.image('a').await;
    let (c1, c2) = (c("c1"), c("c2"));
    host.make(&c1, still(&image)).await;
    assert_eq!(host.read(&c1).await, "image");
    let stat = host.pool.mount_volume(&c1, &none()).await.unwrap().path().metadata().unwrap();
    assert_eq!(stat.mode() & 0o7777, 0o700);
    assert!(host.var().join("containers/c1").is_dir(), "the link leads to the mount point");
    host.snapshot(&c1, "s0").await;
    host.make(&c2, still(&at(&c1, "s0"))).await;
    host.make(&c("c3"), still(&c1)).await;
    assert!(host.pool.delete_volume(&image).await.unwrap());
    assert!(!host.pool.delete_volume(&image).await.unwrap());
    assert!(!host.pool.has(&image).await.unwrap());
    host.image('a').await;
    assert!(host.pool.delete_volume(&at(&c1, "s0")).await.unwrap(), "the copy of it remains");
    assert!(host.snapshots(&c1).await.is_empty());
    host.snapshot(&c1, "s0").await;
    assert!(host.pool.delete_volume(&c1).await.unwrap());
    let deleted = |all: Vec<String>| all.iter().filter(|name| name.starts_with("/deleted/")).count();
    assert!(deleted(host.all().await) > 0);
    assert_eq!((host.read(&c2).await, host.read(&c("c3")).await), ("s0".to_owned(), "s0".to_owned()));
    assert!(host.pool.delete_volume(&c2).await.unwrap());
    assert!(host.pool.delete_volume(&c("c3")).await.unwrap());
    assert!(host.pool.delete_volume(&image).await.unwrap());
    assert_eq!(host.all().await, BARE);
    host.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_snapshot_comes_back_and_none_is_lost() {
    let Some(host) = Host::new("restore", &[]).await else { return };
    let c1 = c("c1");
    host.make(&c1, still(&host.image('a').await)).await;
    for name in ["s1", "s2", "s3"] {
        host.snapshot(&c1, name).await;
    }
    for name in ["s3", "s1", "s2", "s1", "s1", "s3", "s2"] {
        host.write(&c1, "changed").await;
        host.restore(&c1, still(&at(&c1, name)), &none()).await;
        assert_eq!(host.read(&c1).await, name);
        assert_eq!(host.snapshots(&c1).await, ["s1", "s2", "s3"]);
        for other in ["s1", "s2", "s3"] {
            assert_eq!(host.read(&at(&c1, other)).await, other);
        }
    }
    assert!(host.all().await.len() < 16, "{:?}", host.all().await);
    // Something else may come, and go back.
    host.snapshot(&c1, "s4").await;
    host.make(&c("c2"), VolumeSource::Empty).await;
    host.write(&c("c2"), "other").await;
    host.restore(&c1, still(&c("c2")), &none()).await;
    assert_eq!(host.read(&c1).await, "other");
    host.make(&at(&c1, "s5"), still(&at(&c1, "s1"))).await;
    host.make(&at(&c1, "s6"), still(&c("c2"))).await;
    let taken = host.pool.make(&at(&c1, "s5"), still(&c1), &none()).await.unwrap_err();
    assert!(matches!(taken, Error::VolumeExists { .. }), "{taken}");
    assert_eq!(host.read(&at(&c1, "s5")).await, "s1");
    host.restore(&c1, still(&at(&c1, "s6")), &none()).await;
    host.pool.rename(&at(&c1, "s5"), &at(&c1, "x")).await.unwrap();
    host.pool.rename(&at(&c1, "s5"), &at(&c1, "x")).await.unwrap();
    host.pool.rename(&c1, &c("c9")).await.unwrap();
    host.pool.rename(&c1, &c("c9")).await.unwrap();
    let c9 = c("c9");
    assert_eq!(host.snapshots(&c9).await, ["s1", "s2", "s3", "s4", "s6", "x"]);
    for name in ["s1", "s2", "s3", "s4"] {
        assert_eq!(host.read(&at(&c9, name)).await, name);
        assert!(host.pool.delete_volume(&at(&c9, name)).await.unwrap());
        assert!(!host.pool.delete_volume(&at(&c9, name)).await.unwrap());
    }
    assert_eq!((host.read(&c9).await, host.read(&at(&c9, "x")).await), ("other".to_owned(), "s1".to_owned()));
    assert!(host.pool.delete_volume(&c9).await.unwrap());
    assert!(host.pool.delete_volume(&c("c2")).await.unwrap());
    assert!(host.pool.delete_volume(&host.image('a').await).await.unwrap());
    assert_eq!(host.all().await, BARE);
    host.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn newer_snapshots_go_only_if_that_was_asked_for() {
    let Some(host) = Host::new("newer", &[]).await else { return };
    let c1 = c("c1");
    host.make(&c1, VolumeSource::Empty).await;
    for name in ["s1", "s2", "s3"] {
        host.snapshot(&c1, name).await;
    }
    host.make(&c("c2"), still(&at(&c1, "s3"))).await;
    let config = VolumeConfig { remove_snapshots: Some(true), ..none() };
    host.restore(&c1, still(&at(&c1, "s1")), &config).await;
    assert_eq!(host.snapshots(&c1).await, ["s1"]);
    assert_eq!((host.read(&c1).await, host.read(&c("c2")).await), ("s1".to_owned(), "s3".to_owned()));
    host.snapshot(&c1, "s4").await;
    staged::tidy(&host.names().volume(&c1)).await.unwrap();
    assert_eq!(host.snapshots(&c1).await, ["s1", "s4"]);
    host.pool.delete_volume(&c1).await.unwrap();
    host.pool.delete_volume(&c("c2")).await.unwrap();
    assert_eq!(host.all().await, BARE);
    host.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sizes_hold_and_change_at_any_time() {
    let Some(host) = Host::new("sizes", &[]).await else { return };
    let v1 = v("v1");
    let sized = |megabytes: u64| VolumeConfig { size: Some(Bytes(megabytes << 20)), ..none() };
    host.pool.make(&v1, VolumeSource::Empty, &sized(10)).await.unwrap();
    // Nothing that compression makes smaller.
    let mut noise = vec![0; 20_000_000];
    std::io::Read::read_exact(&mut fs::File::open("/dev/urandom").unwrap(), &mut noise).unwrap();
    let mounted = host.pool.mount_volume(&v1, &none()).await.unwrap();
    let file = mounted.path().join("big");
    let filled = fs::write(&file, &noise).and_then(|()| fs::File::open(&file)?.sync_all());
    assert!(filled.is_err(), "there is room for half of it");
    host.make(&at(&v1, "full"), still(&v1)).await;
    host.pool.resize(&v1, &sized(100)).await.unwrap();
    fs::write(&file, &noise).unwrap();
    fs::File::open(&file).unwrap().sync_all().unwrap();
    let used = host.pool.usage(&v1).await.unwrap();
    assert!((20_000_000..45_000_000).contains(&used), "{used}");
    let smaller = host.pool.resize(&v1, &sized(5)).await.unwrap_err().to_string();
    assert!(smaller.contains("make the custom volume v1 smaller"), "{smaller}");
    let config = VolumeConfig { use_refquota: Some(true), ..sized(25) };
    host.pool.resize(&v1, &config).await.unwrap();
    let used = host.pool.usage(&v1).await.unwrap();
    assert!((20_000_000..25_000_000).contains(&used), "{used}");
    drop(mounted);
    // A quota comes along with a new content, and lets what is there be.
    host.restore(&v1, still(&at(&v1, "full")), &sized(15)).await;
    let row = zfs::list(&host.names().volume(&v1), Below::Itself, Types::Filesystems, &["quota"]).await;
    let quota: u64 = row.unwrap().unwrap()[0][0].parse().unwrap();
    assert!(quota >= 15 << 20, "{quota}");
    let resources = host.pool.resources().await.unwrap();
    assert!(resources.space_used > 0 && resources.space_total > 200_000_000, "{resources:?}");
    host.end_with_volumes(&[v1]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_take_their_snapshots_along() {
    for (test, keys) in [("clones", [("zfs.clone_copy", "true")]), ("whole", [("zfs.clone_copy", "false")])] {
        let Some(host) = Host::new(test, &keys).await else { return };
        let c1 = c("c1");
        host.make(&c1, VolumeSource::Empty).await;
        for name in ["s1", "s2"] {
            host.snapshot(&c1, name).await;
        }
        host.restore(&c1, still(&at(&c1, "s1")), &none()).await;
        host.write(&c1, "now").await;
        let draft = host.pool.draft(VolumeSource::Empty, &none()).await.unwrap();
        fs::create_dir(draft.path().join("rootfs")).unwrap();
        for name in ["d1", "d2"] {
            fs::write(draft.path().join("rootfs/f"), name).unwrap();
            host.pool.draft_snapshot(&draft, &snap(name)).await.unwrap();
        }
        host.make(&at(&c1, "d"), VolumeSource::Draft(draft.clone())).await;
        host.pool.finish(draft, &c("c3")).await.unwrap();
        host.make(&c("c2"), with(&c1, &["s1", "s2", "d"])).await;
        host.pool.delete_volume(&c1).await.unwrap();
        let c2 = c("c2");
        assert_eq!(host.snapshots(&c2).await, ["d", "s1", "s2"]);
        assert_eq!(host.read(&c2).await, "now");
        for (name, content) in [("s1", "s1"), ("s2", "s2"), ("d", "d2")] {
            assert_eq!(host.read(&at(&c2, name)).await, content);
        }
        assert_eq!(host.read(&at(&c("c3"), "d1")).await, "d1");
        let gone = host.pool.make(&c("c4"), still(&c1), &none()).await.unwrap_err();
        assert!(matches!(gone, Error::NoVolume { .. }), "{gone}");
        let taken = host.pool.make(&c2, still(&c("c3")), &none()).await.unwrap_err();
        assert!(matches!(taken, Error::VolumeExists { .. }), "{taken}");
        host.end_with_volumes(&[c2, c("c3")]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn volumes_go_from_pool_to_pool() {
    let Some(host) = Host::new("from", &[]).await else { return };
    let Some(other) = Host::new("to", &[]).await else { return };
    let c1 = c("c1");
    host.make(&c1, still(&host.image('a').await)).await;
    for name in ["s1", "s2", "s3"] {
        host.snapshot(&c1, name).await;
    }
    host.restore(&c1, still(&at(&c1, "s2")), &none()).await;
    host.snapshot(&c1, "s4").await;
    host.write(&c1, "now").await;
    let snapshots = ["s1", "s2", "s3", "s4"].map(snap).to_vec();
    let parcel = Parcel { volume: c1.clone(), snapshots, config: none(), running: false };
    let sized = VolumeConfig { size: Some(Bytes(100 << 20)), ..none() };
    other.pool.copy_from(&host.pool, &parcel, &c("c2"), &sized).await.unwrap();
    let c2 = c("c2");
    assert_eq!(other.snapshots(&c2).await, ["s1", "s2", "s3", "s4"]);
    assert_eq!(other.read(&c2).await, "now");
    for name in ["s1", "s2", "s3", "s4"] {
        assert_eq!(other.read(&at(&c2, name)).await, name);
    }
    other.restore(&c2, still(&at(&c2, "s1")), &none()).await;
    assert_eq!(other.read(&c2).await, "s1");
    let parcel = Parcel { volume: at(&c1, "s3"), snapshots: Vec::new(), config: none(), running: false };
    other.pool.copy_from(&host.pool, &parcel, &c("c3"), &none()).await.unwrap();
    assert_eq!(other.read(&c("c3")).await, "s3");
    let taken = other.pool.copy_from(&host.pool, &parcel, &c("c3"), &none()).await.unwrap_err();
    assert!(matches!(taken, Error::VolumeExists { .. }), "{taken}");
    assert!(!host.all().await.iter().any(|name| name.contains("@copy-")));
    host.end_with_volumes(&[c1]).await;
    other.end_with_volumes(&[c2, c("c3")]).await;
}

impl Host {
    async fn end_with_volumes(self, volumes: &[Volume]) {
        for volume in volumes {
            assert!(self.pool.delete_volume(volume).await.unwrap());
        }
        self.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_may_be_anything_and_busy_ones_are_not_in_the_way() {
    let Some(host) = Host::new("names", &[]).await else { return };
    let (a, b) = (v("ä b:c@d%"), v("x'\"$`\\"));
    host.make(&a, VolumeSource::Empty).await;
    host.write(&a, "one").await;
    host.make(&at(&a, ".tmp-ö /".trim_end_matches('/')), still(&a)).await;
    host.pool.rename(&a, &b).await.unwrap();
    assert_eq!(host.snapshots(&b).await, [".tmp-ö "]);
    assert_eq!(host.read(&at(&b, ".tmp-ö ")).await, "one");
    assert_eq!(host.pool.volumes(Kind::Custom).await.unwrap(), std::slice::from_ref(&b));
    let long = host.pool.make(&v(&"x".repeat(250)), VolumeSource::Empty, &none()).await.unwrap_err();
    assert!(long.to_string().contains("bytes too long"), "{long}");

    // Somebody works in it.
    let mounted = host.pool.mount_volume(&b, &none()).await.unwrap();
    let mut sleeper =
        std::process::Command::new("sleep").arg("100").current_dir(mounted.path()).spawn().unwrap();
    let content = fs::File::open(mounted.path().join("f")).unwrap();
    assert!(host.pool.delete_volume(&b).await.unwrap());
    assert!(!host.pool.has(&b).await.unwrap());
    host.make(&b, VolumeSource::Empty).await;
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
    drop((content, mounted));
    host.pool.delete_volume(&b).await.unwrap();
    assert_eq!(host.all().await, BARE);
    host.end().await;
}
