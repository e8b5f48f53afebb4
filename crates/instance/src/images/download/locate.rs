//! Which image a source means, and how to get it.

use super::error::FetchError;
use super::origin::{Origin, Protocol};
use super::peer;
use crate::images::Images;
use api::{Config, Time};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use model::names::Fingerprint;
use simplestreams::{File, Look, Streams};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use store::images::Image as Record;
use transport::get::Get;
use transport::{Certificate, Dialer, Trust, agent};

/// How to get the files of an image.
pub(super) enum Way {
    /// Each of them, with where it is on each mirror.
    Files(Vec<(File, Vec<Uri>)>),
    /// Whatever another daemon sends.
    Export { url: Uri, size: Option<u64>, once: bool },
    /// A whole image.
    Whole { url: Uri },
}

/// An image of a server.
pub(super) struct Located {
    pub(super) fingerprint: Fingerprint,
    /// It was asked for by a name that may mean another image tomorrow.
    pub(super) by_name: bool,
    pub(super) filename: String,
    pub(super) way: Way,
    pub(super) dialer: Dialer,
    /// Why the server could not be asked, if an old answer was used.
    pub(super) stale: Option<String>,
    /// What the server says about it; empty: only the image itself does.
    properties: Config,
    created_at: Time,
    expires_at: Time,
}

impl Located {
    /// Puts what the server says over what the image says.
    pub(super) fn describe(&self, record: Record) -> Record {
        let or = |time: Time, other: Time| if time.is_set() { time } else { other };
        let properties = if self.properties.is_empty() { record.properties } else { self.properties.clone() };
        Record {
            properties,
            created_at: or(self.created_at, record.created_at),
            expires_at: or(self.expires_at, record.expires_at),
            ..record
        }
    }
}

/// One look at a server's lists at a time: who waits finds them new.
#[derive(Clone, Default)]
pub(in crate::images) struct Turns(Arc<Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>>);

impl Turns {
    fn of(&self, server: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = turns.get(server).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::new(tokio::sync::Mutex::new(()));
        turns.insert(server.to_owned(), Arc::downgrade(&turn));
        turn
    }
}

impl Images {
    /// Asks the server which image is meant.
    pub(super) async fn locate(&self, origin: &Origin, look: Look) -> Result<Located, FetchError> {
        let trust = if origin.certificate.is_empty() {
            Trust::System
        } else {
            Trust::Pinned(Certificate::from_pem(&origin.certificate).map_err(FetchError::Certificate)?)
        };
        let proxies = self.settings.proxies();
        // The authorities of the system are read from files at first use.
        let dialer = tokio::task::spawn_blocking(move || Dialer::new(&trust, None, proxies)).await;
        let dialer = dialer.map_err(|error| answer(&origin.server, &error.to_string()))??;
        match origin.protocol {
            Protocol::SimpleStreams => self.in_streams(origin, look, dialer).await,
            Protocol::Lxd => peer::locate(origin, dialer).await,
            Protocol::Direct => self.at_url(origin, dialer).await,
        }
    }

    async fn in_streams(&self, origin: &Origin, look: Look, dialer: Dialer) -> Result<Located, FetchError> {
        let streams = Streams::new(&origin.server, dialer.clone(), &self.var.streams())?;
        let streams = streams.with_native(self.architecture);
        let turn = self.turns.of(&origin.server);
        let found = {
            let _turn = turn.lock().await;
            streams.find(&origin.name, look).await?
        };
        let image = found.listed.image;
        let unknown = || FetchError::Unknown(origin.name.clone());
        let files = found.listed.files.into_iter().map(|file| {
            let urls = streams.urls(&file);
            (file, urls)
        });
        Ok(Located {
            fingerprint: Fingerprint::parse(&image.fingerprint).map_err(|_| unknown())?,
            by_name: found.by_name && !origin.by_fingerprint,
            filename: image.filename,
            way: Way::Files(files.collect()),
            dialer,
            stale: found.stale,
            properties: image.properties,
            created_at: image.created_at,
            expires_at: image.expires_at,
        })
    }

    /// The headers that a server answers with when it is asked for an image.
    async fn at_url(&self, origin: &Origin, dialer: Dialer) -> Result<Located, FetchError> {
        let url: Uri = origin.server.parse().map_err(|_| answer(&origin.server, "this is no URL"))?;
        let host = self.architecture;
        let architectures = std::iter::once(host).chain(host.personalities().iter().copied());
        let architectures: Vec<String> = architectures.map(|each| each.id().to_string()).collect();
        let mut get = Get { method: Method::HEAD, ..Get::new(&dialer, url) };
        set(&mut get.headers, "lxd-server-architectures", &architectures.join(", "));
        set(&mut get.headers, "lxd-server-version", agent::LEVEL);
        let head = get.send().await?;
        let told = |name: &'static str, shown| {
            let value = head.headers.get(name).and_then(|value| value.to_str().ok());
            value.filter(|value| !value.is_empty()).ok_or(FetchError::Header(shown))
        };
        let hash = told("lxd-image-hash", "LXD-Image-Hash")?;
        let place = told("lxd-image-url", "LXD-Image-URL")?;
        let odd = |reason: &str| answer(&origin.server, reason);
        let fingerprint = Fingerprint::parse(&hash.to_ascii_lowercase());
        let url: Uri = place.parse().map_err(|_| odd("the header LXD-Image-URL is no URL"))?;
        let filename = url.path().rsplit('/').next().unwrap_or_default().to_owned();
        Ok(Located {
            fingerprint: fingerprint.map_err(|_| odd("the header LXD-Image-Hash is no SHA-256"))?,
            by_name: false,
            filename,
            way: Way::Whole { url },
            dialer,
            stale: None,
            properties: Config::new(),
            created_at: Time::UNSET,
            expires_at: Time::UNSET,
        })
    }
}

pub(super) fn answer(url: &str, reason: &str) -> FetchError {
    FetchError::Answer { url: url.to_owned(), reason: reason.to_owned() }
}

fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

/// An image that another daemon showed.
pub(super) fn of_peer(
    image: api::images::Image,
    by_name: bool,
    way: Way,
    dialer: Dialer,
) -> Result<Located, FetchError> {
    let wrong = || FetchError::Unknown(image.fingerprint.clone());
    Ok(Located {
        fingerprint: Fingerprint::parse(&image.fingerprint).map_err(|_| wrong())?,
        by_name,
        filename: image.filename,
        way,
        dialer,
        stale: None,
        properties: image.properties,
        created_at: image.created_at,
        expires_at: image.expires_at,
    })
}
