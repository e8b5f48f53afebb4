//! What is done when clients have gone: memory that their requests took goes back to the kernel.

use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// How long after a connection's end, and how often at most: operations that have ended can still be asked
/// about for some seconds, and memory in use keeps what lies around it.
const AFTER: Duration = Duration::from_secs(7);

/// Tidies up some time after it was asked to. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Tidy(Arc<Notify>);

impl Tidy {
    /// Starts the task that does it. It sleeps as long as nobody asks.
    pub(crate) fn start() -> Self {
        let asked = Arc::new(Notify::new());
        tokio::spawn({
            let asked = asked.clone();
            async move {
                loop {
                    asked.notified().await;
                    tokio::time::sleep(AFTER).await;
                    // A failure is a panic, which was logged.
                    let _ = tokio::task::spawn_blocking(instance::Host::give_back_memory).await;
                }
            }
        });
        Self(asked)
    }

    /// Asks for it.
    pub(crate) fn soon(&self) {
        self.0.notify_one();
    }
}
