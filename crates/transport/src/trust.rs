//! Which server is the right one.

use crate::{Certificate, Identity, signature};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};
use std::sync::{Arc, LazyLock};

/// Which server is the right one.
#[derive(Clone, Debug)]
pub enum Trust {
    /// The one with exactly this certificate, whatever it is called.
    Pinned(Certificate),
    /// One whose certificate the authorities of this system vouch for. They are read at first use;
    /// `SSL_CERT_FILE` names other ones.
    System,
    /// One that this authority vouches for, under the name it is reached by.
    Authority(Certificate),
    /// Whoever answers: only to see its certificate, before anybody is asked to trust it.
    Anybody,
}

/// A server's certificate is not the one that it was known by.
#[derive(Debug, thiserror::Error)]
#[error("the server's certificate has changed: it was {expected}, now it is {found}")]
pub struct Changed {
    /// Fingerprint of the known one.
    pub expected: String,
    /// Fingerprint of the one that was shown.
    pub found: String,
}

/// TLS 1.2 and 1.3 towards a server, with authenticated ciphers and forward secrecy only.
///
/// # Errors
/// The certificate of `identity` does not go with its key, or an authority cannot be used.
pub(crate) fn client_config(trust: &Trust, identity: Option<&Identity>) -> Result<ClientConfig, Error> {
    let verifier: Arc<dyn ServerCertVerifier> = match trust {
        Trust::Pinned(certificate) => Arc::new(Known(Some(certificate.clone()))),
        Trust::Anybody => Arc::new(Known(None)),
        Trust::System => by_authorities(Arc::clone(&SYSTEM))?,
        Trust::Authority(certificate) => {
            let mut roots = RootCertStore::empty();
            roots.add(certificate.der().clone())?;
            by_authorities(Arc::new(roots))?
        }
    };
    let config = ClientConfig::builder_with_provider(signature::provider())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    match identity {
        Some(identity) => {
            config.with_client_auth_cert(vec![identity.certificate().der().clone()], identity.key())
        }
        None => Ok(config.with_no_client_auth()),
    }
}

static SYSTEM: LazyLock<Arc<RootCertStore>> = LazyLock::new(|| {
    let mut roots = RootCertStore::empty();
    // What cannot be read vouches for nobody; the refusal then names the unknown issuer.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    Arc::new(roots)
});

fn by_authorities(roots: Arc<RootCertStore>) -> Result<Arc<dyn ServerCertVerifier>, Error> {
    let made = if roots.is_empty() {
        return Err(Error::General(
            "this system trusts no certificate authority; install the package ca-certificates".to_owned(),
        ));
    } else {
        WebPkiServerVerifier::builder_with_provider(roots, signature::provider()).build()
    };
    Ok(made.map_err(|error| Error::General(error.to_string()))?)
}

/// Accepts one certificate, or any.
#[derive(Debug)]
struct Known(Option<Certificate>);

impl ServerCertVerifier for Known {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match &self.0 {
            Some(known) if known.der() != shown => {
                let found = Certificate::from_der(shown.to_vec())
                    .map_or_else(|_| "unreadable".to_owned(), |certificate| certificate.fingerprint());
                let changed = Changed { expected: known.fingerprint(), found };
                Err(Error::Other(rustls::OtherError(Arc::new(changed))))
            }
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        signature::check(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        signature::check(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        signature::algorithms().supported_schemes()
    }

    fn root_hint_subjects(&self) -> Option<&[DistinguishedName]> {
        None
    }
}
