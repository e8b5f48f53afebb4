//! Getting images from other servers.
//!
//! | file | what |
//! |---|---|
//! | `origin` | what a request says about a source, as typed values |
//! | `locate` | which image that is, and how to get it |
//! | `peer` | another daemon |
//! | `fetch` | the files, into a directory of their own |
//! | `flights` | one download for everybody who waits for the same image |
//! | `meter` | how far it is |
//! | `again` | looking at a source again |
//! | `error` | what went wrong |

mod again;
mod error;
mod fetch;
mod flights;
mod locate;
mod meter;
mod origin;
mod peer;

pub use again::Renewed;
pub use error::FetchError;
pub(super) use flights::Flights;
pub(super) use locate::Turns;
pub use origin::Origin;

use super::Images;
use super::import::Description;
use crate::catalog::Stamp;
use crate::{Error, Progress, Work};
use api::images::ImagesPost;
use locate::Located;
use meter::Meter;
use model::names::{AliasName, Fingerprint};
use simplestreams::Look;
use std::sync::Arc;
use store::aliases::Alias;
use store::images::Image as Record;

/// What an image is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To be kept; looked at again from time to time or not.
    Keep { auto_update: bool },
    /// For a container: kept as long as it is used.
    Container,
}

/// An image that is here now.
#[derive(Clone, Debug)]
pub(crate) struct Obtained {
    pub(crate) fingerprint: Fingerprint,
    /// What whoever asked for it should know.
    pub(crate) note: Option<String>,
}

impl Images {
    /// Gets an image that a request asks for (`source.type` `image` or `url`), and does to it what the
    /// request says besides. The outcome is `{fingerprint, size}`.
    ///
    /// # Errors
    /// The request is no good.
    pub fn fetch(&self, post: ImagesPost, progress: Progress) -> Result<Work, Error> {
        let origin = Origin::of(&post.source)?;
        let aliases = self.free_aliases(&post.aliases)?;
        let images = self.clone();
        let work = Box::pin(async move {
            let purpose = Purpose::Keep { auto_update: post.auto_update };
            let obtained = images.obtain(&origin, purpose, &progress).await?;
            images.dress(&obtained.fingerprint, &post, aliases).await?;
            let record = images.record(obtained.fingerprint.as_str())?;
            let mut outcome = serde_json::Map::new();
            outcome.insert("fingerprint".to_owned(), record.fingerprint.as_str().into());
            outcome.insert("size".to_owned(), record.size.to_string().into());
            if let Some(note) = obtained.note {
                outcome.insert("warning".to_owned(), note.into());
            }
            Ok(Some(outcome))
        });
        let places = self.var.places();
        Ok(crate::full_disk::explained(work, || places))
    }

    /// Has an image here that a source means: downloads it unless it is here already.
    pub(crate) async fn obtain(
        &self,
        origin: &Origin,
        purpose: Purpose,
        progress: &Progress,
    ) -> Result<Obtained, Error> {
        let known = if purpose == Purpose::Container { self.recorded(origin) } else { None };
        if let Some(record) = &known
            && self.settings.auto_update_interval().is_some()
        {
            // It is looked for a newer one in the background, not now.
            return Ok(Obtained { fingerprint: record.fingerprint.clone(), note: None });
        }
        let error = match self.obtain_now(origin, purpose, Look::Recent, progress).await {
            Ok(obtained) => return Ok(obtained),
            Err(error) => error,
        };
        match known {
            Some(record) if error.is_about_server() => {
                let fingerprint = record.fingerprint.clone();
                let note = format!(
                    "The image server cannot be reached; the image {} is used, which was downloaded at {} ({})",
                    fingerprint.as_str().get(..12).unwrap_or_default(),
                    record.uploaded_at,
                    error.story()
                );
                tracing::warn!(image = %fingerprint, "{note}");
                Ok(Obtained { fingerprint, note: Some(note) })
            }
            _ => Err(error),
        }
    }

    async fn obtain_now(
        &self,
        origin: &Origin,
        purpose: Purpose,
        look: Look,
        progress: &Progress,
    ) -> Result<Obtained, Error> {
        let failed = |source| Error::Fetch {
            image: origin.name.clone(),
            server: origin.server.clone(),
            source: Box::new(source),
        };
        let located = self.locate(origin, look).await.map_err(failed)?;
        let note = located
            .stale
            .as_ref()
            .map(|why| format!("The image server cannot be reached, so what it last said is used ({why})"));
        let fingerprint = located.fingerprint.clone();
        if self.images.get(fingerprint.as_str()).is_none() {
            self.download(origin, located, purpose, progress).await?;
        }
        if purpose != Purpose::Container {
            self.keep_for_good(&fingerprint).await?;
        }
        Ok(Obtained { fingerprint, note })
    }

    /// Downloads an image, or waits for somebody else's download of it.
    async fn download(
        &self,
        origin: &Origin,
        located: Located,
        purpose: Purpose,
        progress: &Progress,
    ) -> Result<(), Error> {
        let fingerprint = located.fingerprint.clone();
        let (located, origin) = (Arc::new(located), Arc::new(origin.clone()));
        let begin = |meter: Meter| {
            let (images, located, origin) = (self.clone(), Arc::clone(&located), Arc::clone(&origin));
            async move {
                // Somebody else's may have ended since this one was asked for.
                if images.images.get(located.fingerprint.as_str()).is_some() {
                    return Ok(());
                }
                images.bring(&origin, &located, purpose, &meter).await
            }
        };
        self.flights.share(fingerprint.as_str(), progress, begin).await
    }

    /// Downloads an image and stores it.
    async fn bring(
        &self,
        origin: &Origin,
        located: &Located,
        purpose: Purpose,
        meter: &Meter,
    ) -> Result<(), Error> {
        let failed = |source| Error::Fetch {
            image: origin.name.clone(),
            server: origin.server.clone(),
            source: Box::new(source),
        };
        let (upload, received) =
            fetch::files(&self.var, located, meter).await.map_err(|error| match error {
                fetch::Failure::Here(error) => error,
                fetch::Failure::There(error) => failed(error),
            })?;
        if received.fingerprint != located.fingerprint.as_str() {
            return Err(failed(FetchError::Fingerprint {
                expected: located.fingerprint.to_string(),
                found: received.fingerprint,
            }));
        }
        let description = Description { filename: located.filename.clone(), ..Description::default() };
        let record = super::import::examine(&received, &located.fingerprint, description).await?;
        let container = purpose == Purpose::Container;
        let auto_update = match purpose {
            Purpose::Keep { auto_update } => auto_update,
            Purpose::Container => self.settings.auto_update_cached(),
        };
        let record = Record {
            cached: container,
            auto_update: auto_update && located.by_name,
            last_used_at: if container { api::Time::now() } else { api::Time::UNSET },
            source: located.by_name.then(|| origin.recorded()),
            ..located.describe(record)
        };
        self.store_image(received, record, Vec::new()).await?;
        drop(upload);
        Ok(())
    }

    /// The image here that came from the same place under the same name, the newest one.
    fn recorded(&self, origin: &Origin) -> Option<Arc<Record>> {
        let images = self.images.all();
        let same = images.into_iter().filter(|record| origin.is_of(record.source.as_ref()));
        same.max_by_key(|record| record.uploaded_at)
    }

    /// An image that somebody asked for is no longer only kept for containers.
    async fn keep_for_good(&self, fingerprint: &Fingerprint) -> Result<(), Error> {
        let Some(record) = self.images.get(fingerprint.as_str()).filter(|record| record.cached) else {
            return Ok(());
        };
        let image = fingerprint.clone();
        let write = self.store.write(move |tx| {
            store::images::set_cached(tx, &image, false)?;
            Ok(Stamp::take())
        });
        let stamp = write.await?;
        self.images.insert(stamp, fingerprint.as_str(), Record { cached: false, ..Record::clone(&record) });
        Ok(())
    }

    /// What a request says about an image besides where it comes from.
    async fn dress(
        &self,
        fingerprint: &Fingerprint,
        post: &ImagesPost,
        aliases: Vec<(AliasName, String)>,
    ) -> Result<(), Error> {
        let old = self.record(fingerprint.as_str())?;
        let mut new = Record::clone(&old);
        new.properties.extend(post.properties.clone());
        new.public |= post.public;
        new.auto_update |= post.auto_update && new.source.is_some();
        if !post.filename.is_empty() {
            new.filename.clone_from(&post.filename);
        }
        let (stored, names) = (new.clone(), aliases.clone());
        let write = self.store.write(move |tx| {
            let Record { fingerprint, public, auto_update, properties, filename, .. } = &stored;
            store::images::update(tx, fingerprint, *public, *auto_update, properties)?;
            store::images::set_filename(tx, fingerprint, filename)?;
            for (name, description) in &names {
                store::aliases::insert(tx, name, description, fingerprint)?;
            }
            Ok(Stamp::take())
        });
        let stamp = write.await?;
        for (name, description) in aliases {
            let alias =
                Alias { name: name.clone(), description, target: fingerprint.clone(), public: new.public };
            self.aliases.insert(stamp, name.as_str(), alias);
        }
        self.images.insert(stamp, fingerprint.as_str(), new);
        Ok(())
    }
}
