//! Another daemon: which of its images is meant.

use super::error::FetchError;
use super::locate::{Located, Way, answer, of_peer};
use super::origin::Origin;
use api::images::{AliasEntry, Image};
use http::{StatusCode, Uri};
use image::download::DownloadError;
use serde::de::DeserializeOwned;
use simplestreams::Mirrors;
use transport::Dialer;
use transport::get::{Get, GetError};

/// The longest answer that tells about an image, in bytes.
const ANSWER: usize = 1 << 20;

/// Finds an image of another daemon: a public one, or the private one that a secret opens.
pub(super) async fn locate(origin: &Origin, dialer: Dialer) -> Result<Located, FetchError> {
    let mut failures = Vec::new();
    for base in Mirrors::parse(&origin.server)?.all() {
        let base = base.to_string().trim_end_matches('/').to_owned();
        match find(origin, &dialer, &base).await {
            Ok((by_name, image)) => return located(origin, dialer, &base, by_name, image),
            Err(error) => failures.push(error),
        }
    }
    match (failures.pop(), failures.is_empty()) {
        (Some(only), true) => Err(only),
        (last, _) => {
            let all = failures.iter().chain(last.as_ref()).map(ToString::to_string);
            Err(DownloadError::Mirrors(all.collect::<Vec<_>>().join("; ")).into())
        }
    }
}

fn located(
    origin: &Origin,
    dialer: Dialer,
    base: &str,
    by_name: bool,
    image: Image,
) -> Result<Located, FetchError> {
    let path = format!("{base}/1.0/images/{}/export{}", image.fingerprint, query(&origin.secret));
    let url: Uri = path.parse().map_err(|_| answer(&path, "this is no URL"))?;
    let size = u64::try_from(image.size).ok().filter(|size| *size > 0);
    of_peer(image, by_name, Way::Export { url, size, once: !origin.secret.is_empty() }, dialer)
}

async fn find(origin: &Origin, dialer: &Dialer, base: &str) -> Result<(bool, Image), FetchError> {
    let name = escape(&origin.name);
    let mut target = origin.name.clone();
    let mut by_name = false;
    if !origin.by_fingerprint {
        let alias: Option<AliasEntry> = ask(dialer, &format!("{base}/1.0/images/aliases/{name}")).await?;
        if let Some(alias) = alias {
            (target, by_name) = (alias.target, true);
        }
    }
    let unknown = || FetchError::Unknown(origin.name.clone());
    // A prefix of a fingerprint has no other letters; anything else would be another path.
    if target.is_empty() || !target.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(unknown());
    }
    let url = format!("{base}/1.0/images/{target}{}", query(&origin.secret));
    let image: Image = ask(dialer, &url).await?.ok_or_else(unknown)?;
    if !image.fingerprint.starts_with(&target) {
        return Err(answer(base, "the server answers with another image than was asked for"));
    }
    Ok((by_name, image))
}

/// `GET` of an object. None: there is none, or it is not for everybody.
async fn ask<T: DeserializeOwned>(dialer: &Dialer, url: &str) -> Result<Option<T>, FetchError> {
    // Secrets are not for messages.
    let shown = url.split('?').next().unwrap_or_default();
    let uri: Uri = url.parse().map_err(|_| answer(shown, "this is no URL"))?;
    let got = match Get::new(dialer, uri).send().await {
        Err(GetError::Status { status: StatusCode::NOT_FOUND | StatusCode::FORBIDDEN, .. }) => {
            return Ok(None);
        }
        got => got?,
    };
    let text = got.text(ANSWER).await?.ok_or_else(|| answer(shown, "the answer is too long"))?;
    let odd =
        |_| answer(shown, "the answer is not what a daemon gives; is it an image server of this protocol?");
    let reply: api::Reply = serde_json::from_slice(&text).map_err(odd)?;
    serde_json::from_value(reply.metadata).map(Some).map_err(odd)
}

fn query(secret: &str) -> String {
    if secret.is_empty() { String::new() } else { format!("?secret={}", escape(secret)) }
}

/// A segment of a path.
fn escape(text: &str) -> String {
    text.bytes().fold(String::new(), |mut all, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            all.push(char::from(byte));
        } else {
            all.push_str(&format!("%{byte:02X}"));
        }
        all
    })
}
