//! `lxc copy`, on one server and between servers.

use super::root_disk;
use super::transfer::{Transfer, check_target};
use crate::args::CopyArgs;
use crate::output;
use crate::pairs;
use crate::session::{Session, Target};
use anyhow::Context as _;
use api::instances::{Instance, InstancesPost, Snapshot, Source};
use api::{Config, Devices};
use client::Client;

pub(crate) async fn run(session: &Session, args: &CopyArgs) -> anyhow::Result<()> {
    let (from, Target { remote, name }) = session.named(&args.source, "container")?;
    let target = session.target(args.target.as_deref().unwrap_or_default())?;
    let target_remote = if args.target.is_some() { &target.remote } else { &remote };
    check_target(&target.name)?;
    if session.same_server(&remote, target_remote) {
        return on_one_server(session, &from, &name, &target.name, args).await;
    }
    let to = session.client(target_remote)?;
    let original = original(&from, &name).await?;
    let live = original.runs && !args.stateless && !args.refresh;
    // Without a name it keeps the one that it has.
    let own = name.split('/').next().unwrap_or_default();
    let new_name = if target.name.is_empty() { own } else { &target.name };
    let inherited = original.expanded_devices.clone();
    let mut request = request(original, args, new_name)?;
    change(&mut request.devices, &inherited, &args.device)?;
    put_into(&to, &mut request.devices, &inherited, args.storage.as_deref()).await?;
    let transfer = Transfer {
        session,
        from: &from,
        to: &to,
        name: &name,
        request,
        mode: args.mode,
        live,
        container_only: args.container_only,
        refresh: args.refresh,
    };
    transfer.run().await?;
    Ok(())
}

async fn on_one_server(
    session: &Session,
    client: &Client,
    name: &str,
    new_name: &str,
    args: &CopyArgs,
) -> anyhow::Result<()> {
    let original = original(client, name).await?;
    let container = name.split('/').next().unwrap_or_default();
    let inherited = original.expanded_devices.clone();
    let mut request = request(original, args, new_name)?;
    change(&mut request.devices, &inherited, &args.device)?;
    put_into(client, &mut request.devices, &inherited, args.storage.as_deref()).await?;
    request.source = Source {
        kind: "copy".to_owned(),
        source: name.to_owned(),
        container_only: args.container_only,
        instance_only: args.container_only,
        refresh: args.refresh,
        ..Source::default()
    };
    let pending = client.create_container(&request).await?;
    super::wait(session, &pending, "Transferring container").await?;
    if new_name.is_empty() {
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
pub(crate) struct Original {
    architecture: String,
    pub(crate) config: Config,
    pub(crate) devices: Devices,
    /// Those of its profiles, too.
    pub(crate) expanded_devices: Devices,
    pub(crate) profiles: Vec<String>,
    description: String,
    pub(crate) ephemeral: bool,
    pub(crate) runs: bool,
}

pub(crate) async fn original(client: &Client, name: &str) -> anyhow::Result<Original> {
    if let Some((container, snapshot)) = name.split_once('/') {
        let found = client.snapshot(container, snapshot).await?.value;
        let Snapshot { architecture, config, devices, expanded_devices, profiles, ephemeral, .. } = found;
        return Ok(Original {
            architecture,
            config,
            devices,
            expanded_devices,
            profiles,
            description: String::new(),
            ephemeral,
            runs: false,
        });
    }
    let found = client.container(name).await?.value;
    let Instance { architecture, config, devices, expanded_devices, profiles, .. } = found;
    Ok(Original {
        architecture,
        config,
        devices,
        expanded_devices,
        profiles,
        description: found.description,
        ephemeral: found.ephemeral,
        runs: found.status_code != api::StatusCode::Stopped,
    })
}

/// The request for a copy: what belongs to one container alone stays behind.
fn request(mut source: Original, args: &CopyArgs, name: &str) -> anyhow::Result<InstancesPost> {
    source.config.retain(|key, _| !key.starts_with("volatile.") || key == "volatile.base_image");
    source.ephemeral = args.ephemeral;
    source.into_request(name, &args.config, &args.profile, args.no_profiles)
}

impl Original {
    /// The request for a container like it; where it comes from is still to be said.
    pub(crate) fn into_request(
        self,
        name: &str,
        config: &[String],
        profile: &[String],
        no_profiles: bool,
    ) -> anyhow::Result<InstancesPost> {
        let mut all = self.config;
        all.extend(pairs::parse(config)?);
        let mut profiles = self.profiles;
        profiles.extend(profile.iter().cloned());
        if no_profiles {
            profiles.clear();
        }
        Ok(InstancesPost {
            name: name.to_owned(),
            architecture: self.architecture,
            profiles: Some(profiles),
            ephemeral: self.ephemeral,
            config: all,
            devices: self.devices,
            description: self.description,
            ..InstancesPost::default()
        })
    }
}

/// Changes devices of a container to be: `name,key=value`. One that comes from a profile is overridden as
/// it is there.
pub(crate) fn change(devices: &mut Devices, inherited: &Devices, changes: &[String]) -> anyhow::Result<()> {
    for change in changes {
        let parts = change.split_once(',').and_then(|(name, pair)| Some((name, pair.split_once('=')?)));
        let (name, (key, value)) =
            parts.with_context(|| format!("\"{change}\" is no change of a device: use NAME,KEY=VALUE"))?;
        let as_it_is = || inherited.get(name).cloned().unwrap_or_default();
        devices.entry(name.to_owned()).or_insert_with(as_it_is).insert(key.to_owned(), value.to_owned());
    }
    Ok(())
}

/// Puts the copy into a pool, if one is named.
pub(crate) async fn put_into(
    to: &Client,
    devices: &mut Devices,
    inherited: &Devices,
    pool: Option<&str>,
) -> anyhow::Result<()> {
    let Some(pool) = pool else { return Ok(()) };
    // Told at once, not when everything has been sent.
    to.pool(pool).await.with_context(|| format!("Storage pool \"{pool}\""))?;
    root_disk::put_into(pool, devices, inherited);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: CopyArgs,
    }

    #[test]
    fn volatile_keys_stay_behind_and_flags_win() {
        let pairs = [("volatile.base_image", "f"), ("volatile.eth0.hwaddr", "x"), ("limits.cpu", "1")];
        let source = Original {
            architecture: "x86_64".into(),
            config: pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
            devices: Devices::new(),
            expanded_devices: Devices::new(),
            profiles: vec!["default".into()],
            description: String::new(),
            ephemeral: true,
            runs: false,
        };
        let args = Line::parse_from(["copy", "a", "b", "-c", "limits.cpu=2", "-p", "web"]).args;
        let request = request(source, &args, "b").unwrap();
        let expected = [("limits.cpu", "2"), ("volatile.base_image", "f")];
        assert_eq!(request.config, expected.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
        assert_eq!(request.profiles.unwrap(), ["default", "web"]);
        assert!(!request.ephemeral);
    }

    #[test]
    fn devices_of_profiles_are_changed_as_they_are_there() {
        let devices = |json| serde_json::from_value::<Devices>(json).unwrap();
        let inherited = devices(serde_json::json!({"root": {"type": "disk", "path": "/", "pool": "p"}}));
        let mut own = devices(serde_json::json!({"eth0": {"type": "nic"}}));
        let changes = ["root,size=5GB", "eth0,name=eth1", "new,type=none"].map(str::to_owned);
        change(&mut own, &inherited, &changes).unwrap();
        let expected = serde_json::json!({"root": {"type": "disk", "path": "/", "pool": "p", "size": "5GB"},
            "eth0": {"type": "nic", "name": "eth1"}, "new": {"type": "none"}});
        assert_eq!(own, devices(expected));
        assert!(change(&mut own, &inherited, &["root".to_owned()]).is_err());
    }
}
