//! The URLs that containers may ask for.

use super::events;
use super::serve::Visitor;
use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Extension, Path, Request};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use instance::Kind;
use instance::guest::{Guest, NoValue};
use serde::Serialize;
use std::time::Duration;

/// The longest body of a request, in bytes.
const BODY: usize = 4096;
/// How long a request with its body may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// All URLs; requests bring a [`Visitor`] along.
pub(super) fn router() -> Router {
    Router::new()
        .route("/", get(async || json(&["/1.0"])))
        .route("/1.0", get(about).patch(patch))
        .route("/1.0/config", get(keys))
        .route("/1.0/config/{*key}", get(value))
        .route("/1.0/meta-data", get(meta_data))
        .route("/1.0/devices", get(devices))
        .route("/1.0/events", get(events::listen))
        .fallback(async || refusal(StatusCode::NOT_FOUND, "not found"))
        .method_not_allowed_fallback(async || refusal(StatusCode::NOT_IMPLEMENTED, "not implemented"))
        .layer(DefaultBodyLimit::max(BODY))
        .layer(from_fn(owners_only))
}

/// Only the container's own root is answered, whatever is asked.
async fn owners_only(mut request: Request, next: Next) -> Response {
    let Some(Visitor::Owner(guest)) = request.extensions_mut().remove::<Visitor>() else {
        return refusal(StatusCode::UNAUTHORIZED, "not authorized");
    };
    request.extensions_mut().insert(guest);
    tokio::time::timeout(PATIENCE, next.run(request))
        .await
        .unwrap_or_else(|_| refusal(StatusCode::REQUEST_TIMEOUT, "too slow"))
}

/// A sentence with a code.
pub(super) fn refusal(code: StatusCode, text: &str) -> Response {
    answer(code, "text/plain; charset=utf-8", format!("{text}\n").into())
}

fn answer(code: StatusCode, kind: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = code;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

fn json<T: Serialize + ?Sized>(object: &T) -> Response {
    match serde_json::to_vec(object) {
        Ok(text) => answer(StatusCode::OK, "application/json", text.into()),
        Err(error) => refusal(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

async fn about(Extension(guest): Extension<Guest>) -> Response {
    json(&guest.about())
}

async fn patch(Extension(guest): Extension<Guest>, body: Bytes) -> Response {
    let patch = match serde_json::from_slice(&body) {
        Ok(patch) => patch,
        Err(error) => return refusal(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    match guest.patch(patch).await {
        Ok(()) => answer(StatusCode::OK, "application/json", Body::empty()),
        Err(error) if error.kind() == Kind::BadRequest => {
            refusal(StatusCode::BAD_REQUEST, &error.to_string())
        }
        Err(error) => {
            // What the host's disks complain about is not for containers to know.
            tracing::warn!(error = %error.story(), "cannot keep what a container said");
            refusal(StatusCode::INTERNAL_SERVER_ERROR, "internal error")
        }
    }
}

async fn keys(Extension(guest): Extension<Guest>) -> Response {
    let urls: Vec<String> = guest.keys().iter().map(|key| format!("/1.0/config/{key}")).collect();
    json(&urls)
}

async fn value(Extension(guest): Extension<Guest>, Path(key): Path<String>) -> Response {
    match guest.value(&key) {
        Ok(value) => answer(StatusCode::OK, "application/octet-stream", value.into()),
        Err(NoValue::Forbidden) => refusal(StatusCode::FORBIDDEN, "not authorized"),
        Err(NoValue::Unset) => refusal(StatusCode::NOT_FOUND, "not found"),
    }
}

async fn meta_data(Extension(guest): Extension<Guest>) -> Response {
    answer(StatusCode::OK, "text/plain; charset=utf-8", guest.meta_data().into())
}

async fn devices(Extension(guest): Extension<Guest>) -> Response {
    json(&guest.devices())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tower::ServiceExt as _;

    #[tokio::test]
    async fn strangers_get_one_answer_to_everything() {
        for path in ["/", "/1.0", "/1.0/config/user.x", "/nothing"] {
            for visitor in [Some(Visitor::Stranger), None] {
                let mut request = http::Request::builder().uri(path).body(Body::empty()).unwrap();
                if let Some(visitor) = visitor {
                    request.extensions_mut().insert(visitor);
                }
                assert_eq!(router().oneshot(request).await.unwrap().status(), 401, "{path}");
            }
        }
    }
}
