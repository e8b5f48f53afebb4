//! The log: to standard error, to files, and to whoever listens to events.

use crate::events::{Hub, LogLayer};
use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{Targets, dynamic_filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// A log that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot open the log file {}", path.display())]
pub(crate) struct LogError {
    path: PathBuf,
    source: io::Error,
}

/// How much is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    /// Warnings and errors; files get some more.
    Normal,
    /// What happens.
    Verbose,
    /// Everything.
    Debug,
}

/// Starts logging, for the whole process.
///
/// # Errors
/// A file cannot be opened.
pub(crate) fn start(detail: Detail, files: &[PathBuf], hub: Hub) -> Result<(), LogError> {
    let (terminal, file) = match detail {
        Detail::Normal => (LevelFilter::WARN, LevelFilter::INFO),
        Detail::Verbose => (LevelFilter::INFO, LevelFilter::INFO),
        Detail::Debug => (LevelFilter::DEBUG, LevelFilter::DEBUG),
    };
    let mut layers = vec![
        tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_writer(io::stderr)
            .with_filter(Targets::new().with_default(terminal))
            .boxed(),
    ];
    for path in files {
        let log = open(path).map_err(|source| LogError { path: path.clone(), source })?;
        layers.push(
            tracing_subscriber::fmt::layer()
                .with_ansi(false)
                .with_writer(Arc::new(log))
                .with_filter(Targets::new().with_default(file))
                .boxed(),
        );
    }
    let listened = hub.clone();
    let events = LogLayer::new(hub).with_filter(dynamic_filter_fn(move |metadata, _| {
        *metadata.level() <= LevelFilter::DEBUG && listened.wants_logging()
    }));
    tracing_subscriber::registry().with(layers).with(events).init();
    Ok(())
}

fn open(path: &Path) -> io::Result<File> {
    File::options().append(true).create(true).mode(0o600).open(path)
}
