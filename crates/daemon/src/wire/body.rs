//! JSON in request bodies.

use super::Refusal;
use axum::body::Body;
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

/// The largest JSON body, in bytes.
const LIMIT: usize = 16 * 1024 * 1024;

/// A JSON body, whatever its content type says: `curl -d` calls it a form.
pub(crate) struct Json<T>(pub(crate) T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        Ok(Self(parse(&collect(request.into_body()).await?)?))
    }
}

/// Reads a whole body that should be JSON.
///
/// # Errors
/// It is too large; the client left.
pub(crate) async fn collect(body: Body) -> Result<Bytes, Refusal> {
    match Limited::new(body, LIMIT).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Refusal::too_large(format!(
            "The request's body is larger than the {} MiB that JSON may have here",
            LIMIT / 1024 / 1024
        ))),
        Err(error) => Err(Refusal::bad_request(format!("The request's body did not arrive: {error}"))),
    }
}

/// Reads JSON.
///
/// # Errors
/// It is not JSON, or not of this shape.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    if bytes.is_empty() {
        return Err(Refusal::bad_request("The request needs a JSON body"));
    }
    // A list would be taken as the fields of an object in their order, and an empty one as nothing given.
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err(Refusal::bad_request("The request's body is not a JSON object"));
    }
    serde_json::from_slice(bytes)
        .map_err(|error| Refusal::bad_request(format!("The request's body is not understood: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn put(body: Body) -> Result<api::instances::StatePut, Refusal> {
        Json::from_request(Request::new(body), &()).await.map(|Json(value)| value)
    }

    #[tokio::test]
    async fn bodies_are_read_or_refused_with_the_right_code() {
        assert_eq!(put(Body::from(r#"{"action": "stop", "timeout": 5}"#)).await.unwrap().timeout, 5);
        for bad in ["", "{", "[]", r#"["stop"]"#, "null", r#"{"action": 5}"#] {
            assert_eq!(put(Body::from(bad)).await.unwrap_err().code(), 400, "{bad}");
        }
        assert_eq!(put(Body::from(vec![b' '; LIMIT + 1])).await.unwrap_err().code(), 413);
    }
}
