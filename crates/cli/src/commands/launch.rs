//! `lxc init` and `lxc launch`.

use crate::args::CreateArgs;
use crate::output;
use crate::pairs;
use crate::session::{Session, Target};
use anyhow::{Context as _, bail};
use api::Devices;
use api::instances::{InstancesPost, Source, StatePut};
use client::Client;
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
    let target = session.target(args.name.as_deref().unwrap_or_default())?;
    // `lxc launch lab:image` without a name means a container on that server.
    let target = match args.name {
        None => Target { remote: image.remote.clone(), name: String::new() },
        Some(_) => target,
    };
    if !session.same_server(&image.remote, &target.remote) {
        // Tells what is wrong with the image's server, if it is not merely another one.
        session.client(&image.remote)?;
        bail!(
            "The image is on \"{}\" and the container would be on \"{}\": export the image there and import it here first",
            image.remote,
            target.remote
        );
    }
    let client = session.client(&target.remote)?;
    let request = InstancesPost {
        name: target.name.clone(),
        profiles: profiles(args),
        ephemeral: args.ephemeral,
        config: pairs::parse(&args.config)?,
        devices: devices(&client, args).await?,
        instance_type: args.kind.clone().unwrap_or_default(),
        source: source(&client, &image.name).await?,
        ..InstancesPost::default()
    };
    if target.name.is_empty() {
        output::line("Creating the container")?;
    } else {
        output::line(format!("Creating {}", target.name))?;
    }
    let pending = client.create_container(&request).await.map_err(|error| explain(session, &image, error))?;
    super::wait(session, &pending, "Retrieving image")
        .await
        .map_err(|error| explain(session, &image, error))?;
    if !target.name.is_empty() {
        return Ok((client, target.name));
    }
    let name = pending
        .resource(&["containers", "instances"])
        .context("The server did not tell the new container's name")?;
    output::line(format!("Container name is: {name}"))?;
    Ok((client, name.to_owned()))
}

/// What the image is meant by: nearly always its alias. Only a text that could be a fingerprint costs a question.
async fn source(client: &Client, image: &str) -> anyhow::Result<Source> {
    let image = if image.is_empty() { "default" } else { image };
    let mut source = Source { kind: "image".to_owned(), ..Source::default() };
    let hexadecimal = image.len() <= 64 && image.bytes().all(|byte| byte.is_ascii_hexdigit());
    if hexadecimal && client.alias(image).await.is_err_and(|error| error.is_not_found()) {
        source.fingerprint = image.to_owned();
    } else {
        source.alias = image.to_owned();
    }
    Ok(source)
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
    if let Some(pool) = &args.storage {
        devices.insert("root".to_owned(), device(&[("type", "disk"), ("path", "/"), ("pool", pool)]));
    }
    Ok(devices)
}

/// Adds what to try to an error about an unknown image.
fn explain(session: &Session, image: &Target, error: client::Error) -> anyhow::Error {
    if !error.is_not_found() {
        return error.into();
    }
    let first = image.name.split('/').next().unwrap_or_default();
    let hint = if session.settings.remotes.contains_key(first) && first != image.name {
        let rest = &image.name[first.len() + 1..];
        format!("did you mean {first}:{rest}?")
    } else {
        "see `lxc image list` and `lxc profile list`".to_owned()
    };
    anyhow::Error::new(error).context(format!("Cannot create a container from \"{}\" ({hint})", image.name))
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
