//! Publish: a stopped container, or a snapshot, becomes an image.

use super::owner::{Owner, Request};
use super::registry::Entry;
use super::{Instances, allowed};
use crate::images::Description;
use crate::{Error, Progress, Work};
use api::{Config, Time};
use image::pack::{PackError, Packed, Source, pack};
use model::names::{InstanceName, SnapshotName};
use model::state::Action;
use model::{Compression, IdMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use storage::{Volume, VolumeConfig};
use store::snapshots::Snapshot;

/// How often progress is told.
const INTERVAL: Duration = Duration::from_millis(500);

/// What is to become an image.
#[derive(Clone, Debug)]
pub struct Publication {
    /// `container`, or `container/snapshot`.
    pub source: String,
    /// How it is compressed: a value of `images.compression_algorithm`.
    pub compression: String,
    /// In place of the properties that the container's own image had; empty: those stay.
    pub properties: Config,
    /// When the image should no longer be used; unset: as the container's own image.
    pub expires_at: Option<Time>,
    /// What the image is to be in the store. Its properties come from the image itself.
    pub description: Description,
}

/// What the owner of a container is asked for.
pub(crate) struct Job {
    compression: Compression,
    wanted: Wanted,
    /// Where the files of the image are made.
    directory: PathBuf,
    progress: Meter,
}

/// What the new image is to say about itself.
#[derive(Clone)]
struct Wanted {
    properties: Config,
    expires_at: Option<i64>,
}

impl Instances {
    /// Makes an image of a container or snapshot; the outcome is `{fingerprint, size}`.
    ///
    /// # Errors
    /// Not found; it runs; an alias is taken; no such compression, or its program is missing.
    pub fn publish(&self, publication: Publication, progress: Progress) -> Result<Work, Error> {
        let Publication { source, compression, properties, expires_at, mut description } = publication;
        let compression = Compression::parse(&compression).map_err(|reason| {
            let key = "compression_algorithm".to_owned();
            Error::Config(model::config::ConfigError::InvalidValue { key, value: compression, reason })
        })?;
        if let Some(program) = compression.program() {
            tools::require(program).map_err(|error| image::Error::from(PackError::from(error)))?;
        }
        let (container, snapshot) = match source.split_once('/') {
            Some((container, snapshot)) => (container, Some(snapshot)),
            None => (source.as_str(), None),
        };
        let entry = self.context.registry.get(container)?;
        let snapshot = snapshot.map(|name| entry.snapshot(name)).transpose()?;
        if snapshot.is_none() {
            allowed(&entry, Action::Publish)?;
        }
        self.context.images.check_aliases(&description.aliases)?;
        description.properties = Config::new();
        let expires_at = expires_at.filter(|time| *time != Time::UNSET).map(|time| time.0.as_second());
        let wanted = Wanted { properties, expires_at };
        let instances = self.clone();
        Ok(self.context.explained(Box::pin(async move {
            let images = &instances.context.images;
            let upload = images.upload().await?;
            let directory = upload.directory().to_owned();
            let job = Job { compression, wanted, directory, progress: Meter::new(progress) };
            let packed = match snapshot {
                Some(snapshot) => instances.publish_snapshot(&entry, &snapshot, job).await?,
                None => entry.ask(|reply| Request::Publish { job: Box::new(job), reply }).await?,
            };
            images.keep_packed(upload, packed, description).await.map(Some)
        })))
    }

    /// The container goes on meanwhile, so its owner is not asked; a snapshot that was removed or
    /// replaced meanwhile is found out at the end.
    async fn publish_snapshot(&self, entry: &Entry, snapshot: &Snapshot, job: Job) -> Result<Packed, Error> {
        let view = entry.view();
        let volumes = self.context.pools.usable(&self.context.pools.of_instance(&view)?)?;
        let volume = Volume::ContainerSnapshot(InstanceName::parse(&view.name)?, snapshot.name.clone());
        let mounted = volumes.mount_volume(&volume, &VolumeConfig::default()).await?;
        let content = &snapshot.content;
        let source = source_of(mounted.path(), &content.config, content.architecture.name(), &job.wanted)?;
        let packed = job.run(source).await?;
        let name: &SnapshotName = &snapshot.name;
        match entry.snapshot(name.as_str()) {
            Ok(now) if now.created_at == snapshot.created_at => Ok(packed),
            _ => Err(Error::not_found("Snapshot", &format!("{}/{name}", view.name))),
        }
    }
}

impl Owner {
    /// Makes an image of the container's files, which nobody changes meanwhile.
    pub(super) async fn publish(&mut self, job: Job) -> Result<Packed, Error> {
        self.allow(Action::Publish)?;
        let mounted = self.context.pools.container(&self.record.pool, &self.record.name).await?;
        let architecture = self.record.architecture.name();
        let source = source_of(mounted.path(), &self.record.config, architecture, &job.wanted)?;
        job.run(source).await
    }
}

fn source_of(volume: &Path, config: &Config, architecture: &str, wanted: &Wanted) -> Result<Source, Error> {
    let idmap = match config.get("volatile.last_state.idmap") {
        Some(text) => Some(IdMap::from_json(text)?).filter(|map| !map.is_privileged()),
        None => None,
    };
    let Wanted { properties, expires_at } = wanted.clone();
    Ok(Source {
        volume: volume.to_owned(),
        idmap,
        architecture: architecture.to_owned(),
        properties,
        expires_at,
    })
}

impl Job {
    async fn run(self, source: Source) -> Result<Packed, Error> {
        let (rootfs, total) = (source.volume.join("rootfs"), self.progress.total.clone());
        // Beside the work itself; without it, progress has no percentage.
        tokio::task::spawn_blocking(move || {
            if let Ok(bytes) = storage::tree::usage(&rootfs) {
                total.store(bytes, Ordering::Relaxed);
            }
        });
        let meter = self.progress;
        let packed = pack(source, self.compression, &self.directory, move |bytes| meter.read(bytes)).await;
        Ok(packed.map_err(image::Error::from)?)
    }
}

/// Tells how far the work is.
struct Meter {
    progress: Progress,
    total: Arc<AtomicU64>,
    begun: Instant,
    told: Mutex<Instant>,
}

impl Meter {
    fn new(progress: Progress) -> Self {
        let now = Instant::now();
        Self { progress, total: Arc::default(), begun: now, told: Mutex::new(now) }
    }

    fn read(&self, bytes: u64) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.elapsed() < INTERVAL {
            return;
        }
        *told = Instant::now();
        let metadata = shown(bytes, self.total.load(Ordering::Relaxed), self.begun.elapsed());
        self.progress.report(metadata);
    }
}

/// Progress in the form that clients of LXD read. Pure.
fn shown(bytes: u64, total: u64, elapsed: Duration) -> serde_json::Map<String, serde_json::Value> {
    let milliseconds = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
    let speed = bytes.saturating_mul(1000) / milliseconds;
    // What is on disk is not quite what is read.
    let percent = (total > 0).then(|| (u128::from(bytes) * 100 / u128::from(total)).min(99));
    let done = percent.map_or_else(|| size(bytes), |percent| format!("{percent}%"));
    let stage = "create_image_from_container_pack";
    let mut progress = serde_json::Map::new();
    progress.insert("stage".to_owned(), stage.into());
    progress.insert("processed".to_owned(), bytes.to_string().into());
    progress.insert("percent".to_owned(), percent.unwrap_or(0).to_string().into());
    progress.insert("speed".to_owned(), speed.to_string().into());
    let mut metadata = serde_json::Map::new();
    metadata.insert(format!("{stage}_progress"), format!("Image pack: {done} ({}/s)", size(speed)).into());
    metadata.insert("progress".to_owned(), progress.into());
    metadata
}

/// Two digits of the unit that fits.
fn size(bytes: u64) -> String {
    let units = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1000, "kB")];
    match units.into_iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => format!("{}.{:02}{name}", bytes / unit, bytes % unit * 100 / unit),
        None => format!("{bytes}B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_told_with_and_without_a_total() {
        let text = |bytes, total| {
            let shown = shown(bytes, total, Duration::from_secs(2));
            shown["create_image_from_container_pack_progress"].as_str().unwrap().to_owned()
        };
        assert_eq!(text(12_340_000, 0), "Image pack: 12.34MB (6.17MB/s)");
        assert_eq!(text(50_000, 200_000), "Image pack: 25% (25.00kB/s)");
        assert_eq!(text(300_000, 200_000), "Image pack: 99% (150.00kB/s)");
        assert_eq!(text(0, 0), "Image pack: 0B (0B/s)");
        assert_eq!(shown(7, 0, Duration::ZERO)["progress"]["processed"], "7");
    }
}
