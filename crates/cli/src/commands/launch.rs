//! `lxc init` and `lxc launch`.

use super::copy::change;
use super::image_source::{self, From};
use super::root_disk;
use crate::args::CreateArgs;
use crate::output;
use crate::pairs;
use crate::session::{Session, Target};
use anyhow::Context as _;
use api::Devices;
use api::instances::{InstancesPost, Source, StatePut};
use client::{Client, Pending};
use futures_util::future::join_all;
use std::collections::BTreeMap;

/// `lxc init`.
pub(crate) async fn init(session: &Session, args: &CreateArgs) -> anyhow::Result<()> {
    let (client, name) = create(session, args).await?;
    warn_without_network(&client, &name).await
}

/// `lxc launch`.
pub(crate) async fn launch(session: &Session, args: &CreateArgs) -> anyhow::Result<()> {
    let (client, name) = create(session, args).await?;
    output::line(format!("Starting {name}"))?;
    let start = async {
        let put = StatePut { action: "start".to_owned(), ..StatePut::default() };
        super::wait(session, &client.set_state(&name, &put).await?, "Starting").await
    };
    // The question about its network costs no time beside the start.
    let (started, warned) = tokio::join!(start, warn_without_network(&client, &name));
    started
        .with_context(|| format!("Cannot start {name} (try `lxc info --show-log {name}` for more info)"))?;
    warned
}

/// Creates the container and returns its name.
async fn create(session: &Session, args: &CreateArgs) -> anyhow::Result<(Client, String)> {
    let image = session.target(&args.image)?;
    let target = match &args.name {
        Some(name) => session.target(name)?,
        // `lxc launch lab:image` without a name means a container on that server; an image server has none.
        None if session.image_server_url(&image.remote).is_none() => {
            Target { remote: image.remote.clone(), name: String::new() }
        }
        None => session.target("")?,
    };
    let client = session.client(&target.remote)?;
    let request = InstancesPost {
        name: target.name.clone(),
        profiles: profiles(args),
        ephemeral: args.ephemeral,
        config: pairs::parse(&args.config)?,
        devices: devices(&client, args).await?,
        instance_type: args.kind.clone().unwrap_or_default(),
        ..InstancesPost::default()
    };
    if target.name.is_empty() {
        output::line("Creating the container")?;
    } else {
        output::line(format!("Creating {}", target.name))?;
    }
    let pending = match request_from(session, &client, &request, &image, &target).await {
        Ok(pending) => pending,
        Err(error) => match instead(session, &client, &image, &target, &error).await {
            Some(other) => {
                let meant = format!("{}:{}", other.remote, other.name);
                eprintln!("The local image '{}' couldn't be found, trying '{meant}' instead.", image.name);
                request_from(session, &client, &request, &other, &target).await?
            }
            None if image.remote != target.remote => return Err(error),
            None => return Err(explain(&image, error)),
        },
    };
    if !target.name.is_empty() {
        return Ok((client, target.name));
    }
    let name = pending
        .resource(&["containers", "instances"])
        .context("The server did not tell the new container's name")?;
    output::line(format!("Container name is: {name}"))?;
    Ok((client, name.to_owned()))
}

/// Creates the container from an image, wherever that is.
async fn request_from(
    session: &Session,
    client: &Client,
    request: &InstancesPost,
    image: &Target,
    target: &Target,
) -> anyhow::Result<Pending> {
    let attempt = async |source: Source| {
        let request = InstancesPost { source, ..request.clone() };
        let pending = client.create_container(&request).await?;
        let operation = super::wait(session, &pending, "Retrieving image").await?;
        if let Some(warning) = operation.metadata.as_ref().and_then(|told| told.get("warning")?.as_str()) {
            eprintln!("Warning: {warning}");
        }
        Ok(pending)
    };
    match image_source::source(session, image, target).await? {
        From::Here(source) => Ok(attempt(source).await?),
        From::There(origin, wanted) => {
            let from = |address: &str| origin.at(address, wanted.clone());
            let created = origin.try_each(async |address| attempt(from(address)).await).await;
            created.with_context(|| {
                format!("Cannot create a container on {} from an image on {}", target.remote, image.remote)
            })
        }
    }
}

/// What may be meant by an image that is not there: `ubuntu/16.04` for `ubuntu:16.04`.
async fn instead(
    session: &Session,
    client: &Client,
    image: &Target,
    target: &Target,
    error: &anyhow::Error,
) -> Option<Target> {
    if image.remote != target.remote || !is_not_found(error) {
        return None;
    }
    let other = image_source::guess(session, image)?;
    // A profile or pool may be what is missing.
    client.alias(&image.name).await.is_err_and(|error| error.is_not_found()).then_some(other)
}

fn is_not_found(error: &anyhow::Error) -> bool {
    error.downcast_ref::<client::Error>().is_some_and(client::Error::is_not_found)
}

fn profiles(args: &CreateArgs) -> Option<Vec<String>> {
    match (args.no_profiles, args.profile.as_slice()) {
        (true, _) => Some(Vec::new()),
        (false, []) => None,
        (false, given) => Some(given.to_vec()),
    }
}

async fn devices(client: &Client, args: &CreateArgs) -> anyhow::Result<Devices> {
    let device = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
    };
    let mut devices = Devices::new();
    if let Some(name) = &args.network {
        let network = client.network(name).await.with_context(|| format!("Network \"{name}\""))?;
        let nictype = if network.kind == "bridge" { "bridged" } else { "macvlan" };
        let nic = device(&[("type", "nic"), ("name", "eth0"), ("nictype", nictype), ("parent", name)]);
        devices.insert("eth0".to_owned(), nic);
    }
    if args.storage.is_none() && args.device.is_empty() {
        return Ok(devices);
    }
    let inherited = inherited(client, args).await;
    change(&mut devices, &inherited, &args.device)?;
    if let Some(pool) = &args.storage {
        root_disk::put_into(pool, &mut devices, &inherited);
    }
    Ok(devices)
}

/// The devices that the container has of its profiles. A profile that cannot be read has none; the
/// server says what is wrong with it.
async fn inherited(client: &Client, args: &CreateArgs) -> Devices {
    let profiles = profiles(args).unwrap_or_else(|| vec!["default".to_owned()]);
    let found = join_all(profiles.iter().map(|name| client.profile(name))).await;
    found.into_iter().flatten().flat_map(|profile| profile.value.devices).collect()
}

/// Adds what to try to an error about an unknown image.
fn explain(image: &Target, error: anyhow::Error) -> anyhow::Error {
    if !is_not_found(&error) {
        return error;
    }
    error.context(format!(
        "Cannot create a container from \"{}\" (see `lxc image list` and `lxc profile list`)",
        image.name
    ))
}

async fn warn_without_network(client: &Client, name: &str) -> anyhow::Result<()> {
    let container = client.container(name).await?.value;
    let is_nic = |device: &BTreeMap<String, String>| device.get("type").is_some_and(|kind| kind == "nic");
    if !container.expanded_devices.values().any(is_nic) {
        eprintln!();
        eprintln!("The container you are starting doesn't have any network attached to it.");
        eprintln!("  To see the networks there are, use: lxc network list");
        eprintln!(
            "  To attach it to one, use: lxc config device add {name} eth0 nic nictype=bridged parent=<network>"
        );
        eprintln!();
    }
    Ok(())
}
