//! The certificates that a client keeps: its own, those of servers, an authority.
//!
//! | file | what |
//! |---|---|
//! | `client.crt`, `client.key` | who we are; made when a server wants to know |
//! | `client.ca` | an authority that vouches for all servers (optional) |
//! | `servercerts/<remote>.crt` | the certificate that a server is known by |

use crate::Client;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use transport::certificate::CertificateError;
use transport::dial::DialError;
use transport::identity::{IdentityError, Role};
use transport::proxy::Proxies;
use transport::{Certificate, Dialer, Identity, Trust};

/// A certificate that cannot be kept or used.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// A file cannot be read or written.
    #[error("cannot {verb} {path}", path = path.display())]
    File {
        /// "read", "write", "remove" or "rename".
        verb: &'static str,
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file holds something else.
    #[error("cannot use {path}", path = path.display())]
    Certificate {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        source: CertificateError,
    },
    /// Our own certificate.
    #[error("cannot use the client's certificate in {directory}", directory = directory.display())]
    Identity {
        /// Where it is.
        directory: PathBuf,
        /// What is wrong.
        source: IdentityError,
    },
    /// TLS does not take them.
    #[error(transparent)]
    Tls(#[from] DialError),
}

/// The directory with the certificates of a client.
#[derive(Clone, Debug)]
pub struct Keys {
    directory: PathBuf,
}

impl Keys {
    /// Certificates in this directory, which need not exist yet.
    #[must_use]
    pub fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// A client for a server across the network: the one whose certificate is kept under the name
    /// `remote`, else one that `client.ca` or the system's authorities vouch for. A public server is
    /// not told who we are.
    ///
    /// # Errors
    /// A certificate cannot be read or, for want of one, made.
    pub fn client(&self, remote: &str, url: String, public: bool) -> Result<Client, KeysError> {
        let known = self.known(remote)?;
        let trust = match &known {
            Some(certificate) => Trust::Pinned(certificate.clone()),
            None => self.authority()?.map_or(Trust::System, Trust::Authority),
        };
        let identity = if public { None } else { Some(self.identity()?) };
        let dialer = Dialer::new(&trust, identity.as_ref(), Proxies::from_environment())?;
        Ok(Client::over(dialer, url, known))
    }

    /// A client for a server that was never met: one that an authority has to vouch for. `None` when this
    /// system knows no authority at all.
    ///
    /// # Errors
    /// As [`Keys::client`].
    pub fn stranger(&self, url: String, public: bool) -> Result<Option<Client>, KeysError> {
        let trust = self.authority()?.map_or(Trust::System, Trust::Authority);
        let identity = if public { None } else { Some(self.identity()?) };
        match Dialer::new(&trust, identity.as_ref(), Proxies::from_environment()) {
            Ok(dialer) => Ok(Some(Client::over(dialer, url, None))),
            Err(DialError::Config(_)) if matches!(trust, Trust::System) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// A client for a server that is known by this certificate, whether it is kept or not.
    ///
    /// # Errors
    /// As [`Keys::client`].
    pub fn client_of(&self, known: &Certificate, url: String, public: bool) -> Result<Client, KeysError> {
        let identity = if public { None } else { Some(self.identity()?) };
        let trust = Trust::Pinned(known.clone());
        let dialer = Dialer::new(&trust, identity.as_ref(), Proxies::from_environment())?;
        Ok(Client::over(dialer, url, Some(known.clone())))
    }

    /// Who we are; made if we are nobody yet, which is said on standard error.
    fn identity(&self) -> Result<Identity, KeysError> {
        let failed = |source| KeysError::Identity { directory: self.directory.clone(), source };
        if let Some(identity) = Identity::load(&self.directory, "client").map_err(failed)? {
            return Ok(identity);
        }
        eprintln!("Generating a client certificate. This may take a minute...");
        private_directory(&self.directory)?;
        let made = Identity::generate(Role::Client, &common_name(), &[]).map_err(failed)?;
        made.save(&self.directory, "client").map_err(failed)?;
        Ok(made)
    }

    /// The certificate that a server is known by.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn known(&self, remote: &str) -> Result<Option<Certificate>, KeysError> {
        read(&self.place(remote))
    }

    /// Keeps a server's certificate.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn keep(&self, remote: &str, certificate: &Certificate) -> Result<(), KeysError> {
        let path = self.place(remote);
        private_directory(&self.directory)?;
        private_directory(&self.directory.join("servercerts"))?;
        write(&path, &certificate.pem()).map_err(failed("write", &path))
    }

    /// Forgets a server's certificate, if there is one.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn forget(&self, remote: &str) -> Result<(), KeysError> {
        let path = self.place(remote);
        absent(std::fs::remove_file(&path)).map_err(failed("remove", &path))
    }

    /// Keeps a server's certificate under another name.
    ///
    /// # Errors
    /// It cannot be renamed.
    pub fn rename(&self, remote: &str, new: &str) -> Result<(), KeysError> {
        let path = self.place(remote);
        absent(std::fs::rename(&path, self.place(new))).map_err(failed("rename", &path))
    }

    fn authority(&self) -> Result<Option<Certificate>, KeysError> {
        read(&self.directory.join("client.ca"))
    }

    fn place(&self, remote: &str) -> PathBuf {
        // A name from a file that somebody else wrote stays a name.
        self.directory.join("servercerts").join(format!("{}.crt", remote.replace('/', "_")))
    }
}

fn read(path: &Path) -> Result<Option<Certificate>, KeysError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("read", path)(error)),
    };
    let used = Certificate::from_pem(&text);
    used.map(Some).map_err(|source| KeysError::Certificate { path: path.to_owned(), source })
}

fn failed(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> KeysError {
    let path = path.to_owned();
    move |source| KeysError::File { verb, path, source }
}

fn absent(result: io::Result<()>) -> io::Result<()> {
    result.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

fn private_directory(path: &Path) -> Result<(), KeysError> {
    std::fs::DirBuilder::new().recursive(true).mode(0o750).create(path).map_err(failed("write", path))
}

/// Writes a file so that it is there whole or not at all.
fn write(path: &Path, text: &str) -> io::Result<()> {
    use io::Write as _;
    let fresh = path.with_extension(format!("new-{}", std::process::id()));
    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(&fresh)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&fresh, path)
}

/// `user@host`.
fn common_name() -> String {
    let variable = |name| std::env::var(name).ok().filter(|value: &String| !value.is_empty());
    let user = variable("USER").or_else(|| variable("LOGNAME")).unwrap_or_else(|| "root".to_owned());
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{user}@{}", host.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn certificate() -> Certificate {
        Identity::generate(Role::Server, "s", &["s".to_owned()]).unwrap().certificate().clone()
    }

    #[test]
    fn certificates_of_servers_are_kept_renamed_and_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let keys = Keys::new(dir.path().join("lxc"));
        let certificate = certificate();
        assert_eq!(keys.known("foo").unwrap(), None);
        keys.keep("foo", &certificate).unwrap();
        let written = std::fs::read_to_string(dir.path().join("lxc/servercerts/foo.crt")).unwrap();
        assert_eq!(written, certificate.pem());
        keys.rename("foo", "bar").unwrap();
        assert_eq!((keys.known("foo").unwrap(), keys.known("bar").unwrap()), (None, Some(certificate)));
        keys.forget("bar").unwrap();
        keys.forget("bar").unwrap();
        keys.rename("bar", "foo").unwrap();
        assert_eq!(keys.known("bar").unwrap(), None);
        std::fs::write(dir.path().join("lxc/servercerts/foo.crt"), "hello").unwrap();
        assert!(keys.known("foo").unwrap_err().to_string().contains("servercerts/foo.crt"));
    }

    #[test]
    fn who_we_are_is_made_when_it_is_needed() {
        let dir = tempfile::tempdir().unwrap();
        let keys = Keys::new(dir.path().join("lxc"));
        keys.client_of(&certificate(), "https://h:8443".into(), true).unwrap();
        assert!(!dir.path().join("lxc").exists(), "a public server is not told");
        keys.client_of(&certificate(), "https://h:8443".into(), false).unwrap();
        let made = std::fs::read_to_string(dir.path().join("lxc/client.crt")).unwrap();
        keys.client_of(&certificate(), "https://h:8443".into(), false).unwrap();
        assert_eq!(std::fs::read_to_string(dir.path().join("lxc/client.crt")).unwrap(), made);
        assert!(Certificate::from_pem(&made).unwrap().common_name().contains('@'));
        let mode = std::fs::metadata(dir.path().join("lxc")).unwrap().permissions().mode();
        assert_eq!(mode & 0o027, 0, "only its owner writes there");
    }
}
