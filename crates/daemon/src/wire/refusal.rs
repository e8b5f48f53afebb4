//! Error answers: the one place where reasons become HTTP codes.

use api::ErrorBody;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use instance::Kind;

/// An answer that says why not.
#[derive(Debug)]
pub(crate) struct Refusal {
    code: StatusCode,
    text: String,
}

impl Refusal {
    fn new(code: StatusCode, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }

    /// 400: the request cannot be carried out as it is.
    pub(crate) fn bad_request(text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, text)
    }

    /// 403, without saying more.
    pub(crate) fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, "not authorized")
    }

    /// 404, without saying more.
    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not found")
    }

    /// 404 with a sentence.
    pub(crate) fn missing(text: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, text)
    }

    /// 412: the object changed since it was read.
    pub(crate) fn changed(given: &str, current: &str) -> Self {
        Self::new(StatusCode::PRECONDITION_FAILED, format!("ETag doesn't match: {given} vs {current}"))
    }

    /// 413.
    pub(crate) fn too_large(text: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, text)
    }

    /// 416: a part of a file that it does not have.
    pub(crate) fn range(text: impl Into<String>) -> Self {
        Self::new(StatusCode::RANGE_NOT_SATISFIABLE, text)
    }

    /// 501 for a method that a URL does not have.
    pub(crate) fn method() -> Self {
        Self::new(StatusCode::NOT_IMPLEMENTED, "not implemented")
    }

    /// 501 for what this version cannot do yet; `what` follows "This version cannot".
    pub(crate) fn later(what: &str) -> Self {
        Self::new(StatusCode::NOT_IMPLEMENTED, format!("not implemented: this version cannot {what} yet"))
    }

    /// 503: the daemon is going down.
    pub(crate) fn stopping() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "LXD is shutting down: try again when it is back")
    }

    /// 500 with a sentence.
    pub(crate) fn internal(text: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, text)
    }

    /// 500 for what should not be possible.
    pub(crate) fn unexpected(error: impl std::fmt::Display) -> Self {
        Self::internal(error.to_string())
    }

    /// Its HTTP code.
    #[cfg(test)]
    pub(crate) fn code(&self) -> u16 {
        self.code.as_u16()
    }
}

impl From<instance::Error> for Refusal {
    fn from(error: instance::Error) -> Self {
        let code = match error.kind() {
            Kind::BadRequest => StatusCode::BAD_REQUEST,
            Kind::Forbidden => StatusCode::FORBIDDEN,
            Kind::NotFound => StatusCode::NOT_FOUND,
            Kind::Conflict => StatusCode::CONFLICT,
            Kind::Precondition => StatusCode::PRECONDITION_FAILED,
            Kind::TooOften => StatusCode::TOO_MANY_REQUESTS,
            Kind::NotImplemented => StatusCode::NOT_IMPLEMENTED,
            Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(code, error.story())
    }
}

impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::NotFound => Self::not_found(),
            std::io::ErrorKind::PermissionDenied => Self::forbidden(),
            _ => Self::internal(error.to_string()),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        if self.code == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::warn!(error = self.text, "a request failed");
        }
        let body = ErrorBody { kind: "error".to_owned(), error: self.text, error_code: self.code.as_u16() };
        // A structure of strings and a number: this cannot fail.
        let bytes = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = Response::new(bytes.into());
        *response.status_mut() = self.code;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;

    #[tokio::test]
    async fn errors_look_as_clients_expect() {
        let response = Refusal::not_found().into_response();
        assert_eq!(response.status(), 404);
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let body: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(body, serde_json::json!({"type": "error", "error": "not found", "error_code": 404}));
    }
}
