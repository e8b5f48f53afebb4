//! Create: from an image, empty, or as a copy of another container.

use super::context::Context;
use super::copy::{Job, What, inherited};
use super::migrate::{Peer, Received, StreamSender, fit_root, receive, refresh};
use super::owner::{Owner, Request};
use super::registry::{Entry, Reservation};
use super::{Creation, gate};
use crate::devices::nic;
use crate::images::{Hold, Origin as ImageOrigin, Purpose};
use crate::journal::{self, Entry as Journal};
use crate::pools::Pools;
use crate::steps::Steps;
use crate::{Error, Progress};
use api::instances::{InstancesPost, Source};
use api::{Config, Devices, Time};
use model::arch::Architecture;
use model::expand::expand;
use model::names::{Fingerprint, InstanceName, PoolName, ProfileName};
use model::power::LastPower;
use model::state::InstanceState;
use std::collections::BTreeSet;
use std::sync::Arc;
use storage::VolumeConfig;
use store::instances::{Instance as Record, NewInstance};
use store::snapshots::Snapshot;

/// How often a generated name may turn out to be taken.
const NAME_TRIES: u32 = 100;

/// Where the new file system comes from.
enum Origin {
    /// Held until it is copied.
    Image(Hold),
    Empty,
    Copy {
        from: Arc<Entry>,
        what: What,
    },
    Peer {
        peer: Peer,
        base: Option<Fingerprint>,
    },
}

/// A container that may be made: everything is checked, nothing is done.
struct Plan {
    record: NewInstance,
    pool: PoolName,
    config: VolumeConfig,
    origin: Origin,
    reservation: Reservation,
    /// Where the streams go, if the other server connects them.
    streams: Option<StreamSender>,
    /// It ran where it comes from.
    runs: bool,
}

/// Checks a request and reserves the name.
pub(super) fn create(
    context: &Arc<Context>,
    post: InstancesPost,
    progress: Progress,
) -> Result<Creation, Error> {
    if !matches!(post.kind.as_str(), "" | "container") {
        return Err(Error::Unknown { field: "instance type", value: post.kind, allowed: "container" });
    }
    if post.stateful {
        return Err(Error::Unsupported {
            subject: format!("The container {:?}", post.name),
            feature: "stateful containers",
            hint: "leave \"stateful\" out",
        });
    }
    if post.source.refresh
        && let Ok(entry) = context.registry.get(&post.name)
    {
        return refresh(context, entry, &post.source, progress);
    }
    let of = |source: &str| source.split('/').next().unwrap_or_default().to_owned();
    let source = (post.source.kind == "copy").then(|| of(&post.source.source));
    if post.source.kind == "image" && !post.source.server.is_empty() {
        return from_server(context, post, progress);
    }
    let start = post.start;
    let reservation = reserve(context, &post.name)?;
    let mut plan = plan(context, post, reservation)?;
    let name = plan.record.name.to_string();
    let streams = plan.streams.take();
    let start = start || plan.runs;
    let context = context.clone();
    let work = Box::pin(async move {
        let entry = make(&context, plan, &progress).await?;
        if start {
            entry.ask(|reply| Request::Start { reply }).await?;
        }
        Ok(None)
    });
    Ok(Creation { name, source, streams, work })
}

/// Creates a container from an image of a server, which is downloaded first unless it is here. What can
/// be known to be wrong before that is refused at once.
fn from_server(
    context: &Arc<Context>,
    mut post: InstancesPost,
    progress: Progress,
) -> Result<Creation, Error> {
    let origin = ImageOrigin::of(&post.source)?;
    post.source = Source { kind: "none".to_owned(), ..Source::default() };
    let reservation = reserve(context, &post.name)?;
    let Plan { reservation, record, .. } = plan(context, post.clone(), reservation)?;
    let name = record.name.to_string();
    let (context, start) = (context.clone(), post.start);
    let work = Box::pin(async move {
        let image = context.images.obtain(&origin, Purpose::Container, &progress).await?;
        post.source.kind = "image".to_owned();
        post.source.fingerprint = image.fingerprint.to_string();
        let plan = plan(&context, post, reservation)?;
        let entry = make(&context, plan, &progress).await?;
        if start {
            entry.ask(|reply| Request::Start { reply }).await?;
        }
        let told = |note: String| serde_json::Map::from_iter([("warning".to_owned(), note.into())]);
        Ok(image.note.map(told))
    });
    Ok(Creation { name, source: None, streams: None, work })
}

fn plan(context: &Arc<Context>, post: InstancesPost, reservation: Reservation) -> Result<Plan, Error> {
    let name = InstanceName::parse(reservation.name())?;
    let (origin, streams, inherited) = origin(context, &post.source)?;
    let profiles = match (&post.profiles, &inherited.profiles) {
        (Some(names), _) => gate::profiles(context, names)?,
        (None, Some(names)) => names.clone(),
        (None, None) => vec![ProfileName::default_profile()],
    };
    let mut config = inherited.config;
    let mut sent = post.config;
    let mut runs = false;
    if matches!(origin, Origin::Peer { .. }) {
        runs = LastPower::parse(sent.get(model::power::KEY).map(String::as_str)) == LastPower::Running;
        sent.retain(|key, _| !OF_THE_OTHER_HOST.iter().any(|prefix| key.starts_with(prefix)));
    }
    let template = if matches!(origin, Origin::Image(_) | Origin::Empty) { "create" } else { "copy" };
    config.insert("volatile.apply_template".to_owned(), template.to_owned());
    config.insert("volatile.uuid".to_owned(), uuid::Uuid::new_v4().to_string());
    config.extend(sent);
    let mut devices: Devices = inherited.devices;
    devices.extend(post.devices);
    let layers = context.profiles.layers(&profiles);
    if matches!(origin, Origin::Peer { .. }) {
        fit_root(context, &mut devices, &layers)?;
    }
    let expanded = expand((&config, &devices), layers.iter().map(|p| (&p.config, &p.devices)));
    model::devices::validate_local(&devices)?;
    let checked = gate::check(context, &expanded)?;
    config.extend(nic::missing_keys(&checked.devices, &config, BTreeSet::new(), || context.random()));
    let architecture = match inherited.architecture {
        Some(architecture) => architecture,
        None => architecture(context, &post.architecture)?,
    };
    let pool = gate::pool(&checked)?;
    let record = NewInstance {
        pool: pool.clone(),
        name,
        architecture,
        ephemeral: post.ephemeral,
        description: post.description,
        config,
        devices,
        profiles,
        created_at: Time::now(),
    };
    let config = Pools::root_config(&checked.root.1);
    Ok(Plan { record, pool, config, origin, reservation, streams, runs })
}

fn reserve(context: &Context, name: &str) -> Result<Reservation, Error> {
    if !name.is_empty() {
        return context.registry.reserve(InstanceName::parse(name)?.as_str());
    }
    let mut last = Error::Missing { field: "name", hint: "choose one, the generated ones are taken" };
    for _ in 0..NAME_TRIES {
        let [a, b, c] = context.random();
        let generated = InstanceName::generate(u64::from(u32::from_le_bytes([a, b, c, 0])));
        match context.registry.reserve(generated.as_str()) {
            Ok(reservation) => return Ok(reservation),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn architecture(context: &Context, wanted: &str) -> Result<Architecture, Error> {
    if wanted.is_empty() {
        return Ok(context.platform.host().architecture);
    }
    Architecture::parse(wanted).map_err(|error| Error::Unknown {
        field: "architecture",
        value: error.name,
        allowed: "x86_64, i686, aarch64, armv7l, ppc64le, s390x, …",
    })
}

/// What a container inherits from where it comes from.
#[derive(Default)]
struct Inherited {
    config: Config,
    devices: Devices,
    profiles: Option<Vec<ProfileName>>,
    architecture: Option<Architecture>,
}

/// Keys of a container that say what it is on the server that it comes from.
const OF_THE_OTHER_HOST: [&str; 6] = [
    "volatile.apply_template",
    "volatile.idmap.",
    "volatile.last_state.",
    "volatile.uuid",
    "volatile.cluster.",
    "volatile.cloud-init.",
];

fn origin(context: &Context, source: &Source) -> Result<(Origin, Option<StreamSender>, Inherited), Error> {
    let known = |(origin, inherited)| (origin, None, inherited);
    match source.kind.as_str() {
        "none" => Ok(known((Origin::Empty, Inherited::default()))),
        "image" => from_image(context, source).map(known),
        "copy" => from_copy(context, source).map(known),
        "migration" => from_peer(context, source),
        other => Err(Error::Unknown {
            field: "source type",
            value: other.to_owned(),
            allowed: "image, none, copy, migration",
        }),
    }
}

fn from_peer(context: &Context, source: &Source) -> Result<(Origin, Option<StreamSender>, Inherited), Error> {
    let (peer, streams) = Peer::of(source)?;
    let mut config = Config::new();
    let mut base = None;
    if !source.base_image.is_empty() {
        let fingerprint = Fingerprint::parse(&source.base_image)?;
        config.insert("volatile.base_image".to_owned(), fingerprint.to_string());
        base = context.images.get(fingerprint.as_str()).is_ok().then_some(fingerprint);
    }
    Ok((Origin::Peer { peer, base }, streams, Inherited { config, ..Inherited::default() }))
}

fn from_image(context: &Context, source: &Source) -> Result<(Origin, Inherited), Error> {
    let image = context.images.resolve(source)?;
    let mut config: Config =
        image.properties.iter().map(|(key, value)| (format!("image.{key}"), value.clone())).collect();
    config.insert("volatile.base_image".to_owned(), image.fingerprint.clone());
    let architecture = Architecture::parse(&image.architecture).ok();
    let fingerprint = Fingerprint::parse(&image.fingerprint)?;
    let image = context.images.hold(&fingerprint)?;
    Ok((Origin::Image(image), Inherited { config, architecture, ..Inherited::default() }))
}

fn from_copy(context: &Context, source: &Source) -> Result<(Origin, Inherited), Error> {
    if source.source.is_empty() {
        return Err(Error::Missing { field: "source", hint: "name the container to copy" });
    }
    let (container, snapshot) = match source.source.split_once('/') {
        Some((container, snapshot)) => (container, Some(snapshot)),
        None => (source.source.as_str(), None),
    };
    let from = context.registry.get(container)?;
    if let Some(name) = snapshot {
        let snapshot = from.snapshot(name)?;
        let content = snapshot.content.clone();
        let inherited = Inherited {
            config: inherited(&content.config),
            devices: content.devices,
            profiles: Some(content.profiles),
            architecture: Some(content.architecture),
        };
        return Ok((Origin::Copy { from, what: What::Snapshot(snapshot.name.clone()) }, inherited));
    }
    let view = from.view();
    let profiles = view.profiles.iter().map(|name| ProfileName::parse(name)).collect::<Result<_, _>>()?;
    let inherited = Inherited {
        config: inherited(&view.config),
        devices: view.devices.clone(),
        profiles: Some(profiles),
        architecture: Architecture::parse(&view.architecture).ok(),
    };
    let what = What::Container { snapshots: !source.container_only && !source.instance_only };
    Ok((Origin::Copy { from, what }, inherited))
}

async fn make(context: &Arc<Context>, plan: Plan, progress: &Progress) -> Result<Arc<Entry>, Error> {
    let Plan { mut record, pool, config, origin, reservation, .. } = plan;
    let name = record.name.clone();
    let mut steps = Steps::new(name.as_str());
    let entry = Journal::Create { name: name.clone(), pool: pool.clone() };
    let journal = steps.run("create:journal", journal::begin(&context.store, entry)).await?;
    steps.undo("create:journal", journal::give_up(context.store.clone(), journal));
    // Some of the volumes of a copy may be there when it fails.
    steps.undo("create:volume", remove_volumes(context.clone(), pool.clone(), name.clone()));
    let volumes = make_volumes(context, (&record, &config), origin, progress);
    let Made { snapshots, keys, sink } = steps.run("create:volume", volumes).await?;
    record.config.extend(keys);
    let record: Record = steps
        .run("create:record", async {
            let snapshots = snapshots.clone();
            let done = context.store.write(move |tx| {
                let record = store::instances::insert(tx, &record)?;
                for snapshot in &snapshots {
                    store::snapshots::insert(tx, &record.name, snapshot)?;
                }
                store::journal::end(tx, journal)?;
                Ok(record)
            });
            Ok(done.await?)
        })
        .await?;
    crate::steps::crash_at("create:done");
    steps.keep();
    if let Some(sink) = sink
        && let Err(error) = sink.finish().await
    {
        // It is here as a whole; the other side keeps what it has.
        tracing::warn!(instance = %name, error = &error as &dyn std::error::Error, "cannot tell the other server that everything is here");
    }
    let entry = Owner::adopt(context, record, snapshots, InstanceState::Stopped);
    drop(reservation);
    context.networks.announce(&entry.view()).await;
    context.tell("container-created", name.as_str());
    entry.tell(Request::Describe).await;
    Ok(entry)
}

/// What has been made.
#[derive(Default)]
struct Made {
    /// The records of the snapshots.
    snapshots: Vec<Snapshot>,
    /// Keys that tell what the files are like.
    keys: Config,
    /// Another server that waits for the word that all of it stays.
    sink: Option<migration::Sink>,
}

/// Makes the volumes.
async fn make_volumes(
    context: &Context,
    (record, config): (&NewInstance, &VolumeConfig),
    origin: Origin,
    progress: &Progress,
) -> Result<Made, Error> {
    let (pool, name) = (&record.pool, &record.name);
    match origin {
        Origin::Empty => context.pools.create_empty((pool, config), name).await?,
        Origin::Image(held) => {
            let fingerprint = held.fingerprint();
            let files = context.images.files(fingerprint);
            context.pools.create_from_image((pool, config), name, fingerprint, files, progress).await?;
            context.images.used(fingerprint).await;
        }
        Origin::Copy { from, what } => {
            let job = Job { name: name.clone(), pool: pool.clone(), config: config.clone(), what };
            let snapshots = from.ask(|reply| Request::Copy { job, reply }).await?;
            return Ok(Made { snapshots, ..Made::default() });
        }
        Origin::Peer { peer, base } => {
            let Received { snapshots, keys, sink } =
                receive(context, (record, config), peer, base, progress).await?;
            return Ok(Made { snapshots, keys, sink: Some(sink) });
        }
    }
    Ok(Made::default())
}

async fn remove_volumes(context: Arc<Context>, pool: PoolName, name: InstanceName) {
    if let Err(error) = context.pools.remove_container(&pool, &name).await {
        tracing::error!(instance = %name, error = %error.story(), "cannot remove the volumes of a failed creation");
    }
}
