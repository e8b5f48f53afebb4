//! Snapshots of volumes: stored with their volumes, gone with them.

use super::{pool, with_pool};
use crate::volume_snapshots::{self, Of, Snapshot};
use crate::volumes::{self, Volume, VolumeKind};
use crate::{Error, Kind, pools};
use api::{Config, Time};
use model::{PoolName, SnapshotName, VolumeName};

fn snap(text: &str) -> SnapshotName {
    SnapshotName::parse(text).unwrap()
}

#[tokio::test]
async fn snapshots_go_where_their_volume_goes() {
    let (_directory, store) = with_pool().await;
    let (default, other) = (PoolName::parse("default").unwrap(), PoolName::parse("other").unwrap());
    let (v, w) = (VolumeName::parse("v").unwrap(), VolumeName::parse("w").unwrap());
    let volume = |pool: &PoolName, name: &VolumeName| Volume {
        pool: pool.clone(),
        kind: VolumeKind::Custom,
        name: name.to_string(),
        description: String::new(),
        config: Config::new(),
        created_at: Time::from_unix(7),
    };
    let taken = Snapshot {
        name: snap("snap0"),
        created_at: Time::from_unix(8),
        expires_at: Time::UNSET,
        description: "d".into(),
        config: Config::from([("size".to_owned(), "1GB".to_owned())]),
    };
    let (first, moved) = (volume(&default, &v), volume(&other, &w));
    let (d, name, new) = (default.clone(), v.clone(), taken.clone());
    let inserted = store.write(move |tx| {
        pools::insert(tx, &pool("other"))?;
        volumes::insert(tx, &first)?;
        let of = Of { pool: &d, volume: &name };
        volume_snapshots::insert(tx, of, &new)?;
        volume_snapshots::insert(tx, of, &Snapshot { name: snap("second"), ..new.clone() })?;
        volume_snapshots::rename(tx, of, &snap("second"), &snap("third"))?;
        volume_snapshots::update(tx, of, &Snapshot { name: snap("third"), description: "e".into(), ..new })
    });
    inserted.await.unwrap();
    let (d, name, again) = (default.clone(), v.clone(), taken.clone());
    let taken_twice =
        store.write(move |tx| volume_snapshots::insert(tx, Of { pool: &d, volume: &name }, &again)).await;
    assert!(matches!(taken_twice, Err(Error::Conflict { kind: Kind::Snapshot, name }) if name == "v/snap0"));
    let d = default.clone();
    store.write(move |tx| volumes::relocate(tx, &d, "v", &moved)).await.unwrap();
    let found = store.read(volume_snapshots::list).await.unwrap();
    assert_eq!(found[0], (other.clone(), w.clone(), taken));
    assert_eq!((found[1].2.name.as_str(), found[1].2.description.as_str()), ("third", "e"));
    let (o, name) = (other.clone(), w.clone());
    let exists = store
        .read(move |conn| volume_snapshots::exists(conn, Of { pool: &o, volume: &name }, &snap("third")));
    assert!(exists.await.unwrap());
    let o = other.clone();
    store
        .write(move |tx| {
            let of = Of { pool: &o, volume: &w };
            volume_snapshots::delete(tx, of, &snap("third"))?;
            assert!(volume_snapshots::delete(tx, of, &snap("third")).is_err());
            volumes::delete(tx, &o, VolumeKind::Custom, "w")
        })
        .await
        .unwrap();
    assert_eq!(store.read(volume_snapshots::list).await.unwrap(), []);
    assert_eq!(store.read(|conn| volumes::all(conn, VolumeKind::Custom)).await.unwrap(), []);
}
