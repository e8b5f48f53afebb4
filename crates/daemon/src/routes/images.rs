//! `/1.0/images`: list, look at, change and delete images.

use super::audience::{Audience, DOWNLOAD, SecretParam};
use super::lists::{ListParams, answer, keep};
use crate::operations::{Operations, Reporter, Task, image};
use crate::wire::{
    Answer, Etag, IfMatch, Json, Params, Path, Refusal, accepted, done, sync_bytes, sync_tagged,
};
use api::images::{Image, ImagePatch, ImagePut};
use axum::extract::State;
use instance::images::Images;

fn tag(image: &Image) -> Result<Etag, Refusal> {
    Etag::of(&(image.public, image.auto_update, &image.properties))
}

fn check(images: &Images, fingerprint: &str, expected: &IfMatch) -> Result<(), Refusal> {
    if expected.is_given() {
        expected.check(&tag(&images.get(fingerprint)?)?)?;
    }
    Ok(())
}

/// `GET` of the list.
pub(crate) async fn list(
    State(images): State<Images>,
    Audience(scope): Audience,
    Params(params): Params<ListParams>,
) -> Answer {
    let mut list = images.list_in(scope);
    keep(&params.filter, &mut list)?;
    answer(params.recursion, &list, |image| format!("/1.0/images/{}", image.fingerprint))
}

/// `GET` of one.
pub(crate) async fn get(
    State(images): State<Images>,
    State(operations): State<Operations>,
    audience: Audience,
    Path(fingerprint): Path<String>,
    Params(secret): Params<SecretParam>,
) -> Answer {
    let image = audience.image(&images, &operations, &fingerprint, &secret)?;
    sync_tagged(sync_bytes(&image)?, &tag(&image)?)
}

/// `POST …/secret`: let the bearer of a secret fetch a private image once.
pub(crate) async fn secret(
    State(images): State<Images>,
    State(operations): State<Operations>,
    Path(fingerprint): Path<String>,
) -> Answer {
    let about = image(&images.get(&fingerprint)?.fingerprint);
    let issued = operations.issue(DOWNLOAD, about, serde_json::Map::new());
    accepted(&*issued.map_err(Refusal::unexpected)?)
}

/// `PUT` of one.
pub(crate) async fn put(
    State(images): State<Images>,
    Path(fingerprint): Path<String>,
    expected: IfMatch,
    Json(put): Json<ImagePut>,
) -> Answer {
    check(&images, &fingerprint, &expected)?;
    images.update(&fingerprint, put).await?;
    done()
}

/// `PATCH` of one.
pub(crate) async fn patch(
    State(images): State<Images>,
    Path(fingerprint): Path<String>,
    expected: IfMatch,
    Json(patch): Json<ImagePatch>,
) -> Answer {
    check(&images, &fingerprint, &expected)?;
    images.patch(&fingerprint, patch).await?;
    done()
}

/// `DELETE` of one.
pub(crate) async fn delete(
    State(images): State<Images>,
    State(operations): State<Operations>,
    Path(fingerprint): Path<String>,
) -> Answer {
    let whole = images.get(&fingerprint)?.fingerprint;
    let work = images.delete(&fingerprint).await?;
    let task = Task { description: "Deleting image", resources: image(&whole), may_cancel: false };
    accepted(&operations.run(task, work))
}

/// `POST …/refresh`: look for a newer version where the image came from.
pub(crate) async fn refresh(
    State(images): State<Images>,
    State(operations): State<Operations>,
    Path(fingerprint): Path<String>,
) -> Answer {
    let whole = images.get(&fingerprint)?.fingerprint;
    let reporter = Reporter::default();
    let work = images.refresh(&whole, reporter.progress());
    let task = Task { description: "Refreshing image", resources: image(&whole), may_cancel: true };
    accepted(&operations.run_reporting(task, &reporter, |_| work))
}
