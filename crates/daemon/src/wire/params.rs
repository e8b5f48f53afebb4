//! Names and parameters in URLs.

use super::Refusal;
use axum::extract::{FromRequestParts, Query};
use http::request::Parts;
use serde::de::DeserializeOwned;

/// Names in the path, percent-decoded one by one.
pub(crate) struct Path<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(names)) => Ok(Self(names)),
            Err(error) => Err(Refusal::bad_request(format!("Bad name in the URL: {error}"))),
        }
    }
}

/// Parameters after the question mark; unknown ones are ignored.
pub(crate) struct Params<T>(pub(crate) T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        match Query::<T>::try_from_uri(&parts.uri) {
            Ok(Query(params)) => Ok(Self(params)),
            Err(error) => Err(Refusal::bad_request(format!("Bad parameters in the URL: {error}"))),
        }
    }
}

/// How much of each object a list shows. Values that are not known count as 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(from = "String")]
pub(crate) enum Recursion {
    /// URLs.
    #[default]
    Urls,
    /// Objects.
    Objects,
    /// Objects with everything beside them.
    Everything,
}

impl From<String> for Recursion {
    fn from(text: String) -> Self {
        match text.as_str() {
            "1" => Self::Objects,
            "2" => Self::Everything,
            _ => Self::Urls,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize, Debug, PartialEq)]
    struct Example {
        #[serde(default)]
        recursion: Recursion,
        #[serde(default)]
        filter: String,
    }

    async fn parse(uri: &str) -> Result<Example, Refusal> {
        let mut parts = http::Request::get(uri).body(()).unwrap().into_parts().0;
        Params::<Example>::from_request_parts(&mut parts, &()).await.map(|Params(params)| params)
    }

    #[tokio::test]
    async fn parameters_are_decoded_and_unknown_ones_ignored() {
        let params = parse("/x?filter=name+eq%20c1&recursion=2&project=default").await.unwrap();
        assert_eq!(params, Example { recursion: Recursion::Everything, filter: "name eq c1".to_owned() });
        assert_eq!(parse("/x?").await.unwrap().recursion, Recursion::Urls);
        assert_eq!(parse("/x?recursion=yes").await.unwrap().recursion, Recursion::Urls);
    }
}
