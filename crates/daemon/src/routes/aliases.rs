//! `/1.0/images/aliases`: names of images. A name may have slashes.

use super::audience::Audience;
use super::lists::{ListParams, answer, keep};
use crate::wire::{
    Answer, Etag, IfMatch, Json, Params, Path, Refusal, created, done, sync_bytes, sync_tagged,
};
use api::images::{AliasEntry, AliasPatch};
use api::profiles::RenamePost;
use axum::extract::State;
use instance::images::Images;

fn url(name: &str) -> String {
    format!("/1.0/images/aliases/{}", escape(name))
}

/// What may not stand in a URL as it is.
fn escape(name: &str) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/:@".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

fn check(images: &Images, name: &str, expected: &IfMatch) -> Result<(), Refusal> {
    if expected.is_given() {
        expected.check(&Etag::of(&images.alias(name)?)?)?;
    }
    Ok(())
}

/// `GET` of the list.
pub(crate) async fn list(
    State(images): State<Images>,
    Audience(scope): Audience,
    Params(params): Params<ListParams>,
) -> Answer {
    let mut list = images.aliases_in(scope);
    keep(&params.filter, &mut list)?;
    answer(params.recursion, &list, |alias| url(&alias.name))
}

/// `POST` to the list: create.
pub(crate) async fn create(State(images): State<Images>, Json(entry): Json<AliasEntry>) -> Answer {
    let url = url(&entry.name);
    images.create_alias(entry).await?;
    created(&url)
}

/// `GET` of one.
pub(crate) async fn get(
    State(images): State<Images>,
    Audience(scope): Audience,
    Path(name): Path<String>,
) -> Answer {
    let alias = images.alias_in(&name, scope)?;
    sync_tagged(sync_bytes(&alias)?, &Etag::of(&alias)?)
}

/// `PUT` of one.
pub(crate) async fn put(
    State(images): State<Images>,
    Path(name): Path<String>,
    expected: IfMatch,
    Json(entry): Json<AliasEntry>,
) -> Answer {
    check(&images, &name, &expected)?;
    let patch = AliasPatch { description: Some(entry.description), target: Some(entry.target) };
    images.update_alias(&name, patch).await?;
    done()
}

/// `PATCH` of one.
pub(crate) async fn patch(
    State(images): State<Images>,
    Path(name): Path<String>,
    expected: IfMatch,
    Json(patch): Json<AliasPatch>,
) -> Answer {
    check(&images, &name, &expected)?;
    images.update_alias(&name, patch).await?;
    done()
}

/// `POST` to one: rename.
pub(crate) async fn rename(
    State(images): State<Images>,
    Path(name): Path<String>,
    Json(post): Json<RenamePost>,
) -> Answer {
    images.rename_alias(&name, &post.name).await?;
    created(&url(&post.name))
}

/// `DELETE` of one.
pub(crate) async fn delete(State(images): State<Images>, Path(name): Path<String>) -> Answer {
    images.delete_alias(&name).await?;
    done()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_but_their_slashes_stay() {
        assert_eq!(url("debian/12"), "/1.0/images/aliases/debian/12");
        assert_eq!(url("a b?ü"), "/1.0/images/aliases/a%20b%3F%C3%BC");
    }
}
