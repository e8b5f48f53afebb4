//! Work in the background and what it tells while it runs.

use crate::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// What a finished operation shows as its `metadata`; `None` keeps what progress put there.
pub type Outcome = Option<serde_json::Map<String, serde_json::Value>>;

/// The second half of a verb. Dropping it before its end undoes what was begun.
pub type Work = Pin<Box<dyn Future<Output = Result<Outcome, Error>> + Send>>;

/// Where work reports how far it is: the operation's `metadata` while it runs.
#[derive(Clone)]
pub struct Progress(Arc<dyn Fn(serde_json::Map<String, serde_json::Value>) + Send + Sync>);

impl Progress {
    /// Calls `report` with each new metadata object.
    pub fn new(report: impl Fn(serde_json::Map<String, serde_json::Value>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(report))
    }

    /// Reports to nobody.
    #[must_use]
    pub fn ignore() -> Self {
        Self::new(|_| {})
    }

    /// Shows a whole object.
    pub fn report(&self, metadata: serde_json::Map<String, serde_json::Value>) {
        (self.0)(metadata);
    }

    /// Shows one key.
    pub fn show(&self, key: &str, value: impl Into<serde_json::Value>) {
        let mut map = serde_json::Map::new();
        map.insert(key.to_owned(), value.into());
        self.report(map);
    }
}
