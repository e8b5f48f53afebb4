//! `lxc copy` on one server.

use crate::args::CopyArgs;
use crate::output;
use crate::pairs;
use crate::session::{Session, Target};
use anyhow::{Context as _, ensure};
use api::Config;
use api::instances::{Instance, InstancesPost, Source};

pub(crate) async fn run(session: &Session, args: &CopyArgs) -> anyhow::Result<()> {
    let (client, Target { remote, name }) = session.named(&args.source, "container")?;
    ensure!(!name.contains('/'), "\"{name}\" is a snapshot, and snapshots are not supported yet");
    let target = session.target(args.target.as_deref().unwrap_or_default())?;
    let target_remote = match &args.target {
        Some(text) if text.contains(':') => &target.remote,
        _ => &remote,
    };
    ensure!(
        session.same_server(&remote, target_remote),
        "Copying between servers is not supported yet; \"{remote}\" and \"{target_remote}\" are different ones"
    );
    let source = client.container(&name).await?.value;
    let request = request(&source, args, &target.name)?;
    let pending = client.create_container(&request).await?;
    super::wait(session, &pending, "Transferring container").await?;
    if target.name.is_empty() {
        let name = pending.resource(&["containers", "instances"]);
        // A copy has both names among its resources; the new one is the other one.
        let created = created_name(&pending, &name.map(str::to_owned), &source.name);
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

/// The request for a copy: what belongs to one container alone stays behind.
fn request(source: &Instance, args: &CopyArgs, name: &str) -> anyhow::Result<InstancesPost> {
    let keep = |key: &str| !key.starts_with("volatile.") || key == "volatile.base_image";
    let mut config: Config =
        source.config.iter().filter(|(key, _)| keep(key)).map(|(k, v)| (k.clone(), v.clone())).collect();
    config.extend(pairs::parse(&args.config)?);
    let profiles = if args.no_profiles {
        Vec::new()
    } else {
        source.profiles.iter().chain(&args.profile).cloned().collect()
    };
    Ok(InstancesPost {
        name: name.to_owned(),
        architecture: source.architecture.clone(),
        profiles: Some(profiles),
        ephemeral: args.ephemeral,
        config,
        devices: source.devices.clone(),
        description: source.description.clone(),
        source: Source {
            kind: "copy".to_owned(),
            source: source.name.clone(),
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
        let source: Instance = serde_json::from_value(serde_json::json!({
            "name": "a", "status": "Stopped", "status_code": 102, "ephemeral": true, "profiles": ["default"],
            "config": {"volatile.base_image": "f", "volatile.eth0.hwaddr": "x", "limits.cpu": "1"}
        }))
        .unwrap();
        let args = CopyArgs {
            source: "a".into(),
            target: Some("b".into()),
            config: vec!["limits.cpu=2".into()],
            profile: vec!["web".into()],
            no_profiles: false,
            ephemeral: false,
            container_only: false,
        };
        let request = request(&source, &args, "b").unwrap();
        let expected = [("limits.cpu", "2"), ("volatile.base_image", "f")];
        assert_eq!(request.config, expected.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
        assert_eq!(request.profiles.unwrap(), ["default", "web"]);
        assert!(!request.ephemeral);
    }
}
