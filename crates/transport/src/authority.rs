//! Clients that an authority of one's own vouches for: its certificate, and its list of revoked ones.

use crate::certificate::CertificateError;
use crate::{Certificate, signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, TrustAnchor, UnixTime};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use webpki::{
    CertRevocationList, EndEntityCert, KeyUsage, OwnedCertRevocationList, RevocationOptionsBuilder,
    UnknownStatusPolicy,
};

/// Who vouches for clients.
#[derive(Debug)]
pub struct Authority {
    anchor: TrustAnchor<'static>,
    revoked: Option<CertRevocationList<'static>>,
}

/// Files of an authority that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// One cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The certificate is none.
    #[error("{}: {source}", path.display())]
    Certificate {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: CertificateError,
    },
    /// The certificate or the list cannot be used.
    #[error("{} cannot be used: {reason}", path.display())]
    Unusable {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

impl Authority {
    /// Reads the certificate of an authority and, if that file exists, its list of revoked certificates
    /// (PEM or DER). `None` when there is no certificate.
    ///
    /// # Errors
    /// A file cannot be read or used.
    pub fn load(certificate: &Path, revoked: &Path) -> Result<Option<Self>, AuthorityError> {
        let Some(text) = read(certificate)? else { return Ok(None) };
        let failed = |source| AuthorityError::Certificate { path: certificate.to_owned(), source };
        let text = String::from_utf8_lossy(&text);
        let parsed = Certificate::from_pem(&text).map_err(failed)?;
        let unusable = |path: &Path, error: &dyn std::fmt::Display| AuthorityError::Unusable {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        let anchor = webpki::anchor_from_trusted_cert(parsed.der())
            .map_err(|error| unusable(certificate, &error))?
            .to_owned();
        let list = match read(revoked)? {
            None => None,
            Some(bytes) => {
                let der =
                    CertificateRevocationListDer::from_pem_slice(&bytes).map_or(bytes, |der| der.to_vec());
                let list =
                    OwnedCertRevocationList::from_der(&der).map_err(|error| unusable(revoked, &error))?;
                Some(CertRevocationList::Owned(list))
            }
        };
        Ok(Some(Self { anchor, revoked: list }))
    }

    /// Whether it vouches for the first certificate of a chain as a client's, at this time, and has not
    /// revoked it. The others lead to it.
    #[must_use]
    pub fn vouches(&self, chain: &[Certificate], time: SystemTime) -> bool {
        let Some((first, others)) = chain.split_first() else { return false };
        let Ok(certificate) = EndEntityCert::try_from(first.der()) else { return false };
        let others: Vec<CertificateDer<'_>> = others.iter().map(|other| other.der().clone()).collect();
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let lists: Vec<&CertRevocationList<'_>> = self.revoked.iter().collect();
        let revocation = RevocationOptionsBuilder::new(&lists)
            .ok()
            // A list is about what its authority signed itself.
            .map(|options| options.with_status_policy(UnknownStatusPolicy::Allow).build());
        let path = certificate.verify_for_usage(
            signature::algorithms().all,
            std::slice::from_ref(&self.anchor),
            &others,
            UnixTime::since_unix_epoch(since),
            KeyUsage::client_auth(),
            revocation,
            None,
        );
        path.is_ok()
    }
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, AuthorityError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(AuthorityError::Read { path: path.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{
        BasicConstraints, CertificateParams, CertificateRevocationListParams, ExtendedKeyUsagePurpose, IsCa,
        Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber,
    };
    use std::time::Duration;

    struct Made {
        issuer: Issuer<'static, KeyPair>,
        pem: String,
    }

    fn authority(name: &str) -> Made {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Made { issuer: Issuer::new(params, key), pem }
    }

    fn client(by: &Made, serial: u64) -> Certificate {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.serial_number = Some(SerialNumber::from(serial));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        Certificate::from_der(params.signed_by(&key, &by.issuer).unwrap().der().to_vec()).unwrap()
    }

    fn revocation(by: &Made, serial: u64) -> String {
        let now = SystemTime::now();
        let params = CertificateRevocationListParams {
            this_update: now.into(),
            next_update: (now + Duration::from_secs(3600)).into(),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: vec![RevokedCertParams {
                serial_number: SerialNumber::from(serial),
                revocation_time: now.into(),
                reason_code: None,
                invalidity_date: None,
            }],
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&by.issuer).unwrap().pem().unwrap()
    }

    #[test]
    fn it_vouches_for_what_it_signed_and_did_not_revoke() {
        let directory = tempfile::tempdir().unwrap();
        let (ca, crl) = (directory.path().join("server.ca"), directory.path().join("ca.crl"));
        assert!(Authority::load(&ca, &crl).unwrap().is_none());
        let (ours, others) = (authority("ours"), authority("others"));
        std::fs::write(&ca, &ours.pem).unwrap();
        let (good, bad, stranger) = (client(&ours, 7), client(&ours, 8), client(&others, 7));
        let alone = crate::Identity::generate(crate::identity::Role::Client, "c", &[]).unwrap();
        let vouches = |certificate: &Certificate| {
            let authority = Authority::load(&ca, &crl).unwrap().unwrap();
            authority.vouches(std::slice::from_ref(certificate), SystemTime::now())
        };
        assert!(vouches(&good) && vouches(&bad));
        assert!(!vouches(&stranger) && !vouches(alone.certificate()));
        std::fs::write(&crl, revocation(&ours, 8)).unwrap();
        assert!(vouches(&good) && !vouches(&bad) && !vouches(&stranger));
        let late = SystemTime::now() + Duration::from_secs(5000 * 365 * 24 * 3600);
        let loaded = Authority::load(&ca, &crl).unwrap().unwrap();
        assert!(!loaded.vouches(&[good], late) && !loaded.vouches(&[], SystemTime::now()));
        std::fs::write(&crl, "nonsense").unwrap();
        assert!(matches!(Authority::load(&ca, &crl), Err(AuthorityError::Unusable { .. })));
        std::fs::write(&ca, "nonsense").unwrap();
        assert!(matches!(Authority::load(&ca, &crl), Err(AuthorityError::Certificate { .. })));
    }
}
