//! `lxc monitor`.

use crate::args::{LogLevel, MonitorArgs, MonitorFormat, MonitorKind};
use crate::output;
use crate::session::Session;
use crate::yaml;
use anyhow::{Context as _, ensure};
use api::events::{Event, Logging};
use client::EventKind;
use serde_json::Value;

pub(crate) async fn run(session: &Session, args: &MonitorArgs) -> anyhow::Result<()> {
    ensure!(
        !args.pretty || args.kinds == [MonitorKind::Logging],
        "Pretty rendering can only be used with --type=logging"
    );
    let kinds: Vec<EventKind> = args.kinds.iter().map(|&kind| event_kind(kind)).collect();
    let mut events = session.server(args.remote.as_deref())?.events(&kinds).await?;
    while let Some((event, raw)) = events.next_raw().await? {
        if args.pretty {
            if let Some(line) = pretty(&event, args.loglevel)? {
                output::line(line)?;
            }
            continue;
        }
        match args.format {
            MonitorFormat::Json => output::line(raw)?,
            MonitorFormat::Yaml => {
                let value: Value = serde_json::from_str(&raw)?;
                output::print(&format!("{}\n", yaml::to_string(&value)?))?;
            }
        }
    }
    Ok(())
}

fn event_kind(kind: MonitorKind) -> EventKind {
    match kind {
        MonitorKind::Operation => EventKind::Operation,
        MonitorKind::Logging => EventKind::Logging,
        MonitorKind::Lifecycle => EventKind::Lifecycle,
    }
}

/// `INFO   [2016-03-30T04:36:00Z] message key=value`; `None` for what is not important enough.
fn pretty(event: &Event, least: Option<LogLevel>) -> anyhow::Result<Option<String>> {
    let entry: Logging =
        serde_json::from_value(event.metadata.clone()).context("cannot understand a line of the log")?;
    let (level, word) = match entry.level.as_str() {
        "dbug" | "debug" | "trace" => (LogLevel::Debug, "DEBUG"),
        "warn" | "warning" => (LogLevel::Warn, "WARNING"),
        "eror" | "error" => (LogLevel::Error, "ERROR"),
        "crit" | "fatal" | "panic" => (LogLevel::Crit, "CRITICAL"),
        _ => (LogLevel::Info, "INFO"),
    };
    if least.is_some_and(|least| level < least) {
        return Ok(None);
    }
    let mut line = format!("{word:<8} [{}] {}", event.timestamp, entry.message);
    for (key, value) in &entry.context {
        line.push_str(&format!(" {key}={value}"));
    }
    Ok(Some(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pretty_lines_and_levels() {
        let event: Event = serde_json::from_value(serde_json::json!({
            "type": "logging", "timestamp": "2016-03-30T04:36:00Z",
            "metadata": {"message": "hello", "level": "warn", "context": {"a": "b"}}
        }))
        .unwrap();
        let line = pretty(&event, None).unwrap().unwrap();
        assert_eq!(line, "WARNING  [2016-03-30T04:36:00Z] hello a=b");
        assert!(pretty(&event, Some(LogLevel::Error)).unwrap().is_none());
        assert!(pretty(&event, Some(LogLevel::Warn)).unwrap().is_some());
    }
}
