//! The envelopes of answers that say yes.

use super::{Answer, Etag, Refusal};
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

const SYNC: &[u8] = br#"{"type":"sync","status":"Success","status_code":200,"operation":"","error_code":0,"error":"","metadata":"#;

fn json(code: StatusCode, body: Bytes) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = code;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The whole text of a synchronous answer.
///
/// # Errors
/// None for our own types.
pub(crate) fn sync_bytes<T: Serialize + ?Sized>(metadata: &T) -> Result<Bytes, Refusal> {
    let mut body = Vec::with_capacity(1024);
    body.extend_from_slice(SYNC);
    serde_json::to_writer(&mut body, metadata).map_err(Refusal::unexpected)?;
    body.push(b'}');
    Ok(body.into())
}

/// 200 with an object.
///
/// # Errors
/// None for our own types.
pub(crate) fn sync<T: Serialize + ?Sized>(metadata: &T) -> Answer {
    Ok(json(StatusCode::OK, sync_bytes(metadata)?))
}

/// 200 with the text of a synchronous answer and the tag of the object in it.
///
/// # Errors
/// None for our own types.
pub(crate) fn sync_tagged(body: Bytes, tag: &Etag) -> Answer {
    let mut response = json(StatusCode::OK, body);
    response.headers_mut().insert(header::ETAG, tag.header()?);
    Ok(response)
}

/// 200 without an object.
///
/// # Errors
/// None.
pub(crate) fn done() -> Answer {
    let mut body = Vec::with_capacity(SYNC.len() + 3);
    body.extend_from_slice(SYNC);
    body.extend_from_slice(b"{}}");
    Ok(json(StatusCode::OK, body.into()))
}

/// 201 with the URL of what was made.
///
/// # Errors
/// A URL that does not fit a header.
pub(crate) fn created(url: &str) -> Answer {
    let mut response = json(StatusCode::CREATED, sync_bytes(&())?);
    response.headers_mut().insert(header::LOCATION, location(url)?);
    Ok(response)
}

/// 202 with an operation that runs.
///
/// # Errors
/// None for our own types.
pub(crate) fn accepted(operation: &crate::operations::Operation) -> Answer {
    #[derive(Serialize)]
    struct Envelope<'a> {
        #[serde(rename = "type")]
        kind: &'static str,
        status: &'static str,
        status_code: u16,
        operation: &'a str,
        error_code: u16,
        error: &'static str,
        metadata: &'a api::operations::Operation,
    }
    let (url, object) = (operation.url(), operation.view_of_creator());
    let status = api::StatusCode::OperationCreated;
    let body = serde_json::to_vec(&Envelope {
        kind: "async",
        status: status.text(),
        status_code: status.code(),
        operation: &url,
        error_code: 0,
        error: "",
        metadata: &object,
    })
    .map_err(Refusal::unexpected)?;
    let mut response = json(StatusCode::ACCEPTED, body.into());
    response.headers_mut().insert(header::LOCATION, location(&url)?);
    Ok(response)
}

fn location(url: &str) -> Result<HeaderValue, Refusal> {
    HeaderValue::from_str(url).map_err(Refusal::unexpected)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;

    async fn body(response: Response) -> serde_json::Value {
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        serde_json::from_slice(&bytes).unwrap()
    }

    #[tokio::test]
    async fn every_kind_of_answer_has_its_keys() {
        let expected = |metadata: serde_json::Value| {
            serde_json::json!({"type": "sync", "status": "Success", "status_code": 200, "operation": "",
                "error_code": 0, "error": "", "metadata": metadata})
        };
        assert_eq!(body(sync(&["/1.0"]).unwrap()).await, expected(serde_json::json!(["/1.0"])));
        assert_eq!(body(done().unwrap()).await, expected(serde_json::json!({})));
        let made = created("/1.0/profiles/p1").unwrap();
        assert_eq!(
            (made.status().as_u16(), &made.headers()["location"]),
            (201, &HeaderValue::from_static("/1.0/profiles/p1"))
        );
        assert_eq!(body(made).await, expected(serde_json::Value::Null));
    }
}
