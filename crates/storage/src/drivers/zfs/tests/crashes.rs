//! Killed at some step, and started again.

use super::*;
use crate::pool::blocking;

#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_is_finished_or_taken_back_wherever_it_stopped() {
    let Some(mut host) = Host::new("exchange", &[]).await else { return };
    let c1 = c("c1");
    host.make(&c1, VolumeSource::Empty).await;
    for name in ["s1", "s2"] {
        host.snapshot(&c1, name).await;
    }
    host.write(&c1, "now").await;
    let staged = host.pool.stage(&c1, still(&at(&c1, "s1")), &none()).await.unwrap();
    assert!(host.restart().await.removed.is_empty(), "it is left to whoever staged it");
    assert_eq!(host.read(&c1).await, "now");
    host.pool.commit_staged(&c1, staged.clone()).await.unwrap();
    assert_eq!(host.read(&c1).await, "s1");
    host.write(&c1, "newest").await;
    host.pool.commit_staged(&c1, staged).await.unwrap();
    assert_eq!(host.read(&c1).await, "newest", "it was done already");

    // Between the two renames.
    let (main, new) = (host.names().volume(&c1), host.names().staged(&c1));
    let staged = host.pool.stage(&c1, still(&at(&c1, "s2")), &none()).await.unwrap();
    host.state().unmount_volume(&c1).await.unwrap();
    zfs::rename(&main, &names::shelf(&new)).await.unwrap();
    host.restart().await;
    assert_eq!(host.read(&c1).await, "s2");
    assert_eq!(host.snapshots(&c1).await, ["s1", "s2"]);
    host.pool.commit_staged(&c1, staged).await.unwrap();

    // The same, and whoever staged it has changed his mind.
    host.pool.stage(&c1, still(&at(&c1, "s1")), &none()).await.unwrap();
    host.state().unmount_volume(&c1).await.unwrap();
    zfs::rename(&main, &names::shelf(&new)).await.unwrap();
    host.pool.discard_staged(&c1).await.unwrap();
    assert_eq!(host.read(&c1).await, "s2");
    assert_eq!(host.snapshots(&c1).await, ["s1", "s2"]);

    // Before it was put in order.
    let sized = VolumeConfig { size: Some(Bytes(100 << 20)), ..none() };
    let staged = host.pool.stage(&c1, still(&at(&c1, "s1")), &sized).await.unwrap();
    zfs::rename(&main, &names::shelf(&new)).await.unwrap();
    zfs::rename(&new, &main).await.unwrap();
    host.restart().await;
    host.pool.commit_staged(&c1, staged).await.unwrap();
    assert_eq!(host.snapshots(&c1).await, ["s1", "s2"]);
    let rows = zfs::list(&main, Below::Itself, Types::Filesystems, &["quota", "origin"]).await.unwrap();
    assert_eq!(rows.unwrap()[0], [(100 << 20).to_string(), "-".to_owned()]);
    let lost = host.pool.commit_staged(&c1, Staged(1)).await.unwrap_err();
    assert!(matches!(lost, Error::NotStaged { .. }), "{lost}");
    host.pool.delete_volume(&c1).await.unwrap();
    assert_eq!(host.all().await, BARE);
    host.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_half_made_is_gone_after_a_start() {
    let Some(mut host) = Host::new("half", &[]).await else { return };
    let image = host.image('a').await;
    let c1 = c("c1");
    host.make(&c1, still(&image)).await;
    host.snapshot(&c1, "s1").await;
    let draft = host.pool.draft(still(&c1), &none()).await.unwrap();
    assert_eq!(fs::read_to_string(draft.path().join("rootfs/f")).unwrap(), "s1");
    host.pool.draft_snapshot(&draft, &snap("x")).await.unwrap();
    // A copy that had its snapshot only, and one that had a shelf.
    let names = host.names();
    let (copy, _) = names::copy_of(&names.volume(&c1));
    zfs::snapshot(&copy).await.unwrap();
    zfs::clone(&copy, &names::shelf(&names.volume(&c1)), &[]).await.unwrap();
    zfs::create(&names.temporary(Kind::Container), &[]).await.unwrap();
    // A deletion that got no further than the name.
    host.make(&c("c2"), still(&c1)).await;
    zfs::rename(&names.volume(&c("c2")), &names.ghost()).await.unwrap();
    // Mounted while the daemon was killed.
    let mounted = host.pool.mount_volume(&c1, &none()).await.unwrap();
    let pool = host.pool.clone();
    let repaired = host.restart().await;
    assert_eq!(repaired.removed.len(), 2, "{repaired:?}");
    assert!(!draft.path().exists());
    assert_eq!(host.read(&c1).await, "s1");
    drop(mounted);
    pool.unmount_unused(&c1).await.unwrap();
    assert_eq!(host.snapshots(&c1).await, ["s1"]);
    let mut left = BARE.map(str::to_owned).to_vec();
    let fingerprint = "a".repeat(64);
    left.extend(["/containers/c1", "/containers/c1@snapshot-s1"].map(str::to_owned));
    left.extend([format!("/images/{fingerprint}"), format!("/images/{fingerprint}@readonly")]);
    left.sort();
    let mut all = host.all().await;
    all.sort();
    assert_eq!(all, left);
    assert!(host.restart().await.removed.is_empty());
    host.pool.delete_volume(&c1).await.unwrap();
    blocking(|| Ok(())).await.unwrap();
    host.end().await;
}
