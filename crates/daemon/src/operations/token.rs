//! Tokens: an operation that does nothing but hold a secret, which lets somebody in once.

use super::Secret;
use serde_json::{Map, Value};
use std::sync::atomic::{AtomicBool, Ordering};

/// The key of the metadata under which a secret is told to who asked for it.
const SECRET: &str = "secret";

/// A secret that lets somebody in once.
pub(crate) struct Token {
    secret: Secret,
    /// What else its creator is told.
    details: Map<String, Value>,
    /// Somebody came with the secret.
    used: AtomicBool,
}

impl Token {
    /// A new one.
    ///
    /// # Errors
    /// There is no randomness for the secret.
    pub(crate) fn new(details: Map<String, Value>) -> std::io::Result<Self> {
        Ok(Self { secret: Secret::random()?, details, used: AtomicBool::new(false) })
    }

    /// What the client that asked for it is told, and nobody else.
    pub(crate) fn reveal(&self) -> Map<String, Value> {
        let mut metadata = self.details.clone();
        metadata.insert(SECRET.to_owned(), self.secret.reveal().into());
        metadata
    }

    /// Whether it is opened by this secret.
    pub(crate) fn is(&self, secret: &str) -> bool {
        self.secret.is(secret)
    }

    /// Lets the first bearer in and nobody after; what its creator was told.
    pub(crate) fn take_once(&self) -> Option<&Map<String, Value>> {
        (!self.used.swap(true, Ordering::AcqRel)).then_some(&self.details)
    }

    /// Lets its bearer in. `over`: its operation has ended. One that was used is good as long as its
    /// operation is remembered, because who looks at an image fetches it next; one that was
    /// cancelled opens nothing.
    pub(crate) fn take(&self, over: bool) -> bool {
        if !over {
            self.used.store(true, Ordering::Release);
        }
        self.used.load(Ordering::Acquire)
    }
}
