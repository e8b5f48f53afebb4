//! Which clients of the network are trusted.
//!
//! | file | what |
//! |---|---|
//! | this | the certificates, in memory and in the database |
//! | [`password`] | the trust password: its slow hash |
//! | [`guesses`] | how often somebody may guess it |

pub mod guesses;
pub mod password;

use crate::Error;
use crate::catalog::{Stamp, Table};
use api::certificates::{Certificate as Shown, CertificatePut};
use std::sync::Arc;
use std::time::SystemTime;
use store::Store;
use store::certificates::Certificate as Record;
use transport::Certificate;

/// The only kind of certificate.
const CLIENT: &str = "client";
/// The longest name of a certificate, in bytes.
const LONGEST_NAME: usize = 255;

struct Trusted {
    name: String,
    certificate: Certificate,
}

/// Clients that are trusted. Cheap to clone.
#[derive(Clone)]
pub struct Certificates {
    store: Store,
    all: Table<Trusted>,
}

impl Certificates {
    pub(crate) async fn open(store: Store) -> Result<Self, Error> {
        let all = Table::default();
        for record in store.read(store::certificates::list).await? {
            match Certificate::from_der(record.der) {
                Ok(certificate) => {
                    let trusted = Trusted { name: record.name, certificate };
                    all.insert(Stamp::take(), &record.fingerprint, trusted);
                }
                Err(error) => {
                    tracing::warn!(fingerprint = record.fingerprint, %error, "a stored certificate cannot be read and is trusted no more");
                }
            }
        }
        Ok(Self { store, all })
    }

    /// Whether a client that holds this certificate is trusted now: the whole certificate is a stored
    /// one, and holds at present.
    #[must_use]
    pub fn trusts(&self, fingerprint: &str, certificate: &Certificate) -> bool {
        self.all
            .get(fingerprint)
            .is_some_and(|known| known.certificate == *certificate && certificate.holds_at(SystemTime::now()))
    }

    /// All of them, by fingerprint.
    #[must_use]
    pub fn list(&self) -> Vec<Shown> {
        self.all.all().iter().map(|trusted| show(trusted)).collect()
    }

    /// One by the beginning of its fingerprint.
    ///
    /// # Errors
    /// None begins so, or several do.
    pub fn get(&self, prefix: &str) -> Result<Shown, Error> {
        self.find(prefix).map(|trusted| show(&trusted))
    }

    fn find(&self, prefix: &str) -> Result<Arc<Trusted>, Error> {
        if let Some(whole) = self.all.get(prefix) {
            return Ok(whole);
        }
        let all = self.all.all();
        let mut matching =
            all.iter().filter(|t| !prefix.is_empty() && t.certificate.fingerprint().starts_with(prefix));
        match (matching.next(), matching.next()) {
            (Some(one), None) => Ok(Arc::clone(one)),
            (Some(_), Some(_)) => Err(Error::AmbiguousCertificate { prefix: prefix.to_owned() }),
            (None, _) => Err(Error::not_found("Certificate", prefix)),
        }
    }

    /// Trusts one more; its fingerprint.
    ///
    /// # Errors
    /// It is trusted already, does not hold now, or its name is not good.
    pub async fn add(&self, name: &str, certificate: Certificate) -> Result<String, Error> {
        check_name(name)?;
        let fingerprint = certificate.fingerprint();
        if self.all.get(&fingerprint).is_some() {
            return Err(Error::CertificateKnown);
        }
        if !certificate.holds_at(SystemTime::now()) {
            return Err(Error::CertificateOutdated);
        }
        let der = certificate.der().to_vec();
        let record = Record { fingerprint: fingerprint.clone(), name: name.to_owned(), der };
        let write =
            self.store.write(move |tx| store::certificates::insert(tx, &record).map(|()| Stamp::take()));
        let stamp = match write.await {
            Err(store::Error::Conflict { .. }) => return Err(Error::CertificateKnown),
            other => other?,
        };
        self.all.insert(stamp, &fingerprint, Trusted { name: name.to_owned(), certificate });
        Ok(fingerprint)
    }

    /// Gives one another name.
    ///
    /// # Errors
    /// Not found; a bad name; another type.
    pub async fn update(&self, prefix: &str, put: CertificatePut, replace: bool) -> Result<(), Error> {
        let old = self.find(prefix)?;
        check_kind(put.kind.as_deref().unwrap_or(if replace { "" } else { CLIENT }))?;
        let name = match put.name {
            Some(name) => name,
            None if replace => String::new(),
            None => old.name.clone(),
        };
        check_name(&name)?;
        let fingerprint = old.certificate.fingerprint();
        let (key, new) = (fingerprint.clone(), name.clone());
        let write =
            self.store.write(move |tx| store::certificates::rename(tx, &key, &new).map(|()| Stamp::take()));
        let stamp = write.await?;
        self.all.insert(stamp, &fingerprint, Trusted { name, certificate: old.certificate.clone() });
        Ok(())
    }

    /// Trusts one no more, from its next request on. Who serves it cuts what is open.
    ///
    /// # Errors
    /// Not found.
    pub async fn remove(&self, prefix: &str) -> Result<(), Error> {
        let fingerprint = self.find(prefix)?.certificate.fingerprint();
        let gone = fingerprint.clone();
        let write =
            self.store.write(move |tx| store::certificates::delete(tx, &gone).map(|()| Stamp::take()));
        let stamp = write.await?;
        self.all.remove(stamp, &fingerprint);
        Ok(())
    }
}

/// Refuses every type but `client`.
///
/// # Errors
/// Another one.
pub fn check_kind(kind: &str) -> Result<(), Error> {
    if kind == CLIENT {
        return Ok(());
    }
    Err(Error::Unknown { field: "certificate type", value: kind.to_owned(), allowed: CLIENT })
}

/// Refuses names that are too long or cannot be shown.
///
/// # Errors
/// Such a name.
pub fn check_name(name: &str) -> Result<(), Error> {
    if name.len() > LONGEST_NAME || name.chars().any(char::is_control) {
        return Err(Error::CertificateName);
    }
    Ok(())
}

fn show(trusted: &Trusted) -> Shown {
    Shown {
        name: trusted.name.clone(),
        kind: CLIENT.to_owned(),
        certificate: trusted.certificate.pem(),
        fingerprint: trusted.certificate.fingerprint(),
    }
}
