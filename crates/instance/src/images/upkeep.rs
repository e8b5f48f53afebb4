//! Upkeep of the store: cached images that nobody used for long are removed.

use super::Images;
use crate::settings::{Changes, Settings};
use api::Time;
use std::time::Duration;
use store::images::Image as Record;

/// How often cached images are looked at.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Whether an image was only kept because a container was made from it, and that is long ago. One that
/// was never used is as old as its download.
fn is_expired(image: &Record, now: Time, keep: Duration) -> bool {
    let last = if image.last_used_at.is_set() { image.last_used_at } else { image.uploaded_at };
    let age = u64::try_from(now.unix().saturating_sub(last.unix())).unwrap_or(0);
    image.cached && age > keep.as_secs()
}

impl Images {
    /// Removes cached images that were not used for `images.remote_cache_expiry`: now, once a day, and
    /// when that key changes; for as long as the daemon lives.
    pub(crate) async fn keep_cache(self, settings: Settings) {
        let mut changes = settings.changes();
        loop {
            let keep = settings.remote_cache_expiry();
            if let Some(keep) = keep {
                self.remove_expired(Time::now(), keep).await;
            }
            tokio::select! {
                () = tokio::time::sleep(DAY) => {}
                () = changed(&mut changes, || settings.remote_cache_expiry() != keep) => {}
            }
        }
    }

    /// One that cannot be removed keeps nobody from removing the others.
    async fn remove_expired(&self, now: Time, keep: Duration) {
        let mut images = self.images.all();
        images.retain(|image| is_expired(image, now, keep));
        for image in images {
            // What a container is just being made from is not old any more.
            let Some(leaving) = self.uses.leave(&image.fingerprint) else { continue };
            let still = self.images.get(image.fingerprint.as_str());
            if still.is_none_or(|image| !is_expired(&image, now, keep)) {
                continue;
            }
            match self.remove_whole(&image.fingerprint).await {
                Ok(()) => {
                    tracing::info!(image = %image.fingerprint, "removed a cached image that was not used for long");
                }
                Err(error) => {
                    tracing::error!(image = %image.fingerprint, error = %error.story(), "cannot remove a cached image");
                }
            }
            drop(leaving);
        }
    }
}

/// Waits for a change of the configuration that matters.
pub(super) async fn changed(changes: &mut Changes, matters: impl Fn() -> bool) {
    loop {
        changes.next().await;
        if matters() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::arch::Architecture;
    use model::names::Fingerprint;

    const TEN_DAYS: Duration = Duration::from_secs(10 * 24 * 60 * 60);

    fn image(cached: bool, used_days_ago: Option<i64>, uploaded_days_ago: i64, now: Time) -> Record {
        let ago = |days: i64| Time::from_unix(now.unix() - days * 24 * 60 * 60);
        Record {
            fingerprint: Fingerprint::parse(&"a".repeat(64)).unwrap(),
            filename: String::new(),
            size: 1,
            public: false,
            cached,
            auto_update: false,
            architecture: Architecture::X86_64,
            created_at: Time::UNSET,
            // Informative only.
            expires_at: ago(100),
            last_used_at: used_days_ago.map_or(Time::UNSET, ago),
            uploaded_at: ago(uploaded_days_ago),
            properties: api::Config::new(),
            source: None,
        }
    }

    #[test]
    fn only_cached_images_that_were_not_used_expire() {
        let now = Time::from_unix(1_700_000_000);
        let expired = |cached, used, uploaded| is_expired(&image(cached, used, uploaded, now), now, TEN_DAYS);
        assert!(expired(true, Some(11), 50));
        assert!(expired(true, None, 11));
        assert!(!expired(true, Some(9), 50));
        assert!(!expired(true, Some(10), 50), "on the last day it is still kept");
        assert!(!expired(true, None, 9));
        assert!(!expired(false, Some(11), 50) && !expired(false, None, 50));
        // The clock went back.
        assert!(!expired(true, Some(-5), -5));
    }

    #[tokio::test]
    async fn other_keys_do_not_matter() {
        let settings = Settings::of(api::Config::new());
        let mut changes = settings.changes();
        let keep = settings.remote_cache_expiry();
        let set = |key: &str, value: &str| {
            settings.replace(api::Config::from([(key.to_owned(), value.to_owned())]));
        };
        set("core.proxy_http", "http://proxy:3128");
        let mut waiting = std::pin::pin!(changed(&mut changes, || settings.remote_cache_expiry() != keep));
        assert!(futures_util::poll!(&mut waiting).is_pending());
        set("images.remote_cache_expiry", "5");
        waiting.await;
    }
}
