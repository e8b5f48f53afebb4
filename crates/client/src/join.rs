//! Becoming a client that a server trusts: by password, or by a token that the server gave out.

use crate::{Client, Error};
use http::Method;
use serde::{Deserialize, Serialize};
use transport::base64;
use transport::proxy::Proxies;
use transport::{Certificate, Dialer, Trust};

/// What a server gave out for one client to join it: base 64 of a JSON object.
#[derive(Clone, Deserialize, PartialEq, Eq)]
pub struct JoinToken {
    /// What the client will be called.
    pub client_name: String,
    /// SHA-256 of the server's certificate, in hexadecimal digits.
    pub fingerprint: String,
    /// Where the server listens, as `host:port`.
    pub addresses: Vec<String>,
    secret: String,
}

impl std::fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { client_name, fingerprint, addresses, secret: _ } = self;
        write!(f, "JoinToken({client_name}, {fingerprint}, {addresses:?})")
    }
}

impl JoinToken {
    /// Reads a token; `None` when the text is something else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let token: Self = serde_json::from_slice(&base64::decode(text)?).ok()?;
        let fingerprint =
            token.fingerprint.len() == 64 && token.fingerprint.bytes().all(|byte| byte.is_ascii_hexdigit());
        (fingerprint && !token.secret.is_empty()).then_some(token)
    }
}

#[derive(Serialize)]
struct Join<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    password: &'a str,
}

impl Client {
    /// Asks the server to trust our certificate from now on. `word` is its password, or the text of a
    /// token.
    ///
    /// # Errors
    /// 403 for a wrong one.
    pub async fn join(&self, word: &str) -> Result<(), Error> {
        let join = Join { kind: "client", password: word };
        self.change(Method::POST, "/1.0/certificates", &join, None).await
    }
}

/// The certificate that whoever answers at a URL shows. Nothing vouches for it.
///
/// # Errors
/// Nobody answers, or not in TLS.
pub async fn shown_certificate(url: &str) -> Result<Certificate, Error> {
    let uri = url.parse().map_err(|_| crate::DialError::Url(url.to_owned()))?;
    let stream = Dialer::new(&Trust::Anybody, None, Proxies::from_environment())?.dial(&uri).await?;
    let shown = stream.server_certificate();
    shown.ok_or(Error::Unexpected { path: url.to_owned(), expected: "a certificate" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_and_what_is_none() {
        let fingerprint = "ab".repeat(32);
        let json = format!(
            r#"{{"client_name":"me","fingerprint":"{fingerprint}","addresses":["10.0.0.1:8443"],"secret":"s3","expires_at":"0001-01-01T00:00:00Z"}}"#
        );
        let token = JoinToken::parse(&base64::encode(json.as_bytes())).unwrap();
        assert_eq!((token.client_name.as_str(), token.addresses.len()), ("me", 1));
        assert!(!format!("{token:?}").contains("s3"));
        for text in ["foo", "1234", "10.0.0.1", "Zm9v", &base64::encode(b"{}")] {
            assert_eq!(JoinToken::parse(text), None, "{text}");
        }
    }
}
