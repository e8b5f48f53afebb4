//! `lxc image export --simplestreams`: a directory that any web server makes an image server.

use crate::output::{self, progress::Progress};
use crate::session::Session;
use anyhow::{Context as _, ensure};
use api::images::Image;
use client::{Client, ImageTree};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// An image, and the server that it is on.
struct Wanted {
    client: Client,
    remote: String,
    image: Image,
}

pub(crate) async fn run(
    session: &Session,
    directory: &Path,
    names: &[String],
    prune: bool,
) -> anyhow::Result<()> {
    let mut stores = BTreeMap::new();
    let wanted = wanted(session, names, &mut stores).await?;
    let mut tree = ImageTree::open(directory)?;
    let mut progress = Progress::new(session.global.quiet);
    let added = add(&mut tree, &wanted, &stores, &mut progress).await;
    progress.clear();
    // What was added before a failure is there, and stays.
    tree.save()?;
    let kept = added?;
    if prune {
        let gone = tree.keep_only(&kept)?;
        output::line(format!("Images removed: {gone}"))?;
    }
    Ok(output::line(format!("Image server ready in {}", directory.display()))?)
}

async fn add(
    tree: &mut ImageTree,
    wanted: &[Wanted],
    stores: &BTreeMap<String, Vec<Image>>,
    progress: &mut Progress,
) -> anyhow::Result<BTreeSet<String>> {
    let mut kept = BTreeSet::new();
    for Wanted { client, remote, image } in wanted {
        let store = stores.get(remote).map(Vec::as_slice).unwrap_or_default();
        let report = |done, total| progress.transfer("Exporting the image", done, total);
        let listed = tree.add(client, image, store, report).await;
        let listed = listed.with_context(|| format!("Cannot add the image {}", image.fingerprint))?;
        progress.clear();
        let short = listed.fingerprint.get(..12).unwrap_or(&listed.fingerprint);
        let what = if listed.is_new { "added" } else { "up to date" };
        output::line(format!("{short} {} {} {what}", listed.product, listed.version))?;
        kept.insert(listed.fingerprint);
    }
    Ok(kept)
}

/// The images that were named; a server stands for its public ones, and so does nothing at all.
async fn wanted(
    session: &Session,
    names: &[String],
    stores: &mut BTreeMap<String, Vec<Image>>,
) -> anyhow::Result<Vec<Wanted>> {
    let everything = [format!("{}:", session.settings.default_remote)];
    let names = if names.is_empty() { &everything } else { names };
    let mut wanted = Vec::new();
    for name in names {
        let target = session.target(name)?;
        let (client, remote) = (session.client(&target.remote)?, target.remote);
        if !stores.contains_key(&remote) {
            stores.insert(remote.clone(), client.images().await?);
        }
        if target.name.is_empty() {
            let public =
                stores[&remote].iter().filter(|image| image.public && image.kind != "virtual-machine");
            let found: Vec<Image> = public.cloned().collect();
            ensure!(!found.is_empty(), "\"{remote}\" has no public images; name those to export");
            wanted.extend(found.into_iter().map(|image| Wanted {
                client: client.clone(),
                remote: remote.clone(),
                image,
            }));
        } else {
            let (client, fingerprint) = super::fingerprint(session, name).await?;
            let image = client.image(&fingerprint).await?.value;
            wanted.push(Wanted { client, remote, image });
        }
    }
    Ok(wanted)
}
