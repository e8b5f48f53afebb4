//! Where the image of a new container comes from.

use crate::session::{Session, Target};
use anyhow::Context as _;
use api::instances::Source;
use client::{Client, Origin};

/// Where a server gets an image from.
#[derive(Clone, Debug)]
pub(crate) enum From {
    /// Its own store.
    Here(Source),
    /// Another server.
    There(Origin, Source),
}

/// Where the target's server gets the image from. An image server of the simplestreams kind is not asked
/// here: the target does that.
pub(crate) async fn source(session: &Session, image: &Target, target: &Target) -> anyhow::Result<From> {
    let name = if image.name.is_empty() { "default" } else { &image.name };
    if let Some(url) = session.image_server_url(&image.remote) {
        let wanted = Source { kind: "image".to_owned(), alias: name.to_owned(), ..Source::default() };
        return Ok(From::There(Origin::streams(&url), wanted));
    }
    let client = session.client(&image.remote)?;
    if session.same_server(&image.remote, &target.remote) {
        return Ok(From::Here(here(&client, name).await));
    }
    let found = client.find_image(name).await;
    let found = found.with_context(|| format!("Cannot find the image on {}", image.remote))?;
    let (origin, wanted) = client.image_origin(&found, Some(name)).await?;
    Ok(From::There(origin, wanted))
}

/// What the image is meant by: nearly always its alias. Only a text that could be a fingerprint costs a
/// question.
async fn here(client: &Client, name: &str) -> Source {
    let mut source = Source { kind: "image".to_owned(), ..Source::default() };
    let hexadecimal = name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    if hexadecimal && client.alias(name).await.is_err_and(|error| error.is_not_found()) {
        source.fingerprint = name.to_owned();
    } else {
        source.alias = name.to_owned();
    }
    source
}

/// For `ubuntu/16.04`, which is no image here: the server of that name and what may be meant on it.
pub(crate) fn guess(session: &Session, image: &Target) -> Option<Target> {
    let (first, rest) = image.name.split_once('/').unwrap_or((&image.name, ""));
    let known = session.settings.remotes.contains_key(first) && first != image.remote;
    known.then(|| Target { remote: first.to_owned(), name: rest.to_owned() })
}
