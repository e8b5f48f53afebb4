//! Reading certificates; fingerprints.

use crate::base64;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::time::SystemTime;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

/// Longest certificate that is looked at, in bytes.
const LONGEST: usize = 64 * 1024;

/// One X.509 certificate (RFC 5280) that could be parsed.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate(CertificateDer<'static>);

/// A text or bytes that are no certificate.
#[derive(Debug, thiserror::Error)]
#[error("not a certificate: {reason}")]
pub struct CertificateError {
    reason: String,
}

fn wrong(reason: impl fmt::Display) -> CertificateError {
    CertificateError { reason: reason.to_string() }
}

impl Certificate {
    /// Reads the first certificate of a PEM text (RFC 7468).
    ///
    /// # Errors
    /// There is none, or it cannot be parsed.
    pub fn from_pem(text: &str) -> Result<Self, CertificateError> {
        let der = CertificateDer::from_pem_slice(text.as_bytes())
            .map_err(|_| wrong("it should begin with -----BEGIN CERTIFICATE-----"))?;
        Self::from_der(der.to_vec())
    }

    /// Reads base 64 of a certificate's binary form, perhaps in several lines; a PEM text too.
    ///
    /// # Errors
    /// It is none.
    pub fn from_base64(text: &str) -> Result<Self, CertificateError> {
        if text.trim_start().starts_with("-----BEGIN") {
            return Self::from_pem(text);
        }
        let der = base64::decode(text).ok_or_else(|| wrong("it is not written in base 64"))?;
        Self::from_der(der)
    }

    /// Reads a certificate in its binary form.
    ///
    /// # Errors
    /// It cannot be parsed, is too long, or bytes follow it.
    pub fn from_der(der: Vec<u8>) -> Result<Self, CertificateError> {
        if der.len() > LONGEST {
            return Err(wrong(format!("it is longer than {LONGEST} bytes")));
        }
        let (rest, _) = X509Certificate::from_der(&der).map_err(wrong)?;
        if !rest.is_empty() {
            return Err(wrong("something follows it"));
        }
        Ok(Self(CertificateDer::from(der)))
    }

    /// Its binary form.
    #[must_use]
    pub fn der(&self) -> &CertificateDer<'static> {
        &self.0
    }

    /// Its text form, with armour lines and a line feed at the end.
    #[must_use]
    pub fn pem(&self) -> String {
        armour("CERTIFICATE", &self.0)
    }

    /// SHA-256 of its binary form, as 64 small hexadecimal digits.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        Sha256::digest(&self.0).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The common name of its subject; empty without one.
    #[must_use]
    pub fn common_name(&self) -> String {
        let name = |parsed: &X509Certificate<'_>| {
            let mut names = parsed.subject().iter_common_name();
            names.next().and_then(|name| name.as_str().ok()).unwrap_or_default().to_owned()
        };
        self.parsed(name).unwrap_or_default()
    }

    /// The first host name that it is for.
    #[must_use]
    pub fn host_name(&self) -> Option<String> {
        self.parsed(|parsed| {
            let names = &parsed.subject_alternative_name().ok()??.value.general_names;
            names.iter().find_map(|name| match name {
                GeneralName::DNSName(name) => Some((*name).to_owned()),
                _ => None,
            })
        })?
    }

    /// Since when and until when it holds, in seconds since 1970.
    #[must_use]
    pub fn validity(&self) -> (i64, i64) {
        let seconds = |parsed: &X509Certificate<'_>| {
            (parsed.validity().not_before.timestamp(), parsed.validity().not_after.timestamp())
        };
        self.parsed(seconds).unwrap_or_default()
    }

    /// True when it holds at this time.
    #[must_use]
    pub fn holds_at(&self, time: SystemTime) -> bool {
        let now = time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let (from, to) = self.validity();
        i64::try_from(now).is_ok_and(|now| from <= now && now <= to)
    }

    fn parsed<T>(&self, read: impl FnOnce(&X509Certificate<'_>) -> T) -> Option<T> {
        // It could be parsed when it was made.
        X509Certificate::from_der(&self.0).ok().map(|(_, parsed)| read(&parsed))
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({})", self.fingerprint())
    }
}

/// Text around binary content, in lines of 64 characters (RFC 7468).
pub(crate) fn armour(label: &str, der: &[u8]) -> String {
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in base64::encode(der).as_bytes().chunks(64) {
        text.extend(line.iter().map(|byte| char::from(*byte)));
        text.push('\n');
    }
    text + &format!("-----END {label}-----\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Identity;
    use crate::identity::Role;

    #[test]
    fn what_a_certificate_says() {
        let identity = Identity::generate(Role::Server, "root@host", &["host".to_owned()]).unwrap();
        let certificate = identity.certificate();
        assert_eq!(Certificate::from_pem(&certificate.pem()).unwrap(), *certificate);
        let body: Vec<_> =
            certificate.pem().lines().filter(|line| !line.starts_with('-')).map(str::to_owned).collect();
        assert_eq!(Certificate::from_base64(&body.join("\n")).unwrap(), *certificate);
        assert_eq!(Certificate::from_base64(&body.concat()).unwrap(), *certificate);
        assert_eq!(certificate.fingerprint().len(), 64);
        assert_eq!(certificate.common_name(), "root@host");
        assert_eq!(certificate.host_name().as_deref(), Some("host"));
        assert!(certificate.holds_at(SystemTime::now()));
        assert!(!certificate.holds_at(SystemTime::UNIX_EPOCH));
    }

    #[test]
    fn what_is_none_is_refused() {
        assert!(Certificate::from_pem("hello").is_err());
        assert!(Certificate::from_der(vec![0x30, 1, 2]).is_err());
        assert!(Certificate::from_der(vec![0; LONGEST + 1]).is_err());
        let identity = Identity::generate(Role::Client, "c", &[]).unwrap();
        let mut longer = identity.certificate().der().to_vec();
        longer.push(0);
        assert!(Certificate::from_der(longer).is_err());
    }
}
