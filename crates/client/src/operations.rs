//! Background operations: list, wait, cancel.

use crate::{Client, Error, EventKind};
use api::{StatusCode, operations::Operation};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long an operation may take before its progress is worth an events stream.
const PATIENCE: Duration = Duration::from_millis(300);

/// An operation that was started.
#[derive(Clone, Debug)]
pub struct Pending {
    client: Client,
    /// The operation as the answer to the request showed it.
    pub operation: Operation,
}

impl Client {
    /// All operations.
    ///
    /// # Errors
    /// As for every request.
    pub async fn operations(&self) -> Result<Vec<Operation>, Error> {
        let by_status: BTreeMap<String, Vec<Operation>> = self.get("/1.0/operations?recursion=1").await?;
        Ok(by_status.into_values().flatten().collect())
    }

    /// One operation.
    ///
    /// # Errors
    /// 404 when it is unknown, or ended more than five seconds ago.
    pub async fn operation(&self, id: &str) -> Result<Operation, Error> {
        self.get(&path(id)).await
    }

    /// Cancels an operation.
    ///
    /// # Errors
    /// 404 unknown, 400 when it cannot be cancelled.
    pub async fn cancel_operation(&self, id: &str) -> Result<(), Error> {
        self.remove(&path(id)).await
    }

    /// Waits for an operation's end with one long poll and returns it, well or badly ended.
    ///
    /// # Errors
    /// 404 when it is unknown; the connection broke.
    pub async fn wait_operation(&self, id: &str) -> Result<Operation, Error> {
        self.get(&format!("{}/wait", path(id))).await
    }
}

impl Pending {
    pub(crate) fn new(client: Client, operation: Operation) -> Self {
        Self { client, operation }
    }

    /// Where it runs.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// [`Error::Operation`] when it failed or was cancelled.
    pub async fn wait(&self) -> Result<Operation, Error> {
        if self.operation.status_code.is_final() {
            return outcome(self.operation.clone());
        }
        outcome(self.client.wait_operation(&self.operation.id).await?)
    }

    /// Waits for the end and tells each progress text, such as `rootfs: 42% (3.10MB/s)`. An events
    /// stream is opened only for operations that take a while.
    ///
    /// # Errors
    /// As [`Pending::wait`].
    pub async fn wait_with(&self, mut progress: impl FnMut(&str)) -> Result<Operation, Error> {
        let waiting = self.wait();
        tokio::pin!(waiting);
        if let Ok(result) = tokio::time::timeout(PATIENCE, &mut waiting).await {
            return result;
        }
        let Ok(mut events) = self.client.events(&[EventKind::Operation]).await else {
            return waiting.await;
        };
        loop {
            tokio::select! {
                result = &mut waiting => return result,
                event = events.next() => match event {
                    Ok(Some(event)) => {
                        if let Some(text) = progress_text(&event.metadata, &self.operation.id) {
                            progress(&text);
                        }
                    }
                    Ok(None) | Err(_) => return waiting.await,
                },
            }
        }
    }

    /// Asks the daemon to cancel it.
    ///
    /// # Errors
    /// 400 when it cannot be cancelled.
    pub async fn cancel(&self) -> Result<(), Error> {
        self.client.cancel_operation(&self.operation.id).await
    }

    /// The last segment of the first resource of this kind: the name of what is being made.
    #[must_use]
    pub fn resource(&self, kinds: &[&str]) -> Option<&str> {
        let resources = self.operation.resources.as_ref()?;
        kinds.iter().find_map(|kind| resources.get(*kind)?.first()?.rsplit('/').next())
    }
}

fn path(id: &str) -> String {
    format!("/1.0/operations/{}", crate::encode_segment(id))
}

fn outcome(operation: Operation) -> Result<Operation, Error> {
    match operation.status_code {
        StatusCode::Success => Ok(operation),
        code => {
            let message = if operation.err.is_empty() { code.text().to_owned() } else { operation.err };
            Err(Error::Operation { message, cancelled: code == StatusCode::Cancelled })
        }
    }
}

/// The value of the first `…_progress` key of an operation event.
fn progress_text(metadata: &serde_json::Value, id: &str) -> Option<String> {
    if metadata.get("id")?.as_str()? != id {
        return None;
    }
    let values = metadata.get("metadata")?.as_object()?;
    let text = values.iter().find(|(key, _)| key.ends_with("_progress"))?.1.as_str()?;
    let left = values.get("progress").and_then(|fields| fields.get("seconds_left")?.as_u64());
    Some(match left {
        Some(seconds) if seconds >= 60 => format!("{text}, {}m{:02}s left", seconds / 60, seconds % 60),
        Some(seconds) => format!("{text}, {seconds}s left"),
        None => text.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_progress_of_this_operation_counts() {
        let event = serde_json::json!({"id": "a", "metadata": {"download_progress": "rootfs: 4%"}});
        assert_eq!(progress_text(&event, "a").as_deref(), Some("rootfs: 4%"));
        let download = serde_json::json!({"id": "a", "metadata": {
            "download_progress": "rootfs: 4% (1.00MB/s)", "progress": {"seconds_left": 61}
        }});
        assert_eq!(progress_text(&download, "a").unwrap(), "rootfs: 4% (1.00MB/s), 1m01s left");
        assert_eq!(progress_text(&event, "b"), None);
        assert_eq!(progress_text(&serde_json::json!({"id": "a", "metadata": null}), "a"), None);
    }
}
