//! A certificate with its key: made, kept, loaded.

use crate::Certificate;
use crate::certificate::CertificateError;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How long a certificate of ours holds: ten years.
const HOLDS: Duration = Duration::from_secs(3650 * 24 * 3600);

/// What a certificate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// To be connected to.
    Server,
    /// To connect with.
    Client,
}

/// A certificate with its key.
#[derive(Debug)]
pub struct Identity {
    certificate: Certificate,
    key: PrivateKeyDer<'static>,
}

/// A certificate or key that cannot be made or used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// Making one failed.
    #[error("cannot make a certificate")]
    Make(#[from] rcgen::Error),
    /// A file cannot be read or written.
    #[error("cannot {verb} {path}", path = path.display())]
    File {
        /// "read" or "write".
        verb: &'static str,
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// It is no private key.
    #[error("not a private key: it should begin with -----BEGIN PRIVATE KEY----- or the like")]
    Key,
    /// There is one file without the other.
    #[error("{there} is there but not {missing}; put it back, or remove both to have new ones made", there = there.display(), missing = missing.display())]
    Half {
        /// The one that exists.
        there: PathBuf,
        /// The one that does not.
        missing: PathBuf,
    },
}

impl Identity {
    /// Makes a self-signed certificate with a P-384 key. `names` are host names and addresses; servers
    /// are known by the first host name, so there should be one.
    ///
    /// # Errors
    /// A name is not one that a certificate can hold.
    pub fn generate(role: Role, common_name: &str, names: &[String]) -> Result<Self, IdentityError> {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384)?;
        let mut params = CertificateParams::new(names)?;
        let now = SystemTime::now();
        (params.not_before, params.not_after) = (now.into(), (now + HOLDS).into());
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "linuxcontainers.org");
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        params.extended_key_usages = vec![match role {
            Role::Server => ExtendedKeyUsagePurpose::ServerAuth,
            Role::Client => ExtendedKeyUsagePurpose::ClientAuth,
        }];
        let certificate = Certificate::from_der(params.self_signed(&key)?.der().to_vec())?;
        let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(|_| IdentityError::Key)?;
        Ok(Self { certificate, key })
    }

    /// Reads PEM texts.
    ///
    /// # Errors
    /// One of them is not what it should be.
    pub fn from_pem(certificate: &str, key: &str) -> Result<Self, IdentityError> {
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| IdentityError::Key)?;
        Ok(Self { certificate: Certificate::from_pem(certificate)?, key })
    }

    /// Reads `NAME.crt` and `NAME.key` of a directory; `None` when there are none.
    ///
    /// # Errors
    /// There is only one of them, or they cannot be read.
    pub fn load(directory: &Path, name: &str) -> Result<Option<Self>, IdentityError> {
        let path = |end| directory.join(format!("{name}.{end}"));
        match (read(&path("crt"))?, read(&path("key"))?) {
            (Some(certificate), Some(key)) => Self::from_pem(&certificate, &key).map(Some),
            (None, None) => Ok(None),
            (Some(_), None) => Err(IdentityError::Half { there: path("crt"), missing: path("key") }),
            // The key is written first: an interrupted `save` ends here and nobody knows the certificate.
            (None, Some(_)) => Ok(None),
        }
    }

    /// Writes `NAME.crt` (0644) and `NAME.key` (0600) so that they are there whole or not at all.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn save(&self, directory: &Path, name: &str) -> Result<(), IdentityError> {
        let key = crate::certificate::armour(self.key_label(), self.key.secret_der());
        write(&directory.join(format!("{name}.key")), &key, 0o600)?;
        write(&directory.join(format!("{name}.crt")), &self.certificate.pem(), 0o644)
    }

    /// The certificate.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    pub(crate) fn key(&self) -> PrivateKeyDer<'static> {
        self.key.clone_key()
    }

    fn key_label(&self) -> &'static str {
        match self.key {
            PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
            PrivateKeyDer::Sec1(_) => "EC PRIVATE KEY",
            _ => "PRIVATE KEY",
        }
    }
}

fn read(path: &Path) -> Result<Option<String>, IdentityError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(IdentityError::File { verb: "read", path: path.to_owned(), source }),
    }
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), IdentityError> {
    let fresh = path.with_extension(format!("new-{}", std::process::id()));
    let written = (|| {
        let mut file =
            std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&fresh, path)
    })();
    written.map_err(|source| IdentityError::File { verb: "write", path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn saved_and_loaded() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Identity::load(dir.path(), "client").unwrap().is_none());
        let made = Identity::generate(Role::Client, "u@h", &[]).unwrap();
        made.save(dir.path(), "client").unwrap();
        let loaded = Identity::load(dir.path(), "client").unwrap().unwrap();
        assert_eq!(loaded.certificate(), made.certificate());
        assert_eq!(loaded.key.secret_der(), made.key.secret_der());
        let mode = std::fs::metadata(dir.path().join("client.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::remove_file(dir.path().join("client.key")).unwrap();
        assert!(matches!(Identity::load(dir.path(), "client"), Err(IdentityError::Half { .. })));
    }
}
