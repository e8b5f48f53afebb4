//! `lxc copy` on one server.

use crate::args::CopyArgs;
use crate::output;
use crate::pairs;
use crate::session::{Session, Target};
use anyhow::{Context as _, ensure};
use api::instances::{Instance, InstancesPost, Snapshot, Source};
use api::{Config, Devices};
use client::Client;

pub(crate) async fn run(session: &Session, args: &CopyArgs) -> anyhow::Result<()> {
    let (client, Target { remote, name }) = session.named(&args.source, "container")?;
    let target = session.target(args.target.as_deref().unwrap_or_default())?;
    let target_remote = match &args.target {
        Some(text) if text.contains(':') => &target.remote,
        _ => &remote,
    };
    ensure!(
        session.same_server(&remote, target_remote),
        "Copying between servers is not supported yet; \"{remote}\" and \"{target_remote}\" are different ones"
    );
    let original = original(&client, &name).await?;
    let container = name.split('/').next().unwrap_or_default();
    let request = request(original, args, &target.name)?;
    let pending = client.create_container(&request).await?;
    super::wait(session, &pending, "Transferring container").await?;
    if target.name.is_empty() {
        let name = pending.resource(&["containers", "instances"]);
        // A copy has both names among its resources; the new one is the other one.
        let created = created_name(&pending, &name.map(str::to_owned), container);
        output::line(format!(
            "Container name is: {}",
            created.context("The server did not tell the copy's name")?
        ))?;
    }
    Ok(())
}

fn created_name(pending: &client::Pending, first: &Option<String>, source: &str) -> Option<String> {
    let resources = pending.operation.resources.as_ref()?;
    let names = resources.get("containers").or_else(|| resources.get("instances"))?.iter();
    let other = names.filter_map(|url| url.rsplit('/').next()).find(|&name| name != source);
    other.map(str::to_owned).or_else(|| first.clone())
}

/// What is copied, as far as the copy's request tells it.
struct Original {
    name: String,
    architecture: String,
    config: Config,
    devices: Devices,
    profiles: Vec<String>,
    description: String,
}

async fn original(client: &Client, name: &str) -> anyhow::Result<Original> {
    if let Some((container, snapshot)) = name.split_once('/') {
        let Snapshot { architecture, config, devices, profiles, .. } =
            client.snapshot(container, snapshot).await?.value;
        let (name, description) = (name.to_owned(), String::new());
        return Ok(Original { name, architecture, config, devices, profiles, description });
    }
    let Instance { name, architecture, config, devices, profiles, description, .. } =
        client.container(name).await?.value;
    Ok(Original { name, architecture, config, devices, profiles, description })
}

/// The request for a copy: what belongs to one container alone stays behind.
fn request(source: Original, args: &CopyArgs, name: &str) -> anyhow::Result<InstancesPost> {
    let mut config = source.config;
    config.retain(|key, _| !key.starts_with("volatile.") || key == "volatile.base_image");
    config.extend(pairs::parse(&args.config)?);
    let mut profiles = source.profiles;
    profiles.extend(args.profile.iter().cloned());
    if args.no_profiles {
        profiles.clear();
    }
    Ok(InstancesPost {
        name: name.to_owned(),
        architecture: source.architecture,
        profiles: Some(profiles),
        ephemeral: args.ephemeral,
        config,
        devices: source.devices,
        description: source.description,
        source: Source {
            kind: "copy".to_owned(),
            source: source.name,
            container_only: args.container_only,
            instance_only: args.container_only,
            ..Source::default()
        },
        ..InstancesPost::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volatile_keys_stay_behind_and_flags_win() {
        let pairs = [("volatile.base_image", "f"), ("volatile.eth0.hwaddr", "x"), ("limits.cpu", "1")];
        let source = Original {
            name: "a/snap0".into(),
            architecture: "x86_64".into(),
            config: pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
            devices: Devices::new(),
            profiles: vec!["default".into()],
            description: String::new(),
        };
        let args = CopyArgs {
            source: "a".into(),
            target: Some("b".into()),
            config: vec!["limits.cpu=2".into()],
            profile: vec!["web".into()],
            no_profiles: false,
            ephemeral: false,
            container_only: false,
        };
        let request = request(source, &args, "b").unwrap();
        assert_eq!(request.source.source, "a/snap0");
        let expected = [("limits.cpu", "2"), ("volatile.base_image", "f")];
        assert_eq!(request.config, expected.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
        assert_eq!(request.profiles.unwrap(), ["default", "web"]);
        assert!(!request.ephemeral);
    }
}
