//! A door for one image of another server: opened by somebody who manages this one, passed once by
//! whoever shows its secret.

use crate::operations::{Operations, image as about};
use crate::wire::{Answer, Refusal, accepted};
use api::images::{HEADER_FINGERPRINT, HEADER_SECRET, ImageAlias, ImagesPost};
use http::HeaderMap;
use instance::images::{Description, Images};
use serde_json::{Map, Value, json};

/// What operations are called that hold such a door's secret.
const DOOR: &str = "Image upload token";

/// Opens one for what the request says: an operation that holds its secret. Everything about the image
/// is settled now; its bearer brings bytes and a file name, no more.
pub(crate) fn open(images: &Images, operations: &Operations, post: &ImagesPost) -> Answer {
    if post.auto_update {
        return Err(Refusal::bad_request(
            "Only an image that this server fetches itself (mode \"pull\") can be kept up to date",
        ));
    }
    let fingerprint = &post.source.fingerprint;
    images.check_coming(fingerprint, &post.aliases)?;
    let mut details = Map::new();
    details.insert("fingerprint".to_owned(), json!(fingerprint));
    details.insert("public".to_owned(), json!(post.public));
    details.insert("properties".to_owned(), json!(post.properties));
    details.insert("aliases".to_owned(), json!(post.aliases));
    let issued = operations.issue(DOOR, about(fingerprint), details);
    accepted(&*issued.map_err(Refusal::unexpected)?)
}

/// Passes the door whose secret a request shows, if it shows one: what is known about its image. The
/// secret is worth nothing afterwards, whatever becomes of the image.
///
/// # Errors
/// The secret is wrong, used, or of another image.
pub(crate) fn pass(operations: &Operations, headers: &HeaderMap) -> Result<Option<Description>, Refusal> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (secret, fingerprint) = (text(HEADER_SECRET), text(HEADER_FINGERPRINT));
    if secret.is_empty() {
        return Ok(None);
    }
    let resources = about(fingerprint);
    let details = operations
        .redeem_once(secret, |operation| operation.description == DOOR && operation.resources == resources);
    details.map(|details| Some(description(details))).ok_or_else(Refusal::forbidden)
}

fn description(mut details: Map<String, Value>) -> Description {
    fn read<T: serde::de::DeserializeOwned + Default>(value: Option<Value>) -> T {
        value.and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default()
    }
    Description {
        filename: String::new(),
        public: read(details.remove("public")),
        properties: read(details.remove("properties")),
        expected_fingerprint: Some(read(details.remove("fingerprint"))),
        aliases: read::<Vec<ImageAlias>>(details.remove("aliases")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::Hub;

    #[tokio::test]
    async fn a_door_is_passed_once_with_its_own_image() {
        let operations = Operations::new(Hub::new());
        let (ours, other) = ("a".repeat(64), "b".repeat(64));
        let mut details = Map::new();
        details.insert("fingerprint".to_owned(), json!(ours));
        details.insert("public".to_owned(), json!(true));
        details.insert("properties".to_owned(), json!({"os": "x"}));
        details.insert("aliases".to_owned(), json!([{"name": "n", "description": "d"}]));
        let door = operations.issue(DOOR, about(&ours), details).unwrap();
        let download = operations.issue("Image download token", about(&ours), Map::new()).unwrap();
        let secret = |operation: &crate::operations::Operation| {
            operation.view_of_creator().metadata.clone().unwrap()["secret"].as_str().unwrap().to_owned()
        };
        let come = |fingerprint: &str, secret: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(HEADER_FINGERPRINT, fingerprint.parse().unwrap());
            headers.insert(HEADER_SECRET, secret.parse().unwrap());
            pass(&operations, &headers)
        };
        assert!(pass(&operations, &HeaderMap::new()).unwrap().is_none());
        assert!(come(&other, &secret(&door)).is_err());
        assert!(come(&ours, &secret(&download)).is_err());
        assert!(come(&ours, &"0".repeat(64)).is_err());
        let told = come(&ours, &secret(&door)).unwrap().unwrap();
        assert!(told.public && told.properties["os"] == "x" && told.aliases[0].name == "n");
        assert_eq!(told.expected_fingerprint, Some(ours.clone()));
        assert!(come(&ours, &secret(&door)).is_err());
    }
}
