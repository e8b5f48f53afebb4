//! The server's configuration as it is now: typed values, and word of every change.
//!
//! Whoever depends on a key keeps a clone of [`Settings`] and reads the value when it is needed; whoever
//! sleeps until then subscribes.

use crate::Error;
use api::{Config, Time};
use jiff::tz::TimeZone;
use model::config::is_true;
use model::config::server::value;
use model::snapshots::Expiry;
use std::sync::Arc;
use std::time::Duration;
use store::Store;
use tokio::sync::watch;
use transport::proxy::Proxies;

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// The server's configuration as it is now. Cheap to clone; all clones see the same.
#[derive(Clone, Debug)]
pub struct Settings(Arc<watch::Sender<Arc<Config>>>);

impl Settings {
    /// Reads what is stored.
    pub(crate) async fn open(store: &Store) -> Result<Self, Error> {
        Ok(Self::of(store.read(store::server_config::get).await?))
    }

    /// These keys, kept nowhere.
    #[must_use]
    pub fn of(config: Config) -> Self {
        Self(Arc::new(watch::Sender::new(Arc::new(config))))
    }

    /// Every key that is set, with its value. Hidden ones too: not for clients.
    pub(crate) fn all(&self) -> Arc<Config> {
        Arc::clone(&self.0.borrow())
    }

    /// To be called after they were stored.
    pub(crate) fn replace(&self, config: Config) {
        let _ = self.0.send_replace(Arc::new(config));
    }

    /// Wakes its owner after every change of any key.
    #[must_use]
    pub fn changes(&self) -> Changes {
        Changes(self.0.subscribe())
    }

    /// The value of a key, or its default; `None` when it has neither.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<String> {
        value(&self.0.borrow(), key).map(str::to_owned)
    }

    fn number(&self, key: &str) -> u64 {
        // Checked when it was set; below zero counts as never.
        self.get(key).and_then(|text| text.parse::<i64>().ok()).and_then(|n| n.try_into().ok()).unwrap_or(0)
    }

    fn period(&self, key: &str, unit: u64) -> Option<Duration> {
        let count = self.number(key);
        (count > 0).then(|| Duration::from_secs(count.saturating_mul(unit)))
    }

    /// `core.proxy_*`, and where they are not set what the daemon's environment says.
    #[must_use]
    pub fn proxies(&self) -> Proxies {
        let get = |key| self.get(key).unwrap_or_default();
        let configured = Proxies {
            http: get("core.proxy_http"),
            https: get("core.proxy_https"),
            ignore: get("core.proxy_ignore_hosts"),
        };
        configured.or(Proxies::from_environment())
    }

    /// `core.trust_ca_certificates`.
    #[must_use]
    pub fn trust_ca_certificates(&self) -> bool {
        self.get("core.trust_ca_certificates").is_some_and(|text| is_true(&text))
    }

    /// `core.remote_token_expiry`: until when a token is good that is made now; `None` for no end.
    #[must_use]
    pub fn token_expiry(&self) -> Option<Time> {
        let expiry = Expiry::parse(&self.get("core.remote_token_expiry")?).ok()?;
        let now = Time::now().0.to_zoned(TimeZone::UTC).datetime();
        expiry.after(now).to_zoned(TimeZone::UTC).ok().map(|end| Time(end.timestamp()))
    }

    /// `images.auto_update_cached`.
    #[must_use]
    pub fn auto_update_cached(&self) -> bool {
        self.get("images.auto_update_cached").is_some_and(|text| is_true(&text))
    }

    /// `images.auto_update_interval`; `None` for never.
    #[must_use]
    pub fn auto_update_interval(&self) -> Option<Duration> {
        self.period("images.auto_update_interval", HOUR)
    }

    /// `images.remote_cache_expiry`; `None` for never.
    #[must_use]
    pub fn remote_cache_expiry(&self) -> Option<Duration> {
        self.period("images.remote_cache_expiry", DAY)
    }

    /// `images.compression_algorithm`: `none`, or a program with its arguments.
    #[must_use]
    pub fn compression_algorithm(&self) -> String {
        self.get("images.compression_algorithm").unwrap_or_default()
    }
}

/// Word of changes.
#[derive(Debug)]
pub struct Changes(watch::Receiver<Arc<Config>>);

impl Changes {
    /// Waits until any key has changed since the last call.
    pub async fn next(&mut self) {
        if self.0.changed().await.is_err() {
            // Nobody can change anything any more.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(pairs: &[(&str, &str)]) -> Config {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[tokio::test]
    async fn values_are_typed_and_changes_are_told() {
        let settings = Settings::of(Config::new());
        assert!(settings.auto_update_cached());
        assert_eq!(settings.auto_update_interval(), Some(Duration::from_secs(6 * HOUR)));
        assert_eq!(settings.remote_cache_expiry(), Some(Duration::from_secs(10 * DAY)));
        assert_eq!(settings.compression_algorithm(), "gzip");
        let mut changes = settings.clone().changes();
        settings.replace(set(&[
            ("images.auto_update_cached", "no"),
            ("images.auto_update_interval", "0"),
            ("images.remote_cache_expiry", "-3"),
            ("core.proxy_http", "http://squid01.internal:3128"),
        ]));
        changes.next().await;
        assert!(!settings.auto_update_cached());
        assert_eq!(settings.auto_update_interval(), None);
        assert_eq!(settings.remote_cache_expiry(), None);
        assert_eq!(settings.proxies().http, "http://squid01.internal:3128");
    }
}
