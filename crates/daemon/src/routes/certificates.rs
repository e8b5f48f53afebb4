//! `/1.0/certificates`: which clients of the network are trusted.

use super::lists::{ListParams, answer, keep};
use crate::app::App;
use crate::listen::{Caller, Network, Permission};
use crate::operations::Operations;
use crate::wire::{
    Answer, Etag, IfMatch, Json, Params, Path, Refusal, accepted, created, done, sync_bytes, sync_tagged,
};
use api::certificates::{CertificatePut, CertificatesPost, Token};
use axum::Extension;
use axum::extract::{FromRef, State};
use instance::certificates::{Certificates, check_kind};
use instance::server::Server;
use serde_json::{Map, json};
use std::time::Duration;
use transport::{Certificate, base64};

/// What operations that hold a token are called.
const TOKEN: &str = "Certificate add token";

/// How long a client that removes its own certificate is still connected.
const FAREWELL: Duration = Duration::from_secs(1);

fn url(fingerprint: &str) -> String {
    format!("/1.0/certificates/{fingerprint}")
}

/// `GET` of the list.
pub(crate) async fn list(
    State(certificates): State<Certificates>,
    Params(params): Params<ListParams>,
) -> Answer {
    let mut list = certificates.list();
    keep(&params.filter, &mut list)?;
    answer(params.recursion, &list, |certificate| url(&certificate.fingerprint))
}

/// `POST` to the list: trust one more. Callers that are not trusted have to know the password.
pub(crate) async fn create(
    State(certificates): State<Certificates>,
    State(tokens): State<Tokens>,
    Extension(caller): Extension<Caller>,
    Json(post): Json<CertificatesPost>,
) -> Answer {
    // Clients that come with a token leave it out.
    if !post.kind.is_empty() || decode(word(&post)).is_none() {
        check_kind(&post.kind)?;
    }
    if post.restricted {
        return Err(restricted());
    }
    if post.token {
        return if caller.may(Permission::Manage) { tokens.issue(&post) } else { Err(Refusal::forbidden()) };
    }
    let (certificate, mut name) = meant(&post, &caller)?;
    if !caller.may(Permission::Manage) {
        match tokens.admit(&post)? {
            Some(named) => name = named,
            None => admit(&tokens.server, &caller, &post).await?,
        }
    }
    let fingerprint = certificates.add(&name, certificate).await?;
    created(&url(&fingerprint))
}

/// The certificate that is to be trusted: the given one, or the caller's own.
fn meant(post: &CertificatesPost, caller: &Caller) -> Result<(Certificate, String), Refusal> {
    if !post.certificate.is_empty() {
        let certificate = Certificate::from_base64(&post.certificate)
            .map_err(|error| Refusal::bad_request(format!("Cannot read the certificate: {error}")))?;
        return Ok((certificate, post.name.clone()));
    }
    let none = || Refusal::bad_request("No client certificate provided");
    let Caller::Network { peer, .. } = caller else { return Err(none()) };
    let (_, certificate) = peer.certificate.as_ref().ok_or_else(none)?;
    let host = || peer.address.ip().to_canonical().to_string();
    let name = if post.name.is_empty() { host() } else { post.name.clone() };
    Ok((certificate.clone(), name))
}

fn restricted() -> Refusal {
    Refusal::bad_request(
        "A certificate cannot be restricted to projects, which this server does not have; leave \"restricted\" out",
    )
}

/// Makes tokens with which new clients join, and takes them back. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Tokens {
    server: Server,
    network: Network,
    operations: Operations,
}

impl FromRef<App> for Tokens {
    fn from_ref(app: &App) -> Self {
        Self { server: app.part(), network: app.part(), operations: app.part() }
    }
}

impl Tokens {
    /// Makes one: an operation that holds its secret, of which only this answer tells.
    fn issue(&self, post: &CertificatesPost) -> Answer {
        instance::certificates::check_name(&post.name)?;
        if post.name.is_empty() {
            return Err(Refusal::bad_request("A token needs the name of the client that it is for"));
        }
        let (addresses, _) = self.network.addresses();
        let certificate = self.network.certificate().filter(|_| !addresses.is_empty()).ok_or_else(|| {
            Refusal::bad_request(
                "Can't issue token when server isn't listening on network; set core.https_address first",
            )
        })?;
        let end = self.server.settings().token_expiry();
        let mut details = Map::new();
        details.insert("request".to_owned(), json!({"name": post.name, "type": post.kind}));
        if let Some(end) = end {
            details.insert("expiresAt".to_owned(), json!(end));
        }
        let seen_by_all = details.clone();
        details.insert("fingerprint".to_owned(), json!(certificate.fingerprint()));
        details.insert("addresses".to_owned(), json!(addresses));
        let life = end.map(|end| {
            Duration::from_secs(u64::try_from(end.unix() - api::Time::now().unix()).unwrap_or_default())
        });
        let operation = self.operations.issue_for(TOKEN, None, details, life).map_err(Refusal::unexpected)?;
        operation.report(seen_by_all);
        accepted(&operation)
    }

    /// The name of a client that comes with a token; `None` when it has none.
    fn admit(&self, post: &CertificatesPost) -> Result<Option<String>, Refusal> {
        let Some(Token { secret, .. }) = decode(word(post)) else { return Ok(None) };
        let details = self.operations.redeem_once(&secret, |operation| operation.description == TOKEN);
        let details = details.ok_or_else(Refusal::forbidden)?;
        let name = details.get("request").and_then(|request| request.get("name")?.as_str());
        Ok(Some(name.unwrap_or_default().to_owned()))
    }
}

/// What a client gives to be let in. Some give a password where the token belongs, others the reverse.
fn word(post: &CertificatesPost) -> &str {
    if post.trust_token.is_empty() { &post.password } else { &post.trust_token }
}

/// Reads the text of a token; `None` when it is something else, such as a password.
fn decode(text: &str) -> Option<Token> {
    let token: Token = serde_json::from_slice(&base64::decode(text)?).ok()?;
    (!token.secret.is_empty()).then_some(token)
}

/// Lets a caller in who is not trusted yet.
async fn admit(server: &Server, caller: &Caller, post: &CertificatesPost) -> Result<(), Refusal> {
    let Caller::Network { peer, .. } = caller else { return Err(Refusal::forbidden()) };
    server.check_password(peer.address.ip(), word(post).to_owned()).await?;
    Ok(())
}

fn check(certificates: &Certificates, fingerprint: &str, expected: &IfMatch) -> Result<(), Refusal> {
    if expected.is_given() {
        expected.check(&Etag::of(&certificates.get(fingerprint)?)?)?;
    }
    Ok(())
}

/// Refuses what a change of a certificate cannot change.
fn check_put(put: &CertificatePut) -> Result<(), Refusal> {
    if put.restricted { Err(restricted()) } else { Ok(()) }
}

/// `GET` of one.
pub(crate) async fn get(State(certificates): State<Certificates>, Path(fingerprint): Path<String>) -> Answer {
    let certificate = certificates.get(&fingerprint)?;
    sync_tagged(sync_bytes(&certificate)?, &Etag::of(&certificate)?)
}

/// `PUT` of one.
pub(crate) async fn put(
    state: State<Certificates>,
    Path(fingerprint): Path<String>,
    expected: IfMatch,
    Json(put): Json<CertificatePut>,
) -> Answer {
    change(state.0, &fingerprint, &expected, put, true).await
}

/// `PATCH` of one.
pub(crate) async fn patch(
    state: State<Certificates>,
    Path(fingerprint): Path<String>,
    expected: IfMatch,
    Json(put): Json<CertificatePut>,
) -> Answer {
    change(state.0, &fingerprint, &expected, put, false).await
}

async fn change(
    certificates: Certificates,
    fingerprint: &str,
    expected: &IfMatch,
    put: CertificatePut,
    replace: bool,
) -> Answer {
    check(&certificates, fingerprint, expected)?;
    check_put(&put)?;
    certificates.update(fingerprint, put, replace).await?;
    done()
}

/// `DELETE` of one.
pub(crate) async fn delete(
    State(certificates): State<Certificates>,
    State(network): State<Network>,
    Extension(caller): Extension<Caller>,
    Path(fingerprint): Path<String>,
) -> Answer {
    let removed = certificates.get(&fingerprint)?.fingerprint;
    certificates.remove(&removed).await?;
    let own = |caller: &Caller| match caller {
        Caller::Network { peer, .. } => peer.certificate.as_ref().is_some_and(|(own, _)| *own == removed),
        Caller::Local { .. } => false,
    };
    if own(&caller) {
        // Who removes itself is to get this answer.
        tokio::spawn(async move {
            tokio::time::sleep(FAREWELL).await;
            network.cut_off();
        });
    } else {
        network.cut_off();
    }
    done()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_told_from_passwords() {
        let token = Token { secret: "s".repeat(64), ..Token::default() };
        let text = base64::encode(&serde_json::to_vec(&token).unwrap());
        assert_eq!(decode(&text), Some(token));
        for password in ["", "something-secure", "Zm9v", "e30=", "bnVsbA=="] {
            assert_eq!(decode(password), None, "{password}");
        }
    }
}
