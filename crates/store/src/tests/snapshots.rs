//! Snapshots: stored with their containers, gone with them.

use super::{container, name, with_pool};
use crate::snapshots::{self, Snapshot};
use crate::{Error, Kind, instances, profiles};
use api::Time;
use model::{ProfileName, SnapshotName};

fn snapshot(text: &str) -> Snapshot {
    let new = container("c1");
    Snapshot {
        name: SnapshotName::parse(text).unwrap(),
        created_at: Time::from_unix(5),
        expires_at: Time::UNSET,
        stateful: false,
        last_used_at: Time::from_unix(4),
        content: instances::Update {
            architecture: new.architecture,
            ephemeral: true,
            description: "what it was".into(),
            config: new.config,
            devices: new.devices,
            profiles: vec![ProfileName::parse("web").unwrap(), ProfileName::default_profile()],
        },
    }
}

#[tokio::test]
async fn snapshots_are_stored_changed_and_gone_with_their_container() {
    let (_directory, store) = with_pool().await;
    let (taken, second) = (snapshot("snap0"), snapshot("a second.one"));
    let (first, other) = (taken.clone(), second.clone());
    let id = store
        .write(move |tx| {
            let web = ProfileName::parse("web").unwrap();
            let (config, devices) = Default::default();
            profiles::insert(
                tx,
                &profiles::Profile { name: web, description: String::new(), config, devices },
            )?;
            let id = instances::insert(tx, &container("c1"))?.id;
            instances::insert(tx, &container("c2"))?;
            snapshots::insert(tx, &name("c1"), &first)?;
            snapshots::insert(tx, &name("c1"), &other)?;
            snapshots::insert(tx, &name("c2"), &first)?;
            Ok(id)
        })
        .await
        .unwrap();
    let all = store.read(snapshots::list).await.unwrap();
    assert_eq!(all[&id], [taken.clone(), second.clone()], "oldest first");
    assert_eq!(all.len(), 2);

    let again = taken.clone();
    let twice = store.write(move |tx| snapshots::insert(tx, &name("c1"), &again)).await.unwrap_err();
    assert!(
        matches!(&twice, Error::Conflict { kind: Kind::Snapshot, name } if name == "c1/snap0"),
        "{twice}"
    );
    let (one, two) = (taken.name.clone(), second.name.clone());
    let onto = store.write(move |tx| snapshots::rename(tx, &name("c1"), &one, &two)).await.unwrap_err();
    assert!(matches!(onto, Error::Conflict { .. }), "{onto}");
    let (one, new) = (taken.name.clone(), SnapshotName::parse("new").unwrap());
    store
        .write(move |tx| {
            snapshots::rename(tx, &name("c1"), &one, &new)?;
            snapshots::set_expiry(tx, &name("c1"), &new, Time::from_unix(9))?;
            assert!(snapshots::exists(tx, &name("c1"), &new)?);
            assert!(!snapshots::exists(tx, &name("c1"), &one)?);
            assert!(snapshots::exists(tx, &name("c2"), &one)?);
            // A profile that is gone is missing, and takes nothing along.
            profiles::delete(tx, &ProfileName::parse("web").unwrap())
        })
        .await
        .unwrap();
    let all = store.read(snapshots::list).await.unwrap();
    assert_eq!((all[&id][0].name.as_str(), all[&id][0].expires_at), ("new", Time::from_unix(9)));
    assert_eq!(all[&id][0].content.profiles, [ProfileName::default_profile()]);

    let unknown = taken.name.clone();
    let missing = store.write(move |tx| snapshots::delete(tx, &name("c1"), &unknown)).await.unwrap_err();
    assert!(missing.to_string().contains("c1/snap0"), "{missing}");
    store.write(move |tx| snapshots::delete(tx, &name("c1"), &second.name)).await.unwrap();
    store.write(|tx| instances::delete(tx, &name("c1"))).await.unwrap();
    let left = store.read(snapshots::list).await.unwrap();
    assert_eq!(left.into_values().flatten().count(), 1, "only that of c2");
}
