//! `/1.0/certificates` (`rest-api` §6).

use crate::null_default;
use serde::{Deserialize, Serialize};

/// A client that is trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Certificate {
    /// What its owner calls it.
    pub name: String,
    /// `client`.
    #[serde(rename = "type")]
    pub kind: String,
    /// PEM text.
    pub certificate: String,
    /// SHA-256 of the binary form, in small hexadecimal digits.
    pub fingerprint: String,
}

/// `POST /1.0/certificates`: trust somebody, or make a token for somebody.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CertificatesPost {
    /// What to call it.
    #[serde(deserialize_with = "null_default")]
    pub name: String,
    /// `client`.
    #[serde(rename = "type", deserialize_with = "null_default")]
    pub kind: String,
    /// Base 64 of the binary form; empty for the one that the caller shows.
    #[serde(deserialize_with = "null_default")]
    pub certificate: String,
    /// The trust password, or a token, of a caller that is not trusted.
    #[serde(deserialize_with = "null_default", skip_serializing_if = "String::is_empty")]
    pub password: String,
    /// A token of a caller that is not trusted.
    #[serde(deserialize_with = "null_default", skip_serializing_if = "String::is_empty")]
    pub trust_token: String,
    /// Make a token instead of adding a certificate.
    #[serde(deserialize_with = "null_default", skip_serializing_if = "std::ops::Not::not")]
    pub token: bool,
    /// Allow some projects only; there are none here.
    #[serde(deserialize_with = "null_default", skip_serializing_if = "std::ops::Not::not")]
    pub restricted: bool,
}

/// `PUT` and `PATCH` of one; what is absent in a `PATCH` stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CertificatePut {
    /// Its new name.
    pub name: Option<String>,
    /// `client`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Allow some projects only; there are none here.
    #[serde(deserialize_with = "null_default")]
    pub restricted: bool,
}

/// What a token says, as JSON in base 64: how a new client finds the server and is let in once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Token {
    /// What the client will be called.
    pub client_name: String,
    /// The server's certificate.
    pub fingerprint: String,
    /// Where the server listens: `host:port`.
    #[serde(deserialize_with = "null_default")]
    pub addresses: Vec<String>,
    /// Lets one client in.
    pub secret: String,
    /// Until when; absent for no end.
    #[serde(skip_serializing_if = "never")]
    pub expires_at: crate::Time,
}

fn never(time: &crate::Time) -> bool {
    !time.is_set()
}
