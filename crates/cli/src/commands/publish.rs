//! `lxc publish`: a container or snapshot becomes an image, here or on another server.
//!
//! A container that runs is stopped for it and started again, whatever came of it. An ephemeral one
//! is an ordinary one meanwhile, so that nothing is lost if the client ends in between.

use super::holder::changeable;
use crate::args::PublishArgs;
use crate::output::{self, progress::Progress};
use crate::pairs;
use crate::session::{Session, Target};
use crate::signals;
use anyhow::{Context as _, bail, ensure};
use api::images::{AliasEntry, ImageAlias, ImagesPost};
use api::instances::{Source, StatePut};
use api::{StatusCode, Time};
use client::{Client, ImageUpload, Received};
use std::fs::File;
use std::io::Write as _;
use std::path::Path;

/// What the arguments mean.
struct Request {
    source: Target,
    /// Where the image is to be.
    target: String,
    post: ImagesPost,
}

pub(crate) async fn run(session: &Session, args: &PublishArgs) -> anyhow::Result<()> {
    let Request { source, target, mut post } = request(session, args)?;
    let (from, to) = (session.client(&source.remote)?, session.client(&target)?);
    for alias in &post.aliases {
        ensure!(
            to.alias(&alias.name).await.is_err(),
            "Alias {name} already exists; delete it first with: lxc image alias delete {name}",
            name = alias.name
        );
    }
    let here = session.same_server(&source.remote, &target);
    let aliases = if here { Vec::new() } else { std::mem::take(&mut post.aliases) };
    // From here on a signal ends the wait for the image and not the program, which has a container to start.
    let _caught = args.force.then(signals::Ending::catch);
    let resting = rest(session, &from, &source.name, args.force).await?;
    let published = publish(session, &from, &post).await;
    // Whatever came of it, the container goes on.
    let resumed = match resting {
        Some(was_ephemeral) => resume(session, &from, &source.name, was_ephemeral).await,
        None => Ok(()),
    };
    let fingerprint = match (published, resumed) {
        (Ok(fingerprint), resumed) => {
            resumed.with_context(|| format!("The image {fingerprint} is made"))?;
            fingerprint
        }
        (Err(error), Ok(())) => return Err(error),
        (Err(error), Err(other)) => {
            return Err(error.context(format!("The container does not run again either ({other:#})")));
        }
    };
    if !here {
        let moved = relay(session, &from, &to, &fingerprint, &post, aliases).await;
        // It was made only to be sent.
        let removed =
            async { super::wait(session, &from.delete_image(&fingerprint).await?, "Deleting").await };
        if let Err(error) = removed.await {
            eprintln!("The image {fingerprint} is still on \"{}\": {error}", source.remote);
        }
        moved?;
    }
    Ok(output::line(format!("Container published with fingerprint: {fingerprint}"))?)
}

fn request(session: &Session, args: &PublishArgs) -> anyhow::Result<Request> {
    let source = session.target(&args.source)?;
    ensure!(!source.name.is_empty(), "Missing container name in \"{}\"", args.source);
    let (mut target, mut properties) = (source.remote.clone(), Vec::new());
    for (position, arg) in args.rest.iter().enumerate() {
        match session.target(arg) {
            Ok(found) if position == 0 && found.name.is_empty() && arg.ends_with(':') => {
                target = found.remote;
            }
            Err(error) if position == 0 && arg.ends_with(':') => return Err(error.into()),
            _ => properties.push(arg.clone()),
        }
    }
    let alias = |name: &String| ImageAlias { name: name.clone(), ..ImageAlias::default() };
    let kind = if source.name.contains('/') { "snapshot" } else { "container" };
    let post = ImagesPost {
        public: args.public,
        properties: pairs::parse(&properties)?,
        compression_algorithm: args.compression.clone().unwrap_or_default(),
        expires_at: args.expire.as_deref().map(time).transpose()?,
        aliases: args.alias.iter().map(alias).collect(),
        source: Source { kind: kind.to_owned(), name: source.name.clone(), ..Source::default() },
        ..ImagesPost::default()
    };
    Ok(Request { source, target, post })
}

/// `2030-01-31T12:00:00Z`, or a day.
fn time(text: &str) -> anyhow::Result<Time> {
    let read = |text: String| serde_json::from_value::<Time>(text.into());
    read(text.to_owned()).or_else(|_| read(format!("{text}T00:00:00Z"))).map_err(|_| {
        anyhow::anyhow!("\"{text}\" is no time; use one such as 2030-01-31T12:00:00Z or 2030-01-31")
    })
}

/// Stops a container that runs. Some: it has to be started again, and whether it is ephemeral.
async fn rest(session: &Session, client: &Client, name: &str, force: bool) -> anyhow::Result<Option<bool>> {
    if name.contains('/') {
        return Ok(None);
    }
    let container = client.container(name).await?;
    if container.value.status_code == StatusCode::Stopped {
        return Ok(None);
    }
    if !force {
        bail!("The container is currently running. Use --force to have it stopped and restarted");
    }
    let was_ephemeral = container.value.ephemeral;
    if was_ephemeral {
        set_ephemeral(session, client, name, false).await?;
    }
    let put = StatePut { action: "stop".to_owned(), timeout: -1, force: true, ..StatePut::default() };
    let stop = async { super::wait(session, &client.set_state(name, &put).await?, "Stopping").await };
    if let Err(error) = stop.await {
        if was_ephemeral {
            set_ephemeral(session, client, name, true).await?;
        }
        return Err(anyhow::Error::new(error).context(format!("Cannot stop {name}")));
    }
    Ok(Some(was_ephemeral))
}

async fn resume(session: &Session, client: &Client, name: &str, was_ephemeral: bool) -> anyhow::Result<()> {
    let put = StatePut { action: "start".to_owned(), timeout: -1, ..StatePut::default() };
    let start = async { super::wait(session, &client.set_state(name, &put).await?, "Starting").await };
    start.await.with_context(|| format!("Cannot start {name} again"))?;
    if was_ephemeral {
        set_ephemeral(session, client, name, true).await?;
    }
    Ok(())
}

async fn set_ephemeral(
    session: &Session,
    client: &Client,
    name: &str,
    ephemeral: bool,
) -> anyhow::Result<()> {
    let found = client.container(name).await?;
    let put = api::instances::InstancePut { ephemeral, ..changeable(found.value) };
    let pending = client.put_container(name, &put, found.etag.as_deref()).await?;
    super::wait(session, &pending, "Updating").await?;
    Ok(())
}

async fn publish(session: &Session, client: &Client, post: &ImagesPost) -> anyhow::Result<String> {
    let pending = client.publish(post).await?;
    let operation = super::wait(session, &pending, "Publishing container").await?;
    let fingerprint = operation.metadata.as_ref().and_then(|metadata| metadata.get("fingerprint"));
    let fingerprint = fingerprint.and_then(serde_json::Value::as_str);
    Ok(fingerprint.context("The server did not tell the image's fingerprint")?.to_owned())
}

/// Brings the image to the other server through this machine.
async fn relay(
    session: &Session,
    from: &Client,
    to: &Client,
    fingerprint: &str,
    post: &ImagesPost,
    aliases: Vec<ImageAlias>,
) -> anyhow::Result<()> {
    let directory = tempfile::tempdir().context("cannot make a directory for the image")?;
    let (metadata, rootfs) = (directory.path().join("metadata"), directory.path().join("rootfs"));
    let mut progress = Progress::new(session.global.quiet);
    let mut image = ImageUpload {
        metadata: metadata.clone(),
        public: post.public,
        fingerprint: Some(fingerprint.to_owned()),
        ..ImageUpload::default()
    };
    match from.export_image(fingerprint).await? {
        Received::Unified(_, download) => {
            let total = download.length();
            let report = |done| progress.transfer("Exporting the image", done, total);
            download.copy_to(create(&metadata)?, report).await?;
        }
        Received::Split(mut parts) => {
            let (total, mut path) = (parts.length(), &metadata);
            while parts.next_part().await?.is_some() {
                let mut file = create(path)?;
                while let Some(piece) = parts.piece().await? {
                    file.write_all(&piece).with_context(|| format!("cannot write {}", path.display()))?;
                    progress.transfer("Exporting the image", parts.received(), total);
                }
                path = &rootfs;
            }
            image.rootfs = Some(rootfs.clone());
        }
    }
    let report = move |sent, total| progress.transfer("Transferring image", sent, Some(total));
    let pending = to.upload_image(&image, report).await?;
    super::wait(session, &pending, "Importing").await?;
    for ImageAlias { name, description } in aliases {
        let entry = AliasEntry { name, description, target: fingerprint.to_owned(), ..AliasEntry::default() };
        let made = to.create_alias(&entry).await;
        made.with_context(|| format!("The image is there, its alias {} is not", entry.name))?;
    }
    Ok(())
}

fn create(path: &Path) -> anyhow::Result<File> {
    File::create(path).with_context(|| format!("cannot create {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Global;
    use crate::settings::Settings;

    fn read(source: &str, rest: &[&str]) -> anyhow::Result<Request> {
        let global = Global { force_local: false, quiet: false, verbose: false, debug: false };
        let session = Session::new(Settings::for_tests(), global);
        let args = PublishArgs {
            source: source.to_owned(),
            rest: rest.iter().map(|arg| (*arg).to_owned()).collect(),
            alias: vec!["a".to_owned(), "b/c".to_owned()],
            public: true,
            force: false,
            compression: Some("xz -9".to_owned()),
            expire: Some("2030-01-31".to_owned()),
        };
        request(&session, &args)
    }

    #[test]
    fn a_server_comes_before_properties() {
        let Request { source, target, post } = read("c1/snap0", &["local:", "os=x", "a=http://b:c"]).unwrap();
        assert_eq!((source.name.as_str(), target.as_str()), ("c1/snap0", "local"));
        assert_eq!((post.source.kind.as_str(), post.source.name.as_str()), ("snapshot", "c1/snap0"));
        assert_eq!(post.properties["a"], "http://b:c");
        assert_eq!(post.aliases.len(), 2);
        assert_eq!(post.expires_at.unwrap().to_string(), "2030-01-31T00:00:00Z");
        assert_eq!(read("c1", &["a=b:c"]).unwrap().post.properties["a"], "b:c");
        assert!(read("c1", &["nowhere:"]).is_err());
        assert!(read("c1", &["nothing"]).is_err());
        assert!(read("local:", &[]).is_err());
        assert!(time("tomorrow").is_err());
        assert!(time("2030-01-31T12:00:00Z").is_ok());
    }
}
