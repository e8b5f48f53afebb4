//! Looking at the source of an image again.

use super::{Origin, Purpose};
use crate::catalog::Stamp;
use crate::images::Images;
use crate::{Error, Progress};
use model::names::Fingerprint;
use simplestreams::Look;
use store::images::Image as Record;

/// What the source of an image has now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Renewed {
    /// The same image.
    Same,
    /// Another one, which is here now beside the old one: cached, kept up to date, public and last used
    /// as that is. Aliases still mean the old one.
    Newer(Fingerprint),
}

impl Images {
    /// Asks the source of an image what it has under the same name now, and downloads it if it is another
    /// image. The server is asked, whatever it said a moment ago.
    ///
    /// # Errors
    /// Not found; the image has no source that it could be looked for at; the server cannot be reached.
    pub async fn look_again(&self, prefix: &str, progress: &Progress) -> Result<Renewed, Error> {
        let old = self.record(prefix)?;
        let Some(source) = &old.source else {
            return Err(Error::NoSource(old.fingerprint.to_string()));
        };
        let origin = Origin::of_record(source)?;
        let purpose =
            if old.cached { Purpose::Container } else { Purpose::Keep { auto_update: old.auto_update } };
        let obtained = self.obtain_now(&origin, purpose, Look::Now, progress).await?;
        if let Some(why) = obtained.note {
            return Err(Error::OldNews { image: old.fingerprint.to_string(), why });
        }
        if obtained.fingerprint == old.fingerprint {
            return Ok(Renewed::Same);
        }
        self.succeed(&old, &obtained.fingerprint).await?;
        Ok(Renewed::Newer(obtained.fingerprint))
    }

    /// Gives an image what its predecessor had.
    async fn succeed(&self, old: &Record, fingerprint: &Fingerprint) -> Result<(), Error> {
        let new = self.record(fingerprint.as_str())?;
        let new = Record {
            // One that somebody asked for meanwhile is theirs to remove.
            cached: old.cached && new.cached,
            auto_update: old.auto_update || new.auto_update,
            public: old.public || new.public,
            last_used_at: old.last_used_at,
            source: old.source.clone(),
            ..Record::clone(&new)
        };
        let stored = new.clone();
        let write = self.store.write(move |tx| {
            let Record { fingerprint, public, auto_update, properties, cached, .. } = &stored;
            store::images::update(tx, fingerprint, *public, *auto_update, properties)?;
            store::images::set_cached(tx, fingerprint, *cached)?;
            store::images::set_last_used(tx, fingerprint, stored.last_used_at)?;
            store::images::set_source(tx, fingerprint, stored.source.as_ref())?;
            Ok(Stamp::take())
        });
        let stamp = write.await?;
        self.images.insert(stamp, fingerprint.as_str(), new);
        Ok(())
    }
}
