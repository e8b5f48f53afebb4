//! Clients that a server trusts.

use crate::{Client, Error, encode_segment};
use api::certificates::{Certificate, CertificatesPost, Token};
use api::{StatusCode, Time};
use http::Method;
use transport::base64;

/// The class of operations that hold a token.
const TOKEN: &str = "token";

/// What a certificate says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateDetails {
    /// Whose it is.
    pub common_name: String,
    /// Since when it holds.
    pub issued: Time,
    /// Until when it holds.
    pub expires: Time,
}

/// A token that nobody has used yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingToken {
    /// What its client will be called.
    pub name: String,
    /// The operation that holds it.
    pub operation: String,
    /// Until when it is good; unset for no end.
    pub expires_at: Time,
}

/// What the certificate of an entry says about itself; `None` when it cannot be read.
#[must_use]
pub fn certificate_details(entry: &Certificate) -> Option<CertificateDetails> {
    let certificate = transport::Certificate::from_pem(&entry.certificate).ok()?;
    let (issued, expires) = certificate.validity();
    Some(CertificateDetails {
        common_name: certificate.common_name(),
        issued: Time::from_unix(issued),
        expires: Time::from_unix(expires),
    })
}

impl Client {
    /// All clients that the server trusts.
    ///
    /// # Errors
    /// As for every request.
    pub async fn certificates(&self) -> Result<Vec<Certificate>, Error> {
        self.get("/1.0/certificates?recursion=1").await
    }

    /// Makes the server trust whoever holds this certificate.
    ///
    /// # Errors
    /// 400 when it is trusted already.
    pub async fn trust(&self, name: &str, certificate: &transport::Certificate) -> Result<(), Error> {
        let post = CertificatesPost {
            name: name.to_owned(),
            kind: "client".to_owned(),
            certificate: base64::encode(certificate.der()),
            ..CertificatesPost::default()
        };
        self.change(Method::POST, "/1.0/certificates", &post, None).await
    }

    /// Makes the server trust a client no more, by the beginning of its fingerprint.
    ///
    /// # Errors
    /// 404 unknown, 400 when several begin so.
    pub async fn distrust(&self, fingerprint: &str) -> Result<(), Error> {
        self.remove(&format!("/1.0/certificates/{}", encode_segment(fingerprint))).await
    }

    /// Makes a token with which one client can join the server; its text.
    ///
    /// # Errors
    /// 400 when the server does not listen to the network.
    pub async fn join_token(&self, name: &str) -> Result<String, Error> {
        let path = "/1.0/certificates";
        let post = CertificatesPost {
            name: name.to_owned(),
            kind: "client".to_owned(),
            token: true,
            ..CertificatesPost::default()
        };
        let pending = self.begin(Method::POST, path, &post, None).await?;
        let metadata = serde_json::Value::Object(pending.operation.metadata.unwrap_or_default());
        let unexpected = || Error::Unexpected { path: path.to_owned(), expected: "a token" };
        let mut token: Token = serde_json::from_value(metadata.clone()).map_err(|_| unexpected())?;
        if token.secret.is_empty() {
            return Err(unexpected());
        }
        token.client_name = name.to_owned();
        let expires_at = metadata.get("expiresAt").cloned().unwrap_or_default();
        token.expires_at = serde_json::from_value(expires_at).unwrap_or_default();
        Ok(base64::encode(&serde_json::to_vec(&token).map_err(|_| unexpected())?))
    }

    /// Tokens that nobody has used yet, by name.
    ///
    /// # Errors
    /// As for every request.
    pub async fn waiting_tokens(&self) -> Result<Vec<WaitingToken>, Error> {
        let operations = self.operations().await?;
        let tokens =
            operations.into_iter().filter(|o| o.class == TOKEN && o.status_code == StatusCode::Running);
        let mut tokens: Vec<WaitingToken> = tokens
            .filter_map(|operation| {
                let metadata = operation.metadata?;
                let expires_at = metadata.get("expiresAt").cloned().unwrap_or_default();
                Some(WaitingToken {
                    name: metadata.get("request")?.get("name")?.as_str()?.to_owned(),
                    operation: operation.id,
                    expires_at: serde_json::from_value(expires_at).unwrap_or_default(),
                })
            })
            .collect();
        tokens.sort_by(|a, b| (&a.name, &a.operation).cmp(&(&b.name, &b.operation)));
        Ok(tokens)
    }
}
