//! An authority of the owner's: `server.ca` and `ca.crl` beside the database. Where there is one, only
//! clients that it vouches for can be trusted.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;
use transport::Certificate;
use transport::authority::Authority;

/// How the authority sees a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// There is no authority.
    NoAuthority,
    /// It vouches for the client.
    Vouched,
    /// It does not, or its files cannot be read.
    Stranger,
}

/// What tells one state of the files from another.
type Stamp = [Option<(SystemTime, u64)>; 2];

/// The authority, none, or files that cannot be used, of which the log has told.
type Known = Result<Option<Arc<Authority>>, ()>;

/// The authority, read again when its files have changed.
pub(super) struct Pki {
    certificate: PathBuf,
    revoked: PathBuf,
    read: Mutex<Option<(Stamp, Known)>>,
}

impl Pki {
    /// The one whose files are in this directory.
    pub(super) fn new(directory: &Path) -> Self {
        Self {
            certificate: directory.join("server.ca"),
            revoked: directory.join("ca.crl"),
            read: Mutex::default(),
        }
    }

    /// How it sees a client, by the chain of certificates that the client showed.
    pub(super) fn standing(&self, chain: &[Certificate]) -> Standing {
        match self.current() {
            Ok(None) => Standing::NoAuthority,
            Ok(Some(authority)) if authority.vouches(chain, SystemTime::now()) => Standing::Vouched,
            _ => Standing::Stranger,
        }
    }

    fn current(&self) -> Known {
        let stamp = [&self.certificate, &self.revoked].map(|path| {
            let file = std::fs::metadata(path).ok()?;
            Some((file.modified().ok()?, file.len()))
        });
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, known)) = &*read
            && *of == stamp
        {
            return known.clone();
        }
        let loaded = Authority::load(&self.certificate, &self.revoked).map(|found| found.map(Arc::new));
        let loaded = loaded.map_err(|error| {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the authority cannot be used: no client of the network is trusted"
            );
        });
        *read = Some((stamp, loaded.clone()));
        loaded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_cannot_be_used_let_nobody_in() {
        let directory = tempfile::tempdir().unwrap();
        let pki = Pki::new(directory.path());
        assert_eq!(pki.standing(&[]), Standing::NoAuthority);
        std::fs::write(directory.path().join("server.ca"), "nonsense").unwrap();
        assert_eq!(pki.standing(&[]), Standing::Stranger);
        std::fs::remove_file(directory.path().join("server.ca")).unwrap();
        assert_eq!(pki.standing(&[]), Standing::NoAuthority);
    }
}
