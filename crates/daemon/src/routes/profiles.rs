//! `/1.0/profiles`.

use super::lists::{ListParams, answer, keep};
use crate::wire::{
    Answer, Etag, IfMatch, Json, Params, Path, Refusal, created, done, sync_bytes, sync_tagged,
};
use api::profiles::{Profile, ProfilePatch, ProfilePut, RenamePost};
use axum::extract::State;
use instance::profiles::Profiles;

fn url(name: &str) -> String {
    format!("/1.0/profiles/{name}")
}

fn tag(profile: &Profile) -> Result<Etag, Refusal> {
    Etag::of(&(&profile.config, &profile.description, &profile.devices))
}

fn check(profiles: &Profiles, name: &str, expected: &IfMatch) -> Result<(), Refusal> {
    if expected.is_given() {
        expected.check(&tag(&profiles.get(name)?)?)?;
    }
    Ok(())
}

/// `GET` of the list.
pub(crate) async fn list(State(profiles): State<Profiles>, Params(params): Params<ListParams>) -> Answer {
    let mut list = profiles.list();
    keep(&params.filter, &mut list)?;
    answer(params.recursion, &list, |profile| url(&profile.name))
}

/// `POST` to the list: create.
pub(crate) async fn create(State(profiles): State<Profiles>, Json(put): Json<ProfilePut>) -> Answer {
    let url = url(&put.name);
    profiles.create(put).await?;
    created(&url)
}

/// `GET` of one.
pub(crate) async fn get(State(profiles): State<Profiles>, Path(name): Path<String>) -> Answer {
    let profile = profiles.get(&name)?;
    sync_tagged(sync_bytes(&profile)?, &tag(&profile)?)
}

/// `PUT` of one.
pub(crate) async fn put(
    State(profiles): State<Profiles>,
    Path(name): Path<String>,
    expected: IfMatch,
    Json(put): Json<ProfilePut>,
) -> Answer {
    check(&profiles, &name, &expected)?;
    profiles.update(&name, put).await?;
    done()
}

/// `PATCH` of one.
pub(crate) async fn patch(
    State(profiles): State<Profiles>,
    Path(name): Path<String>,
    expected: IfMatch,
    Json(patch): Json<ProfilePatch>,
) -> Answer {
    check(&profiles, &name, &expected)?;
    profiles.patch(&name, patch).await?;
    done()
}

/// `POST` to one: rename.
pub(crate) async fn rename(
    State(profiles): State<Profiles>,
    Path(name): Path<String>,
    Json(post): Json<RenamePost>,
) -> Answer {
    profiles.rename(&name, &post.name).await?;
    created(&url(&post.name))
}

/// `DELETE` of one.
pub(crate) async fn delete(State(profiles): State<Profiles>, Path(name): Path<String>) -> Answer {
    profiles.delete(&name).await?;
    done()
}
