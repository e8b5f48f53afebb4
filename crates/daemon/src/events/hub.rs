//! One ordered queue of events with many listeners.
//!
//! An event is made into a websocket frame once, and only when somebody wants it. A listener that
//! falls too far behind is told so and dropped; nobody waits for it.

use crate::streams::{Opcode, server_frame};
use api::Time;
use bytes::Bytes;
use serde::Serialize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::sync::broadcast;

/// How many events a listener may be behind.
const BACKLOG: usize = 2048;

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topic {
    /// An operation was made or changed.
    Operation,
    /// The daemon logged something.
    Logging,
    /// A container was made, changed or removed.
    Lifecycle,
}

impl Topic {
    const ALL: [Self; 3] = [Self::Operation, Self::Logging, Self::Lifecycle];

    const fn word(self) -> &'static str {
        match self {
            Self::Operation => "operation",
            Self::Logging => "logging",
            Self::Lifecycle => "lifecycle",
        }
    }
}

/// A word that is no topic.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("Unknown event type '{0}': use operation, logging or lifecycle")]
pub(crate) struct UnknownTopic(String);

/// What a listener wants to hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Topics([bool; 3]);

impl Topics {
    /// Reads the `type` parameter: words with commas between; without any, everything.
    ///
    /// # Errors
    /// A word that is no topic.
    pub(crate) fn parse(list: &str) -> Result<Self, UnknownTopic> {
        if list.is_empty() {
            return Ok(Self([true; 3]));
        }
        let mut topics = Self([false; 3]);
        for word in list.split(',') {
            let topic = Topic::ALL.into_iter().find(|topic| topic.word() == word);
            let topic = topic.ok_or_else(|| UnknownTopic(word.to_owned()))?;
            topics.0[topic as usize] = true;
        }
        Ok(topics)
    }

    const fn has(self, topic: Topic) -> bool {
        self.0[topic as usize]
    }
}

#[derive(Clone)]
struct Event {
    topic: Topic,
    frame: Bytes,
}

#[derive(Serialize)]
struct Wire<'a, T> {
    #[serde(rename = "type")]
    kind: &'static str,
    timestamp: Time,
    metadata: &'a T,
    location: &'static str,
}

/// Where events are published. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Hub {
    /// Made for the first listener: the queue takes a tenth of a megabyte, and most daemons have none.
    sender: Arc<OnceLock<broadcast::Sender<Event>>>,
    wanted: Arc<[AtomicUsize; 3]>,
}

impl Hub {
    /// Nobody listens yet.
    pub(crate) fn new() -> Self {
        Self { sender: Arc::default(), wanted: Arc::default() }
    }

    /// Whether somebody listens to this topic.
    pub(crate) fn wants(&self, topic: Topic) -> bool {
        self.wanted[topic as usize].load(Ordering::Relaxed) > 0
    }

    /// An operation was made or changed.
    pub(crate) fn operation(&self, operation: &api::operations::Operation) {
        self.publish(Topic::Operation, operation);
    }

    /// A container was made, changed or removed.
    pub(crate) fn lifecycle(&self, lifecycle: &api::events::Lifecycle) {
        self.publish(Topic::Lifecycle, lifecycle);
    }

    /// The daemon logged something.
    pub(crate) fn logging(&self, line: &api::events::Logging) {
        self.publish(Topic::Logging, line);
    }

    /// Whether log lines have to be made into events.
    pub(crate) fn wants_logging(&self) -> bool {
        self.wants(Topic::Logging)
    }

    fn publish<T: Serialize>(&self, topic: Topic, metadata: &T) {
        if !self.wants(topic) {
            return;
        }
        let wire = Wire { kind: topic.word(), timestamp: Time::now(), metadata, location: "none" };
        // Our own types have string keys only, so this cannot fail; a log line about it would come back here.
        if let (Some(sender), Ok(text)) = (self.sender.get(), serde_json::to_vec(&wire)) {
            let frame = Bytes::from(server_frame(Opcode::Text, &text));
            // An error means that the last listener has just left.
            let _ = sender.send(Event { topic, frame });
        }
    }

    /// Listens from now on.
    pub(crate) fn subscribe(&self, topics: Topics) -> Listener {
        // Before it counts, so that nothing is published past it.
        let receiver = self.sender.get_or_init(|| broadcast::Sender::new(BACKLOG)).subscribe();
        for topic in Topic::ALL.into_iter().filter(|topic| topics.has(*topic)) {
            self.wanted[topic as usize].fetch_add(1, Ordering::Relaxed);
        }
        Listener { receiver, topics, wanted: Arc::clone(&self.wanted) }
    }
}

/// The listener was too slow and missed events; it cannot know which.
#[derive(Debug, thiserror::Error)]
#[error("a listener fell more than {BACKLOG} events behind")]
pub(crate) struct Missed;

/// Somebody who listens.
pub(crate) struct Listener {
    receiver: broadcast::Receiver<Event>,
    topics: Topics,
    wanted: Arc<[AtomicUsize; 3]>,
}

impl Listener {
    /// Waits for an event, then takes all that are there, up to about `limit` bytes of frames.
    /// Nothing is lost when the future is dropped. For ever pending when no more can come.
    ///
    /// # Errors
    /// Events were missed.
    pub(crate) async fn frames(&mut self, into: &mut Vec<u8>, limit: usize) -> Result<(), Missed> {
        while into.is_empty() {
            match self.receiver.recv().await {
                Ok(event) => self.take(&event, into),
                Err(broadcast::error::RecvError::Lagged(_)) => return Err(Missed),
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            }
        }
        while into.len() < limit {
            match self.receiver.try_recv() {
                Ok(event) => self.take(&event, into),
                Err(broadcast::error::TryRecvError::Lagged(_)) => return Err(Missed),
                Err(_) => break,
            }
        }
        Ok(())
    }

    fn take(&self, event: &Event, into: &mut Vec<u8>) {
        if self.topics.has(event.topic) {
            into.extend_from_slice(&event.frame);
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        for topic in Topic::ALL.into_iter().filter(|topic| self.topics.has(*topic)) {
            self.wanted[topic as usize].fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::events::{Lifecycle, Logging};

    fn started(name: &str) -> Lifecycle {
        Lifecycle {
            action: "container-started".to_owned(),
            source: format!("/1.0/containers/{name}"),
            context: None,
        }
    }

    #[test]
    fn topics_are_words_with_commas_between() {
        assert_eq!(Topics::parse(""), Ok(Topics([true; 3])));
        assert_eq!(Topics::parse("lifecycle,operation"), Ok(Topics([true, false, true])));
        assert_eq!(Topics::parse("logging,"), Err(UnknownTopic(String::new())));
        assert_eq!(Topics::parse("loging"), Err(UnknownTopic("loging".to_owned())));
    }

    #[tokio::test]
    async fn listeners_get_what_they_want_in_order() {
        let hub = Hub::new();
        assert!(!hub.wants_logging());
        let mut listener = hub.subscribe(Topics::parse("lifecycle").unwrap());
        assert!(!hub.wants_logging());
        hub.lifecycle(&started("a"));
        hub.logging(&Logging::default());
        hub.lifecycle(&started("b"));
        let mut frames = Vec::new();
        listener.frames(&mut frames, 1 << 20).await.unwrap();
        let text = String::from_utf8_lossy(&frames).into_owned();
        let (a, b) = (text.find("containers/a").unwrap(), text.find("containers/b").unwrap());
        assert!(a < b);
        assert!(!text.contains("logging"));
        drop(listener);
        assert!(!hub.wants(Topic::Lifecycle));
    }

    #[tokio::test]
    async fn who_is_too_slow_is_told_so() {
        let hub = Hub::new();
        let mut slow = hub.subscribe(Topics::parse("lifecycle").unwrap());
        for _ in 0..=BACKLOG {
            hub.lifecycle(&started("a"));
        }
        assert!(slow.frames(&mut Vec::new(), 100).await.is_err());
    }
}
