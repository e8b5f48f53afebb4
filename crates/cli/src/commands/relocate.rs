//! `lxc move`: another name or another pool on one server, or another server.

use super::copy::{change, original, put_into};
use super::root_disk;
use super::transfer::{Transfer, check_target};
use crate::args::MoveArgs;
use crate::session::{Session, Target};
use anyhow::{Context as _, ensure};
use api::instances::{InstancePost, Source, StatePut};
use client::Client;

/// What servers are called that move containers between their pools by themselves.
const POOL_MOVE: &str = "instance_pool_move";

pub(crate) async fn run(session: &Session, args: &MoveArgs) -> anyhow::Result<()> {
    let (from, Target { remote, name }) = session.named(&args.source, "container")?;
    let target = match &args.target {
        Some(target) => session.target(target)?,
        None => Target { remote: remote.clone(), name: name.clone() },
    };
    if session.same_server(&remote, &target.remote) {
        return match &args.storage {
            Some(pool) => {
                let new_name = if target.name.is_empty() { &name } else { &target.name };
                let place = Place { client: &from, name: &name, new_name, pool };
                place.take(session, args).await
            }
            None => {
                super::rename::run(session, &args.source, args.target.as_deref().unwrap_or_default()).await
            }
        };
    }
    ensure!(
        !name.contains('/'),
        "A snapshot cannot be moved to another server without its container; make a container of it there with: lxc copy"
    );
    check_target(&target.name)?;
    let to = session.client(&target.remote)?;
    let source = original(&from, &name).await?;
    let (runs, live) = (source.runs, source.runs && !args.stateless);
    let new_name = if target.name.is_empty() { &name } else { &target.name };
    let inherited = source.expanded_devices.clone();
    let mut request = source.into_request(new_name, &args.config, &args.profile, args.no_profiles)?;
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
        refresh: false,
    };
    let created = transfer.run().await?;
    // Only now, when the target has said that everything is there.
    let removed = remove(session, &from, &name, runs).await;
    removed
        .with_context(|| format!("{name} is on the other server as {created}, but cannot be removed here"))?;
    Ok(())
}

/// A container on its way to another pool of its server.
struct Place<'a> {
    client: &'a Client,
    name: &'a str,
    new_name: &'a str,
    pool: &'a str,
}

impl Place<'_> {
    async fn take(&self, session: &Session, args: &MoveArgs) -> anyhow::Result<()> {
        let Self { client, name, new_name, pool } = *self;
        ensure!(
            !name.contains('/'),
            "A snapshot lives in its container's pool; make a container of it elsewhere with: lxc copy {name} NAME --storage {pool}"
        );
        check_target(new_name)?;
        client.pool(pool).await.with_context(|| format!("Storage pool \"{pool}\""))?;
        let container = client.container(name).await?.value;
        let here = root_disk::find(&container.expanded_devices).and_then(|(_, root)| root.get("pool"));
        if here.is_some_and(|here| here == pool) {
            ensure!(name != new_name, "{name} is in the pool {pool} already");
            super::wait(session, &client.rename_container(name, new_name).await?, "Renaming").await?;
            return Ok(());
        }
        let as_it_is = args.config.is_empty()
            && args.profile.is_empty()
            && args.device.is_empty()
            && !args.no_profiles
            && !args.container_only;
        let extensions = client.server().await?.value.api_extensions;
        if !as_it_is || !extensions.iter().any(|name| name == POOL_MOVE) {
            return self.copy_and_delete(session, args).await;
        }
        let post = InstancePost {
            name: new_name.to_owned(),
            migration: true,
            pool: pool.to_owned(),
            ..InstancePost::default()
        };
        let pending = client.send_container(name, &post).await?;
        super::wait(session, &pending, "Moving container").await?;
        Ok(())
    }

    /// As it was done before servers could do it: a copy with everything, which then takes the place of
    /// what it is a copy of.
    async fn copy_and_delete(&self, session: &Session, args: &MoveArgs) -> anyhow::Result<()> {
        let Self { client, name, new_name, pool } = *self;
        let source = original(client, name).await?;
        ensure!(!source.runs, "{name} is running; it has to be stopped to be moved to another pool");
        let meanwhile = if name == new_name { meanwhile(name) } else { new_name.to_owned() };
        let inherited = source.expanded_devices.clone();
        let mut request = source.into_request(&meanwhile, &args.config, &args.profile, args.no_profiles)?;
        change(&mut request.devices, &inherited, &args.device)?;
        root_disk::put_into(pool, &mut request.devices, &inherited);
        request.source = Source {
            kind: "copy".to_owned(),
            source: name.to_owned(),
            container_only: args.container_only,
            instance_only: args.container_only,
            ..Source::default()
        };
        let pending = client.create_container(&request).await?;
        super::wait(session, &pending, "Moving container").await?;
        let removed = remove(session, client, name, false).await;
        removed.with_context(|| {
            format!("{name} is in the pool {pool} as {meanwhile}, but cannot be removed from the other one")
        })?;
        if meanwhile != new_name {
            let renamed = async {
                let pending = client.rename_container(&meanwhile, new_name).await?;
                super::wait(session, &pending, "Renaming").await
            };
            renamed.await.with_context(|| {
                format!("{name} is in the pool {pool} now, but still called {meanwhile}; use: lxc rename")
            })?;
        }
        Ok(())
    }
}

/// What a container is called until the other one of its name is gone.
fn meanwhile(name: &str) -> String {
    /// A name is as long as a label of DNS can be.
    const LONGEST: usize = 63;
    let meanwhile: String = format!("moving-{name}").chars().take(LONGEST).collect();
    meanwhile.trim_end_matches('-').to_owned()
}

async fn remove(session: &Session, from: &Client, name: &str, runs: bool) -> anyhow::Result<()> {
    if runs {
        let stop = StatePut { action: "stop".to_owned(), force: true, ..StatePut::default() };
        super::wait(session, &from.set_state(name, &stop).await?, "Stopping").await?;
    }
    super::wait(session, &from.delete_container(name).await?, "Removing the source").await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::meanwhile;

    #[test]
    fn the_name_meanwhile_is_a_name() {
        assert_eq!(meanwhile("c1"), "moving-c1");
        assert_eq!(meanwhile(&"x".repeat(63)).len(), 63);
        assert!(!meanwhile(&format!("{}-y", "x".repeat(55))).ends_with('-'));
    }
}
