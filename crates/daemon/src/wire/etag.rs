//! Tags of objects: SHA-256 of what can be changed in them, so that nobody overwrites what they have not seen.

use super::Refusal;
use axum::extract::FromRequestParts;
use http::{HeaderValue, header, request::Parts};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

/// The tag of an object.
#[derive(Debug, PartialEq, Eq, Clone)]
pub(crate) struct Etag(String);

impl Etag {
    /// The tag of an object whose changeable fields are `fields`. Maps are sorted, so equal fields
    /// have equal tags.
    ///
    /// # Errors
    /// None for our own types.
    pub(crate) fn of<T: Serialize>(fields: &T) -> Result<Self, Refusal> {
        let json = serde_json::to_vec(fields).map_err(Refusal::unexpected)?;
        let mut text = String::with_capacity(64);
        for byte in Sha256::digest(&json) {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        Ok(Self(text))
    }

    /// As a header's value.
    ///
    /// # Errors
    /// None: hexadecimal digits.
    pub(crate) fn header(&self) -> Result<HeaderValue, Refusal> {
        HeaderValue::from_str(&self.0).map_err(Refusal::unexpected)
    }
}

/// What a request expects the object to be like.
#[derive(Debug, Default)]
pub(crate) struct IfMatch(Option<String>);

impl IfMatch {
    /// Refuses the request if it expects another object than the one tagged `current`.
    ///
    /// # Errors
    /// 412.
    pub(crate) fn check(&self, current: &Etag) -> Result<(), Refusal> {
        match &self.0 {
            Some(given) if given.trim_matches('"') != current.0 && given != "*" => {
                Err(Refusal::changed(given, &current.0))
            }
            _ => Ok(()),
        }
    }

    /// Whether there is anything to check.
    pub(crate) fn is_given(&self) -> bool {
        self.0.is_some()
    }
}

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let Some(value) = parts.headers.get(header::IF_MATCH) else {
            return Ok(Self(None));
        };
        let text = value.to_str().map_err(|_| Refusal::bad_request("The If-Match header is not text"))?;
        Ok(Self((!text.is_empty()).then(|| text.to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn equal_fields_have_equal_tags() {
        let one = Etag::of(&BTreeMap::from([("a", "1"), ("b", "2")])).unwrap();
        assert_eq!(one, Etag::of(&BTreeMap::from([("b", "2"), ("a", "1")])).unwrap());
        assert_ne!(one, Etag::of(&BTreeMap::from([("a", "1")])).unwrap());
        assert_eq!(one.0.len(), 64);
    }

    #[test]
    fn only_another_tag_is_refused() {
        let tag = Etag::of(&1).unwrap();
        for given in [None, Some(tag.0.clone()), Some(format!("\"{}\"", tag.0)), Some("*".to_owned())] {
            assert!(IfMatch(given).check(&tag).is_ok());
        }
        assert_eq!(IfMatch(Some("x".to_owned())).check(&tag).unwrap_err().code(), 412);
    }
}
