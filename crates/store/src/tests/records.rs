//! Every group of records: stored, found, changed, refused.

use super::{container, name, open, pool, with_pool};
use crate::{
    Error, Kind, aliases, images, instances, journal, networks, pools, profiles, server_config, volumes,
};
use api::{Config, Time, images::UpdateSource};
use model::{AliasName, Architecture, Fingerprint, FingerprintPrefix, NetworkName, PoolName, ProfileName};
use volumes::VolumeKind;

fn config(pairs: &[(&str, &str)]) -> Config {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn profile(text: &str) -> ProfileName {
    ProfileName::parse(text).unwrap()
}

fn fingerprint(start: &str) -> Fingerprint {
    Fingerprint::parse(&format!("{start:0<64}")).unwrap()
}

fn image(start: &str) -> images::Image {
    images::Image {
        fingerprint: fingerprint(start),
        filename: "debian.tar.xz".into(),
        size: 1 << 40,
        public: false,
        cached: false,
        auto_update: true,
        architecture: Architecture::Aarch64,
        created_at: Time::from_unix(1),
        expires_at: Time::UNSET,
        last_used_at: Time::UNSET,
        uploaded_at: Time::now(),
        properties: config(&[("os", "Debian")]),
        source: Some(UpdateSource { server: "https://example.org".into(), ..UpdateSource::default() }),
    }
}

#[tokio::test]
async fn containers_are_stored_and_found() {
    let (_directory, store) = with_pool().await;
    let new = profiles::Profile {
        name: profile("net"),
        description: String::new(),
        config: Config::new(),
        devices: api::Devices::new(),
    };
    store.write(move |tx| profiles::insert(tx, &new)).await.unwrap();
    let mut wanted = container("c2");
    wanted.profiles = vec![profile("net"), profile("default")];
    let asked = wanted.clone();
    let stored = store.write(move |tx| instances::insert(tx, &asked)).await.unwrap();
    assert_eq!(stored.name, "c2");
    assert_eq!(stored.profiles, wanted.profiles, "in their order");
    assert_eq!((stored.config.clone(), stored.devices.clone()), (wanted.config, wanted.devices));
    assert_eq!(stored.created_at, wanted.created_at);
    assert!(!stored.last_used_at.is_set());

    store.write(|tx| instances::insert(tx, &container("c1"))).await.unwrap();
    let all = store.read(instances::list).await.unwrap();
    assert_eq!(all.iter().map(|i| i.name.as_str()).collect::<Vec<_>>(), ["c1", "c2"]);
    assert_eq!(all[1], stored, "a list says what a look-up says");
    assert_eq!(store.read(instances::names).await.unwrap(), [name("c1"), name("c2")]);
    assert!(store.read(|c| instances::find(c, &name("c3"))).await.unwrap().is_none());
    let error = store.read(|c| instances::get(c, &name("c3"))).await.unwrap_err();
    assert_eq!(error.to_string(), "container \"c3\" not found");
}

#[tokio::test]
async fn what_is_missing_or_taken_is_named() {
    let (_directory, store) = with_pool().await;
    store.write(|tx| instances::insert(tx, &container("c1"))).await.unwrap();
    let error = store.write(|tx| instances::insert(tx, &container("c1"))).await.unwrap_err();
    assert!(matches!(&error, Error::Conflict { kind: Kind::Instance, name } if name == "c1"), "{error}");
    assert!(error.to_string().contains("already exists"));

    let mut lost = container("c2");
    lost.profiles = vec![profile("nowhere")];
    let error = store.write(move |tx| instances::insert(tx, &lost)).await.unwrap_err();
    assert!(matches!(&error, Error::NotFound { kind: Kind::Profile, name } if name == "nowhere"), "{error}");
    assert_eq!(store.read(instances::names).await.unwrap().len(), 1, "a half-made container is gone");

    let mut lost = container("c2");
    lost.pool = PoolName::parse("nowhere").unwrap();
    let error = store.write(move |tx| instances::insert(tx, &lost)).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { kind: Kind::Pool, .. }));

    let mut twice = container("c2");
    twice.profiles = vec![profile("default"), profile("default")];
    let error = store.write(move |tx| instances::insert(tx, &twice)).await.unwrap_err();
    assert!(matches!(error, Error::Conflict { kind: Kind::Profile, .. }));
}

#[tokio::test]
async fn containers_change() {
    let (_directory, store) = with_pool().await;
    let old = store.write(|tx| instances::insert(tx, &container("c1"))).await.unwrap();
    let mut update = instances::Update::from(old);
    update.ephemeral = true;
    update.description = "other".into();
    update.config = config(&[("user.a", "2"), ("user.b", "3")]);
    update.profiles = vec![];
    let asked = update.clone();
    store.write(move |tx| instances::update(tx, &name("c1"), &asked)).await.unwrap();

    let changes = [("user.b", None), ("volatile.last_state.power", Some("RUNNING")), ("user.a", Some(""))];
    store.write(move |tx| instances::patch_config(tx, &name("c1"), changes)).await.unwrap();
    let time = Time::from_unix(1_600_000_000);
    store.write_lazy(move |tx| instances::set_last_used(tx, &name("c1"), time)).await.unwrap();
    store.write(|tx| instances::set_stateful(tx, &name("c1"), true)).await.unwrap();
    let new = store.read(|c| instances::get(c, &name("c1"))).await.unwrap();
    assert_eq!(new.config, config(&[("volatile.last_state.power", "RUNNING")]));
    assert_eq!((new.last_used_at, new.stateful, new.ephemeral), (time, true, true));
    assert_eq!((new.description.as_str(), new.profiles.len()), ("other", 0));

    store.write(|tx| instances::insert(tx, &container("c2"))).await.unwrap();
    let error = store.write(|tx| instances::rename(tx, &name("c1"), &name("c2"))).await.unwrap_err();
    assert!(matches!(&error, Error::Conflict { name, .. } if name == "c2"));
    store.write(|tx| instances::rename(tx, &name("c1"), &name("c3"))).await.unwrap();
    store.write(|tx| instances::delete(tx, &name("c2"))).await.unwrap();
    assert_eq!(store.read(instances::names).await.unwrap(), [name("c3")]);
    for missing in [
        store.write(|tx| instances::delete(tx, &name("c2"))).await,
        store.write(|tx| instances::rename(tx, &name("c2"), &name("c4"))).await,
        store.write(move |tx| instances::update(tx, &name("c2"), &update)).await,
        store.write(|tx| instances::patch_config(tx, &name("c2"), [("user.a", Some("1"))])).await,
    ] {
        assert!(matches!(missing, Err(Error::NotFound { kind: Kind::Instance, .. })));
    }
}

#[tokio::test]
async fn profiles_know_who_uses_them() {
    let (_directory, store) = with_pool().await;
    let default = store.read(|c| profiles::get(c, &profile("default"))).await.unwrap();
    assert_eq!((default.config.len(), default.devices.len()), (0, 0));
    let new = profiles::Profile { name: profile("p"), config: config(&[("user.x", "y")]), ..default.clone() };
    let again = new.clone();
    store.write(move |tx| profiles::insert(tx, &new)).await.unwrap();
    let error = store.write(move |tx| profiles::insert(tx, &again)).await.unwrap_err();
    assert!(matches!(error, Error::Conflict { kind: Kind::Profile, .. }));

    let mut user = container("c1");
    user.profiles = vec![profile("default"), profile("p")];
    store.write(move |tx| instances::insert(tx, &user)).await.unwrap();
    let error = store.write(|tx| profiles::delete(tx, &profile("p"))).await.unwrap_err();
    assert!(matches!(error, Error::InUse { kind: Kind::Profile, .. }), "{error}");
    store.write(|tx| profiles::rename(tx, &profile("p"), &profile("q"))).await.unwrap();
    assert_eq!(store.read(|c| profiles::used_by(c, &profile("q"))).await.unwrap(), [name("c1")]);
    assert_eq!(store.read(profiles::users).await.unwrap().len(), 2);
    assert_eq!(
        store.read(|c| instances::get(c, &name("c1"))).await.unwrap().profiles,
        [profile("default"), profile("q")]
    );
    let all = store.read(|c| profiles::get_all(c, &[profile("q"), profile("default")])).await.unwrap();
    assert_eq!(all[0].config, config(&[("user.x", "y")]));

    for refused in [
        store.write(|tx| profiles::delete(tx, &profile("default"))).await,
        store.write(|tx| profiles::rename(tx, &profile("default"), &profile("x"))).await,
    ] {
        assert!(matches!(refused, Err(Error::Protected { .. })));
    }
    let error = store.write(|tx| profiles::rename(tx, &profile("q"), &profile("default"))).await.unwrap_err();
    assert!(matches!(error, Error::Conflict { .. }));
    store.write(|tx| instances::delete(tx, &name("c1"))).await.unwrap();
    store.write(|tx| profiles::delete(tx, &profile("q"))).await.unwrap();
    let changed = profiles::Profile { description: "changed".into(), ..default };
    store.write(move |tx| profiles::update(tx, &changed)).await.unwrap();
    assert_eq!(store.read(profiles::list).await.unwrap()[0].description, "changed");
}

#[tokio::test]
async fn images_are_found_by_the_beginning() {
    let (_directory, store) = open();
    for start in ["abc1", "abc2", "ff"] {
        store.write(move |tx| images::insert(tx, &image(start))).await.unwrap();
    }
    let error = store.write(|tx| images::insert(tx, &image("ff"))).await.unwrap_err();
    assert!(matches!(error, Error::Conflict { kind: Kind::Image, .. }));
    let resolve = |text: &str, public| {
        let prefix = FingerprintPrefix::parse(text).unwrap();
        store.read(move |c| images::resolve(c, &prefix, public).map(|i| i.fingerprint.to_string()))
    };
    assert_eq!(resolve("f", false).await.unwrap(), fingerprint("ff").as_str());
    assert_eq!(resolve("abc2", false).await.unwrap(), fingerprint("abc2").as_str());
    assert_eq!(resolve(fingerprint("abc1").as_str(), false).await.unwrap(), fingerprint("abc1").as_str());
    let error = resolve("abc", false).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the fingerprint \"abc\" is ambiguous, it could be abc100000000 or abc200000000: give more digits"
    );
    assert!(matches!(resolve("0", false).await, Err(Error::NotFound { kind: Kind::Image, .. })));
    assert!(
        matches!(resolve("abc", true).await, Err(Error::NotFound { .. })),
        "others are not even hinted at"
    );

    let properties = config(&[("os", "Other")]);
    store.write(move |tx| images::update(tx, &fingerprint("abc1"), true, false, &properties)).await.unwrap();
    store.write(|tx| images::set_last_used(tx, &fingerprint("abc1"), Time::from_unix(5))).await.unwrap();
    assert_eq!(resolve("abc", true).await.unwrap(), fingerprint("abc1").as_str());
    let got = store.read(|c| images::get(c, &fingerprint("abc1"))).await.unwrap();
    assert_eq!((got.size, got.public, got.auto_update, got.last_used_at.unix()), (1 << 40, true, false, 5));
    assert_eq!(got.source.unwrap().server, "https://example.org");
    assert_eq!(store.read(images::list).await.unwrap().len(), 3);
    store.write(|tx| images::delete(tx, &fingerprint("ff"))).await.unwrap();
    assert!(store.write(|tx| images::delete(tx, &fingerprint("ff"))).await.is_err());
}

#[tokio::test]
async fn aliases_go_with_their_image() {
    let (_directory, store) = open();
    let alias = |text: &str| AliasName::parse(text).unwrap();
    store
        .write(|tx| images::insert(tx, &image("a")).and_then(|()| images::insert(tx, &image("b"))))
        .await
        .unwrap();
    let insert = |text: &str, target: &str| {
        let (name, target) = (alias(text), fingerprint(target));
        store.write(move |tx| aliases::insert(tx, &name, "mine", &target))
    };
    insert("debian/12", "a").await.unwrap();
    insert("other", "a").await.unwrap();
    assert!(matches!(insert("other", "b").await, Err(Error::Conflict { kind: Kind::Alias, .. })));
    assert!(matches!(insert("third", "c").await, Err(Error::NotFound { kind: Kind::Image, .. })));
    let (from, to) = (alias("other"), alias("debian/12"));
    let error = store.write(move |tx| aliases::rename(tx, &from, &to)).await.unwrap_err();
    assert!(matches!(error, Error::Conflict { .. }));
    let (from, to) = (alias("other"), alias("new"));
    store.write(move |tx| aliases::rename(tx, &from, &to)).await.unwrap();
    let new = alias("new");
    store.write(move |tx| aliases::update(tx, &new, "yours", &fingerprint("b"))).await.unwrap();
    let new = alias("new");
    let got = store.read(move |c| aliases::get(c, &new)).await.unwrap();
    assert_eq!((got.target, got.description.as_str(), got.public), (fingerprint("b"), "yours", false));
    assert_eq!(store.read(aliases::by_image).await.unwrap().len(), 2);
    assert_eq!(store.read(|c| aliases::of(c, &fingerprint("a"))).await.unwrap()[0].name, "debian/12");
    store.write(|tx| images::delete(tx, &fingerprint("a"))).await.unwrap();
    assert_eq!(store.read(aliases::list).await.unwrap().len(), 1);
    let new = alias("new");
    store.write(move |tx| aliases::delete(tx, &new)).await.unwrap();
    assert_eq!(store.read(images::list).await.unwrap().len(), 1, "an image outlives its aliases");
}

#[tokio::test]
async fn pools_and_volumes() {
    let (_directory, store) = with_pool().await;
    let default = PoolName::parse("default").unwrap();
    assert!(matches!(
        store.write(|tx| pools::insert(tx, &pool("default"))).await,
        Err(Error::Conflict { kind: Kind::Pool, .. })
    ));
    let volume = |kind, name: &str| volumes::Volume {
        pool: PoolName::parse("default").unwrap(),
        kind,
        name: name.into(),
        description: String::new(),
        config: Config::new(),
        created_at: Time::from_unix(7),
    };
    for new in [volume(VolumeKind::Custom, "v"), volume(VolumeKind::Container, "v")] {
        store.write(move |tx| volumes::insert(tx, &new)).await.unwrap();
    }
    let again = volume(VolumeKind::Custom, "v");
    assert!(matches!(
        store.write(move |tx| volumes::insert(tx, &again)).await,
        Err(Error::Conflict { kind: Kind::Volume, .. })
    ));
    let mut changed = volume(VolumeKind::Custom, "v");
    changed.config = config(&[("size", "1GB")]);
    store.write(move |tx| volumes::update(tx, &changed)).await.unwrap();
    let p = default.clone();
    store.write(move |tx| volumes::rename(tx, &p, VolumeKind::Custom, "v", "w")).await.unwrap();
    let p = default.clone();
    let got = store.read(move |c| volumes::list(c, &p)).await.unwrap();
    assert_eq!(
        got.iter().map(|v| (v.kind.name(), v.name.as_str())).collect::<Vec<_>>(),
        [("container", "v"), ("custom", "w")]
    );
    assert_eq!(got[1].config, config(&[("size", "1GB")]));
    let found = store.read(|c| volumes::pools_with(c, VolumeKind::Container, "v")).await.unwrap();
    assert_eq!(found, ["default"]);
    let p = default.clone();
    assert!(matches!(
        store.write(move |tx| pools::delete(tx, &p)).await,
        Err(Error::InUse { kind: Kind::Pool, .. })
    ));
    let p = default.clone();
    store
        .write(move |tx| {
            volumes::delete(tx, &p, VolumeKind::Custom, "w")?;
            volumes::delete(tx, &p, VolumeKind::Container, "v")
        })
        .await
        .unwrap();
    store.write(|tx| instances::insert(tx, &container("c1"))).await.unwrap();
    let p = default.clone();
    assert_eq!(store.read(move |c| pools::used_by(c, &p)).await.unwrap(), [name("c1")]);
    let p = default.clone();
    assert!(matches!(store.write(move |tx| pools::delete(tx, &p)).await, Err(Error::InUse { .. })));
    store.write(|tx| instances::delete(tx, &name("c1"))).await.unwrap();
    let changed = pools::Pool { description: "d".into(), ..pool("default") };
    store.write(move |tx| pools::update(tx, &changed)).await.unwrap();
    assert_eq!(store.read(pools::list).await.unwrap()[0].description, "d");
    store.write(move |tx| pools::delete(tx, &default)).await.unwrap();
}

#[tokio::test]
async fn networks_and_server_keys() {
    let (_directory, store) = open();
    let network = |text: &str| networks::Network {
        name: NetworkName::parse(text).unwrap(),
        kind: "bridge".into(),
        description: String::new(),
        config: config(&[("ipv4.address", "10.0.0.1/24")]),
    };
    let (one, two) = (network("br0"), network("br1"));
    store
        .write(move |tx| networks::insert(tx, &one).and_then(|()| networks::insert(tx, &two)))
        .await
        .unwrap();
    let again = network("br0");
    assert!(store.write(move |tx| networks::insert(tx, &again)).await.is_err());
    let taken = store.write(move |tx| networks::rename(tx, &network("br0").name, &network("br1").name)).await;
    assert!(matches!(taken, Err(Error::Conflict { kind: Kind::Network, .. })));
    let changed = networks::Network { config: Config::new(), ..network("br1") };
    store.write(move |tx| networks::update(tx, &changed)).await.unwrap();
    store.write(move |tx| networks::delete(tx, &network("br0").name)).await.unwrap();
    assert_eq!(
        store.read(networks::list).await.unwrap(),
        [networks::Network { config: Config::new(), ..network("br1") }]
    );

    let keys = config(&[("images.auto_update_interval", "0"), ("core.proxy_http", "")]);
    store.write(move |tx| server_config::replace(tx, &keys)).await.unwrap();
    assert_eq!(
        store.read(server_config::get).await.unwrap(),
        config(&[("images.auto_update_interval", "0")])
    );
    store.write(|tx| server_config::replace(tx, &Config::new())).await.unwrap();
    assert!(store.read(server_config::get).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_journal_remembers_in_order() {
    let (_directory, store) = open();
    let begin = |subject: &'static str| {
        store.write(move |tx| journal::begin(tx, "create", subject, &serde_json::json!({"step": 1})))
    };
    let (first, second) = (begin("c1").await.unwrap(), begin("c2").await.unwrap());
    store.write(move |tx| journal::set_detail(tx, first, &serde_json::json!({"step": 2}))).await.unwrap();
    let all = store.read(journal::list).await.unwrap();
    assert_eq!(all.iter().map(|e| e.subject.as_str()).collect::<Vec<_>>(), ["c1", "c2"]);
    assert_eq!(all[0].detail["step"], 2);
    assert!(all[0].started_at.is_set());
    store.write(move |tx| journal::end(tx, first)).await.unwrap();
    store.write(move |tx| journal::end(tx, first)).await.unwrap();
    assert!(store.write(move |tx| journal::set_detail(tx, first, &1)).await.is_err());
    assert_eq!(store.read(journal::list).await.unwrap()[0].id, second);
}
