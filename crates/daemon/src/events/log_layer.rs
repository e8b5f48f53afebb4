//! Log lines as events.

use super::Hub;
use api::events::Logging;
use std::fmt::Debug;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Publishes every log line that somebody listens to.
pub(crate) struct LogLayer {
    hub: Hub,
}

impl LogLayer {
    /// Publishes to `hub`.
    pub(crate) fn new(hub: Hub) -> Self {
        Self { hub }
    }
}

impl<S: Subscriber> Layer<S> for LogLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if !self.hub.wants_logging() {
            return;
        }
        let mut line =
            Line(Logging { level: word(*event.metadata().level()).to_owned(), ..Logging::default() });
        event.record(&mut line);
        self.hub.logging(&line.0);
    }
}

/// The level as clients know it.
fn word(level: Level) -> &'static str {
    match level {
        Level::ERROR => "eror",
        Level::WARN => "warn",
        Level::INFO => "info",
        _ => "dbug",
    }
}

struct Line(Logging);

impl Line {
    fn put(&mut self, field: &Field, text: String) {
        if field.name() == "message" {
            self.0.message = text;
        } else {
            self.0.context.insert(field.name().to_owned(), text);
        }
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::Topics;
    use tracing_subscriber::layer::SubscriberExt as _;

    #[tokio::test]
    async fn a_line_becomes_an_event_with_its_fields() {
        let hub = Hub::new();
        let mut listener = hub.subscribe(Topics::parse("logging").unwrap());
        let subscriber = tracing_subscriber::registry().with(LogLayer::new(hub));
        tracing::subscriber::with_default(subscriber, || {
            tracing::error!(container = "c1", attempts = 3, "it did not start");
        });
        let mut frames = Vec::new();
        listener.frames(&mut frames, 1).await.unwrap();
        let text = String::from_utf8_lossy(&frames).into_owned();
        let start = text.find('{').unwrap();
        let event: api::events::Event = serde_json::from_str(&text[start..]).unwrap();
        let line: Logging = serde_json::from_value(event.metadata).unwrap();
        assert_eq!((line.message.as_str(), line.level.as_str()), ("it did not start", "eror"));
        assert_eq!(line.context["container"], "c1");
        assert_eq!(line.context["attempts"], "3");
    }
}
