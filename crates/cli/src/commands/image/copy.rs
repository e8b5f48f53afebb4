//! `lxc image copy`.

use crate::args::{ImageCopyArgs, ImageMode};
use crate::commands::image_source::{self, From};
use crate::output::{self, progress::Progress};
use crate::session::Session;
use anyhow::{Context as _, ensure};
use api::images::{AliasEntry, Image, ImageExportPost, ImagesPost};
use api::instances::Source;
use api::operations::Operation;
use client::{Client, ImageServer, ImageUpload, RelayedImage};
use std::fs::File;
use std::path::Path;

/// What operations that bring an image are called.
const WHAT: &str = "Copying the image";

pub(crate) async fn run(session: &Session, args: &ImageCopyArgs) -> anyhow::Result<()> {
    let (source, target) = (session.target(&args.image)?, session.target(&args.target)?);
    ensure!(target.name.is_empty(), "Can't provide a name for the target image; name it with --alias");
    ensure!(
        !session.same_server(&source.remote, &target.remote),
        "The source and target servers must be different"
    );
    ensure!(
        !args.auto_update || args.mode == ImageMode::Pull,
        "Only an image that the target fetches itself (--mode pull) can be kept up to date"
    );
    let client = session.client(&target.remote)?;
    let image = super::found(session, &args.image).await?;
    // A target that fetches images itself finds that out; to others nothing has to be sent.
    if args.mode != ImageMode::Pull && client.image(&image.fingerprint).await.is_ok() {
        give_names(&client, args, &image, &image.fingerprint).await?;
        return Ok(output::line("The image was there already")?);
    }
    let ended = match args.mode {
        ImageMode::Pull => match image_source::source(session, &source, &target).await? {
            From::There(origin, wanted) => {
                let attempt = async |address: &str| {
                    let source = origin.at(address, wanted.clone());
                    pull(session, args, &client, source).await
                };
                origin.try_each(attempt).await.map_err(anyhow::Error::from)
            }
            From::Here(wanted) => Ok(pull(session, args, &client, wanted).await?),
        },
        ImageMode::Push => {
            let is_daemon = session.image_server(&source.remote)?.is_none();
            ensure!(
                is_daemon,
                "{} is an image server, which sends nothing by itself: use --mode pull or relay",
                source.remote
            );
            push(session, &client, &session.client(&source.remote)?, RelayedImage::of(&image, args.public))
                .await
        }
        ImageMode::Relay => {
            relay(session, &client, &source.remote, RelayedImage::of(&image, args.public)).await
        }
    };
    let ended = ended.with_context(|| format!("Cannot copy the image \"{}\"", args.image))?;
    let fingerprint = told(&ended).unwrap_or(&image.fingerprint);
    give_names(&client, args, &image, fingerprint).await?;
    Ok(output::line("Image copied successfully!")?)
}

/// The image that the operation made. A server that renews its image meanwhile makes it another one.
fn told(ended: &Operation) -> Option<&str> {
    ended.metadata.as_ref()?.get("fingerprint")?.as_str()
}

async fn pull(
    session: &Session,
    args: &ImageCopyArgs,
    client: &Client,
    source: api::instances::Source,
) -> Result<Operation, client::Error> {
    let request =
        ImagesPost { public: args.public, auto_update: args.auto_update, source, ..ImagesPost::default() };
    crate::commands::wait(session, &client.create_image(&request).await?, WHAT).await
}

/// Lets the source send it, to one address of the target after the other until one works.
async fn push(
    session: &Session,
    client: &Client,
    from: &Client,
    image: RelayedImage,
) -> anyhow::Result<Operation> {
    let RelayedImage { fingerprint, properties, public } = image;
    let (kind, mode) = ("image".to_owned(), "push".to_owned());
    let source = Source { kind, mode, fingerprint: fingerprint.clone(), ..Source::default() };
    let expected = ImagesPost { public, properties, source, ..ImagesPost::default() };
    let place = client.origin().await?;
    let attempt = async |address: &str| {
        let (token, secret) = client.expect_image(&expected).await?;
        let (target, certificate) = (address.to_owned(), place.certificate.clone());
        let to = ImageExportPost { target, secret, certificate, ..ImageExportPost::default() };
        let sent =
            async { crate::commands::wait(session, &from.push_image(&fingerprint, &to).await?, WHAT).await };
        let sent = sent.await;
        if sent.is_err() {
            // Nobody will come with it. It may have been used, or end by itself later.
            let _ = token.cancel().await;
        }
        sent
    };
    Ok(place.try_each(attempt).await?)
}

async fn relay(
    session: &Session,
    client: &Client,
    remote: &str,
    image: RelayedImage,
) -> anyhow::Result<Operation> {
    let mut progress = Progress::new(session.global.quiet);
    let pending = match session.image_server(remote)? {
        None => {
            let show = move |done, total| progress.transfer(WHAT, done, total);
            client.relay_image(&session.client(remote)?, &image, show).await?
        }
        Some(server) => {
            let directory = tempfile::tempdir().context("cannot make a directory for the image")?;
            let upload = fetch(&server, image, directory.path(), &mut progress).await?;
            let show = move |done, total| progress.transfer(WHAT, done, Some(total));
            client.upload_image(&upload, show).await?
        }
    };
    Ok(crate::commands::wait(session, &pending, WHAT).await?)
}

/// Downloads an image, to be sent on.
async fn fetch(
    from: &ImageServer,
    image: RelayedImage,
    directory: &Path,
    progress: &mut Progress,
) -> anyhow::Result<ImageUpload> {
    let RelayedImage { fingerprint, properties, public } = image;
    let (_, files) = from.image(&fingerprint).await?;
    let mut upload =
        ImageUpload { public, properties, fingerprint: Some(fingerprint), ..ImageUpload::default() };
    for file in files {
        let path = directory.join(&file.name);
        let mut to = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
        let show = |done| progress.transfer("Retrieving the image", done, Some(file.size));
        from.download(&file, &mut to, show).await?;
        if file.is_root() {
            upload.rootfs = Some(path);
        } else {
            upload.metadata = path;
        }
    }
    Ok(upload)
}

/// The names that were asked for now mean the copy.
async fn give_names(
    client: &Client,
    args: &ImageCopyArgs,
    image: &Image,
    fingerprint: &str,
) -> anyhow::Result<()> {
    let copied = image.aliases.iter().filter(|_| args.copy_aliases);
    let copied = copied.map(|alias| (&alias.name, alias.description.clone()));
    for (name, description) in copied.chain(args.alias.iter().map(|name| (name, String::new()))) {
        let target = fingerprint.to_owned();
        let alias = AliasEntry { name: name.clone(), description, target, ..AliasEntry::default() };
        let ensured = client.ensure_alias(&alias).await;
        ensured.with_context(|| format!("The image is there, its alias {name} is not"))?;
    }
    Ok(())
}
