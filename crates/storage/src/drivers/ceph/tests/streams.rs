//! Volumes sent from one pool to another as differences.

use super::*;
use crate::pool::Parcel;

#[tokio::test(flavor = "multi_thread")]
async fn volumes_go_from_pool_to_pool_with_their_snapshots() {
    let Some(host) = Host::new("volumes_go_from_pool_to_pool_with_their_snapshots").await else { return };
    let (here, _) = host.pool(&[]).await;
    let there_osd = format!("{}-there", host.osd_pool);
    let (there, _) = host.pool_named("there", &there_osd, &[]).await;
    unpack(&here).await;
    let c1 = c("c1");
    here.make(&c1, VolumeSource::still(image()), &none()).await.unwrap();
    write(&here, &c1, "one").await;
    here.make(&of(&c1, "a"), VolumeSource::still(c1.clone()), &none()).await.unwrap();
    // In the middle is one that was not taken of the volume.
    here.make(&of(&c1, "b"), VolumeSource::still(image()), &none()).await.unwrap();
    write(&here, &c1, "two").await;
    here.make(&of(&c1, "c"), VolumeSource::still(c1.clone()), &none()).await.unwrap();
    here.make(&of(&c1, "d"), VolumeSource::still(c1.clone()), &none()).await.unwrap();
    write(&here, &c1, "now").await;
    let parcel = Parcel {
        volume: c1.clone(),
        snapshots: ["a", "b", "c", "d"].map(snap).into(),
        config: none(),
        running: false,
    };
    let c2 = c("c2");
    there.copy_from(&here, &parcel, &c2, &size("80MiB")).await.unwrap();
    assert_eq!(there.snapshots(&c2).await.unwrap(), ["a", "b", "c", "d"].map(snap));
    for (name, word) in [("a", "one"), ("b", "image"), ("c", "two"), ("d", "two")] {
        assert_eq!(read(&there, &of(&c2, name)).await, word, "{name}");
    }
    assert_eq!(read(&there, &c2).await, "now");
    let device = Rbd { access: access(), pool: there_osd }.info("container_c2").await.unwrap().unwrap();
    assert_eq!((device.size, device.parent), (80 << 20, None));
    here.settle().await.unwrap();
    assert!(!host.devices().await.iter().any(|name| name.contains("zombie")), "{:?}", host.devices().await);
    for (pool, volume) in [(&here, &c1), (&here, &image()), (&there, &c2)] {
        pool.delete_volume(volume).await.unwrap();
    }
    there.delete().await.unwrap();
    here.delete().await.unwrap();
}
