//! What one server is told about another one that it is to fetch from: protocol, addresses,
//! certificate, and a secret for what is not public.
//!
//! ```no_run
//! # async fn example(source: client::Client, target: client::Client) -> Result<(), client::Error> {
//! let image = source.find_image("debian/12").await?;
//! let (origin, wanted) = source.image_origin(&image, Some("debian/12")).await?;
//! origin
//!     .try_each(async |address| {
//!         let request = api::images::ImagesPost {
//!             source: origin.at(address, wanted.clone()),
//!             ..Default::default()
//!         };
//!         target.create_image(&request).await?.wait().await
//!     })
//!     .await?;
//! # Ok(()) }
//! ```

use crate::{Address, Body, Client, Error, images};
use api::images::Image;
use api::instances::Source;
use http::{HeaderMap, Method};

/// A server as other servers reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// `lxd` or `simplestreams`.
    pub protocol: String,
    /// URLs, to be tried in turn; at least one.
    pub addresses: Vec<String>,
    /// Its certificate in PEM; empty where the authorities of the fetching system vouch for it.
    pub certificate: String,
}

impl Client {
    /// How other servers reach this one: the way we do, then the addresses that it names itself.
    ///
    /// # Errors
    /// [`Error::NotListening`] when only its own host reaches it.
    pub async fn origin(&self) -> Result<Origin, Error> {
        let environment = self.server().await?.value.environment.unwrap_or_default();
        let (ours, certificate) = match self.address() {
            Address::Https(url) => {
                (Some(url.clone()), self.pool.known().map_or_else(String::new, |c| c.pem()))
            }
            Address::Unix(_) => (None, environment.certificate),
        };
        let theirs = environment.addresses.iter().map(|address| format!("https://{address}"));
        let mut addresses: Vec<String> = ours.into_iter().collect();
        for address in theirs {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        if addresses.is_empty() {
            return Err(Error::NotListening { address: self.address().clone() });
        }
        Ok(Origin { protocol: "lxd".to_owned(), addresses, certificate })
    }

    /// An image by alias, else by fingerprint or the beginning of one.
    ///
    /// # Errors
    /// 404 unknown.
    pub async fn find_image(&self, text: &str) -> Result<Image, Error> {
        let fingerprint = match self.alias(text).await {
            Ok(alias) => alias.target,
            Err(error) if error.is_not_found() && is_fingerprint(text) => text.to_owned(),
            Err(error) => return Err(error),
        };
        Ok(self.image(&fingerprint).await?.value)
    }

    /// How another server fetches an image from this one, and the image as it is to be asked for: by
    /// the alias that was used, where everybody may see that, so that the image can be kept up to date;
    /// else by fingerprint, with a secret for this once if it is not public.
    ///
    /// # Errors
    /// As [`Client::origin`].
    pub async fn image_origin(&self, image: &Image, alias: Option<&str>) -> Result<(Origin, Source), Error> {
        let origin = self.origin().await?;
        let mut source = Source { kind: "image".to_owned(), mode: "pull".to_owned(), ..Source::default() };
        let named = alias.filter(|alias| image.aliases.iter().any(|one| one.name == *alias));
        match named {
            Some(alias) if image.public => source.alias = alias.to_owned(),
            _ => source.fingerprint.clone_from(&image.fingerprint),
        }
        if !image.public {
            source.secret = self.image_secret(&image.fingerprint).await?;
        }
        Ok((origin, source))
    }

    /// A secret that lets whoever shows it have a private image, once.
    ///
    /// # Errors
    /// 404 unknown.
    pub async fn image_secret(&self, fingerprint: &str) -> Result<String, Error> {
        let path = format!("{}/secret", images::at(fingerprint));
        let pending = self.begin_raw(Method::POST, &path, HeaderMap::new(), Body::empty()).await?;
        let metadata = pending.operation.metadata.as_ref();
        let secret = metadata.and_then(|metadata| metadata.get("secret")?.as_str());
        secret.map(str::to_owned).ok_or(Error::Unexpected { path, expected: "a secret" })
    }
}

/// Whether a text could be a fingerprint or the beginning of one.
fn is_fingerprint(text: &str) -> bool {
    text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl Origin {
    /// An image server of the simplestreams kind.
    #[must_use]
    pub fn streams(url: &str) -> Self {
        Self {
            protocol: "simplestreams".to_owned(),
            addresses: vec![url.to_owned()],
            certificate: String::new(),
        }
    }

    /// What is wanted, to be fetched from one of the addresses.
    #[must_use]
    pub fn at(&self, address: &str, wanted: Source) -> Source {
        Source {
            server: address.to_owned(),
            protocol: self.protocol.clone(),
            certificate: self.certificate.clone(),
            mode: "pull".to_owned(),
            ..wanted
        }
    }

    /// Does something with one address after the other until it works. Only an operation that failed is
    /// tried again: a refusal would be the same with another address.
    ///
    /// # Errors
    /// What went wrong with each address.
    pub async fn try_each<T>(
        &self,
        mut attempt: impl AsyncFnMut(&str) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut failures: Vec<(&str, String)> = Vec::new();
        for address in &self.addresses {
            match attempt(address).await {
                Err(Error::Operation { message, cancelled: false }) => {
                    if !failures.iter().any(|(_, known)| *known == message) {
                        failures.push((address, message));
                    }
                }
                result => return result,
            }
        }
        let message = match failures.as_slice() {
            [(_, only)] => only.clone(),
            all => all
                .iter()
                .map(|(address, message)| format!("{address}: {message}"))
                .collect::<Vec<_>>()
                .join("; "),
        };
        Err(Error::Operation { message, cancelled: false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin() -> Origin {
        Origin { protocol: "lxd".into(), addresses: vec!["a".into(), "b".into()], certificate: String::new() }
    }

    fn failed(message: &str) -> Error {
        Error::Operation { message: message.to_owned(), cancelled: false }
    }

    #[tokio::test]
    async fn addresses_are_tried_in_turn() {
        let works = async |address: &str| if address == "b" { Ok(5) } else { Err(failed("x")) };
        assert_eq!(origin().try_each(works).await.unwrap(), 5);
        let never = async |address: &str| Err::<(), _>(failed(&format!("no {address}")));
        assert_eq!(origin().try_each(never).await.unwrap_err().to_string(), "a: no a; b: no b");
        let same = async |_: &str| Err::<(), _>(failed("no space"));
        assert_eq!(origin().try_each(same).await.unwrap_err().to_string(), "no space");
    }

    #[tokio::test]
    async fn refusals_and_cancelling_end_it() {
        let mut asked = 0;
        let refused = async |_: &str| {
            asked += 1;
            Err::<(), _>(Error::Api { code: 409, message: "exists".to_owned() })
        };
        assert_eq!(origin().try_each(refused).await.unwrap_err().to_string(), "exists");
        assert_eq!(asked, 1);
        let cancelled = async |_: &str| {
            Err::<(), _>(Error::Operation { message: "Cancelled".to_owned(), cancelled: true })
        };
        assert!(matches!(origin().try_each(cancelled).await, Err(Error::Operation { cancelled: true, .. })));
    }

    #[test]
    fn what_a_server_is_told() {
        let wanted = Source { kind: "image".into(), alias: "16.04".into(), ..Source::default() };
        let told = Origin::streams("https://example.org/releases");
        let told = told.at(&told.addresses[0], wanted);
        assert_eq!(
            (told.server.as_str(), told.protocol.as_str()),
            ("https://example.org/releases", "simplestreams")
        );
        assert_eq!((told.alias.as_str(), told.mode.as_str()), ("16.04", "pull"));
    }
}
