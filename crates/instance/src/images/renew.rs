//! Newer versions of images: looked for where they came from, and put in the place of the old ones.

use super::Images;
use super::download::Renewed;
use super::upkeep::changed;
use crate::catalog::Stamp;
use crate::journal::{self, Entry as Journal};
use crate::settings::Settings;
use crate::steps::crash_at;
use crate::{Error, Progress, Work, random};
use model::names::Fingerprint;
use std::time::Duration;
use store::aliases::Alias;
use store::images::Image as Record;

/// Whether a newer version of an image is looked for without being asked. `cached_too`: also of those
/// that were only downloaded to make a container.
fn is_kept_up_to_date(image: &Record, cached_too: bool) -> bool {
    image.auto_update && image.source.is_some() && (cached_too || !image.cached)
}

/// How long to wait for the next look: a little longer than asked for, so that hosts that were started
/// together do not ask the same server together for ever.
fn pause(interval: Duration, random: u8) -> Duration {
    interval + interval / 20 * u32::from(random) / u32::from(u8::MAX)
}

impl Images {
    /// Looks for a newer version of an image and puts it in the place of the old one. The outcome is
    /// `{refreshed}`.
    #[must_use]
    pub fn refresh(&self, fingerprint: &str, progress: Progress) -> Work {
        let (images, fingerprint) = (self.clone(), fingerprint.to_owned());
        Box::pin(async move {
            let refreshed = images.renew(&fingerprint, &progress).await?.is_some();
            Ok(Some(serde_json::Map::from_iter([("refreshed".to_owned(), refreshed.into())])))
        })
    }

    /// Looks for newer versions of the images that are kept up to date: now, every
    /// `images.auto_update_interval`, and when that key changes; for as long as the daemon lives.
    pub(crate) async fn keep_up_to_date(self, settings: Settings) {
        let mut changes = settings.changes();
        loop {
            let interval = settings.auto_update_interval();
            if interval.is_some() {
                self.renew_all(settings.auto_update_cached()).await;
            }
            let next = async {
                match interval {
                    Some(interval) => {
                        let [random] = random::bytes();
                        tokio::time::sleep(pause(interval, random)).await;
                    }
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = next => {}
                () = changed(&mut changes, || settings.auto_update_interval() != interval) => {}
            }
        }
    }

    /// One that cannot be renewed keeps nobody from renewing the others.
    async fn renew_all(&self, cached_too: bool) {
        let mut images = self.images.all();
        images.retain(|image| is_kept_up_to_date(image, cached_too));
        for image in images {
            let old = &image.fingerprint;
            match self.renew(old.as_str(), &Progress::ignore()).await {
                Ok(None) => tracing::debug!(image = %old, "the image is up to date"),
                Ok(Some(new)) => {
                    tracing::info!(image = %old, %new, "a newer image took the place of this one");
                }
                // Removed while others were looked at.
                Err(Error::NotFound { .. }) => {}
                Err(error) => {
                    tracing::warn!(image = %old, error = %error.story(), "cannot look for a newer image");
                }
            }
        }
    }

    async fn renew(&self, fingerprint: &str, progress: &Progress) -> Result<Option<Fingerprint>, Error> {
        let old = self.record(fingerprint)?.fingerprint.clone();
        let Renewed::Newer(new) = self.look_again(old.as_str(), progress).await? else { return Ok(None) };
        let (images, to) = (self.clone(), new.clone());
        // Seen to its end, whoever stops waiting for it.
        let replaced = tokio::spawn(async move { images.replace(&old, &to).await });
        replaced.await.map_err(|_| Error::Shutdown)??;
        Ok(Some(new))
    }

    /// Lets the aliases of an image mean its successor and removes it. What an interruption leaves is
    /// removed at the next start.
    async fn replace(&self, old: &Fingerprint, new: &Fingerprint) -> Result<(), Error> {
        let leaving = self.uses.left(old).await;
        let (gone, here) = (old.clone(), new.clone());
        let write = self.store.write(move |tx| {
            let aliases = store::aliases::of(tx, &gone)?;
            for alias in &aliases {
                store::aliases::update(tx, &alias.name, &alias.description, &here)?;
            }
            store::images::delete(tx, &gone)?;
            let id = journal::write(tx, &Journal::Remove { fingerprint: gone })?;
            Ok((aliases, id, Stamp::take()))
        });
        let (aliases, id, stamp) = write.await?;
        for alias in aliases {
            let name = alias.name.to_string();
            self.aliases.insert(stamp, &name, Alias { target: new.clone(), ..alias });
        }
        self.images.remove(stamp, old.as_str());
        crash_at("image-refresh:files");
        self.remove(old).await?;
        journal::give_up(self.store.clone(), id).await;
        drop(leaving);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::Time;
    use api::images::UpdateSource;
    use model::arch::Architecture;

    #[test]
    fn which_images_are_looked_at() {
        let image = |auto_update: bool, cached: bool, has_source: bool| Record {
            fingerprint: Fingerprint::parse(&"a".repeat(64)).unwrap(),
            filename: String::new(),
            size: 1,
            public: false,
            cached,
            auto_update,
            architecture: Architecture::X86_64,
            created_at: Time::UNSET,
            expires_at: Time::UNSET,
            last_used_at: Time::UNSET,
            uploaded_at: Time::UNSET,
            properties: api::Config::new(),
            source: has_source.then(UpdateSource::default),
        };
        assert!(is_kept_up_to_date(&image(true, false, true), false));
        assert!(is_kept_up_to_date(&image(true, true, true), true));
        // lxc config set images.auto_update_cached false
        assert!(!is_kept_up_to_date(&image(true, true, true), false));
        assert!(!is_kept_up_to_date(&image(false, false, true), true));
        assert!(!is_kept_up_to_date(&image(true, false, false), true));
    }

    #[test]
    fn pauses_are_spread() {
        let hour = Duration::from_secs(3600);
        assert_eq!(pause(hour, 0), hour);
        assert_eq!(pause(hour, u8::MAX), hour + Duration::from_secs(180));
    }
}
