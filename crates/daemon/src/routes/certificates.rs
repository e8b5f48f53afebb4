//! `/1.0/certificates`: which clients of the network are trusted.

use super::lists::{ListParams, answer, keep};
use crate::listen::{Caller, Permission};
use crate::wire::{
    Answer, Etag, IfMatch, Json, Params, Path, Refusal, created, done, sync_bytes, sync_tagged,
};
use api::certificates::{CertificatePut, CertificatesPost};
use axum::Extension;
use axum::extract::State;
use instance::certificates::{Certificates, check_kind};
use instance::server::Server;
use transport::Certificate;

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
    State(server): State<Server>,
    Extension(caller): Extension<Caller>,
    Json(post): Json<CertificatesPost>,
) -> Answer {
    check_kind(&post.kind)?;
    if post.restricted {
        return Err(Refusal::bad_request(
            "A certificate cannot be restricted to projects, which this server does not have; leave \"restricted\" out",
        ));
    }
    let (certificate, name) = meant(&post, &caller)?;
    if !caller.may(Permission::Manage) {
        admit(&server, &caller, post).await?;
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

/// Lets a caller in who is not trusted yet.
async fn admit(server: &Server, caller: &Caller, post: CertificatesPost) -> Result<(), Refusal> {
    let Caller::Network { peer, .. } = caller else { return Err(Refusal::forbidden()) };
    server.check_password(peer.address.ip(), post.password).await?;
    Ok(())
}

fn check(certificates: &Certificates, fingerprint: &str, expected: &IfMatch) -> Result<(), Refusal> {
    if expected.is_given() {
        expected.check(&Etag::of(&certificates.get(fingerprint)?)?)?;
    }
    Ok(())
}

/// `GET` of one.
pub(crate) async fn get(State(certificates): State<Certificates>, Path(fingerprint): Path<String>) -> Answer {
    let certificate = certificates.get(&fingerprint)?;
    sync_tagged(sync_bytes(&certificate)?, &Etag::of(&certificate)?)
}

/// `PUT` of one.
pub(crate) async fn put(
    State(certificates): State<Certificates>,
    Path(fingerprint): Path<String>,
    expected: IfMatch,
    Json(put): Json<CertificatePut>,
) -> Answer {
    check(&certificates, &fingerprint, &expected)?;
    certificates.update(&fingerprint, put, true).await?;
    done()
}

/// `PATCH` of one.
pub(crate) async fn patch(
    State(certificates): State<Certificates>,
    Path(fingerprint): Path<String>,
    expected: IfMatch,
    Json(put): Json<CertificatePut>,
) -> Answer {
    check(&certificates, &fingerprint, &expected)?;
    certificates.update(&fingerprint, put, false).await?;
    done()
}

/// `DELETE` of one.
pub(crate) async fn delete(
    State(certificates): State<Certificates>,
    Path(fingerprint): Path<String>,
) -> Answer {
    certificates.remove(&fingerprint).await?;
    done()
}
