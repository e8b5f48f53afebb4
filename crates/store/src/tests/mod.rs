//! Tests of the handle and of the records; those of the schema are beside it.

mod concurrency;
mod durability;
mod records;
mod snapshots;
mod volume_snapshots;

use crate::{Store, instances, pools};
use api::{Config, Time};
use model::{Architecture, InstanceName, PoolName, ProfileName};
use tempfile::TempDir;

/// An open database in a directory that goes away with it.
pub(crate) fn open() -> (TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&directory.path().join("lxd.db")).unwrap();
    (directory, store)
}

pub(crate) fn name(text: &str) -> InstanceName {
    InstanceName::parse(text).unwrap()
}

pub(crate) fn pool(text: &str) -> pools::Pool {
    pools::Pool {
        name: PoolName::parse(text).unwrap(),
        driver: "dir".into(),
        description: String::new(),
        config: Config::new(),
    }
}

/// A container in the pool `default` with the profile `default`.
pub(crate) fn container(text: &str) -> instances::NewInstance {
    instances::NewInstance {
        name: name(text),
        architecture: Architecture::X86_64,
        ephemeral: false,
        created_at: Time::from_unix(1_500_000_000),
        description: "a container".into(),
        config: [("user.a".to_owned(), "1".to_owned())].into(),
        devices: [("eth0".to_owned(), [("type".to_owned(), "nic".to_owned())].into())].into(),
        profiles: vec![ProfileName::default_profile()],
        pool: PoolName::parse("default").unwrap(),
    }
}

/// An open database with the pool `default`.
pub(crate) async fn with_pool() -> (TempDir, Store) {
    let (directory, store) = open();
    store.write(|tx| pools::insert(tx, &pool("default"))).await.unwrap();
    (directory, store)
}
