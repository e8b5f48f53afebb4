//! The side that gets the container: files come into a draft that only root can reach, of which the
//! snapshots are taken, one after the other, and which becomes the container's volume.

use super::peer::Peer;
use super::{Meter, offer};
use crate::instances::context::Context;
use crate::{Error, Progress};
use api::Config;
use migration::Sink;
use model::names::{Fingerprint, ProfileName, SnapshotName};
use std::path::{Path, PathBuf};
use std::time::Duration;
use storage::{Draft, Volume, VolumeConfig, VolumeSource};
use store::instances::NewInstance;
use store::snapshots::Snapshot;

/// How often a directory is tried to be removed while the program that writes into it dies.
const TRIES: u32 = 20;
/// How long is waited between them.
const PAUSE: Duration = Duration::from_millis(250);

/// What has come: the volumes are there, and the other side waits for the word that they stay.
pub(in crate::instances) struct Received {
    /// Records of the snapshots.
    pub(in crate::instances) snapshots: Vec<Snapshot>,
    /// Keys of the container that tell what its files are like.
    pub(in crate::instances) keys: Config,
    /// To say how it ended.
    pub(in crate::instances) sink: Sink,
}

/// Receives the volumes of a new container. On failure some of them may be there; the other side has
/// been told.
pub(in crate::instances) async fn receive(
    context: &Context,
    (record, config): (&NewInstance, &VolumeConfig),
    peer: Peer,
    base: Option<Fingerprint>,
    progress: &Progress,
) -> Result<Received, Error> {
    let streams = peer.connect().await?;
    let mut sink = Sink::begin(streams).await?;
    match take(context, (record, config), &mut sink, base, progress).await {
        Ok((snapshots, keys)) => Ok(Received { snapshots, keys, sink }),
        Err(error) => {
            sink.fail(&error.story()).await;
            Err(error)
        }
    }
}

async fn take(
    context: &Context,
    (record, config): (&NewInstance, &VolumeConfig),
    sink: &mut Sink,
    base: Option<Fingerprint>,
    progress: &Progress,
) -> Result<(Vec<Snapshot>, Config), Error> {
    let idmap = offer::believe_idmap(&sink.offer().idmap)?.to_json();
    let has_profile = |profile: &ProfileName| context.profiles.get(profile.as_str()).is_ok();
    let snapshots = offer::believe(sink.offer(), record, &idmap, has_profile)?;
    let volumes = context.pools.usable(&record.pool)?;
    let target = Volume::Container(record.name.clone());
    let place = Place::make(context, (&volumes, config), base.filter(|_| sink.removes()), progress).await?;
    sink.answer(None).await?;
    crate::steps::crash_at("receive:answer");
    for snapshot in &snapshots {
        if !sink.removes() {
            // What is no longer there would stay.
            place.clear().await?;
        }
        into(sink, place.path(), snapshot.name.as_str(), progress).await?;
        place.snapshot(&snapshot.name).await?;
        crate::steps::crash_at("receive:snapshot");
    }
    if !sink.removes() && !snapshots.is_empty() {
        place.clear().await?;
    }
    into(sink, place.path(), record.name.as_str(), progress).await?;
    if sink.comes_twice() {
        into(sink, place.path(), record.name.as_str(), progress).await?;
    }
    crate::steps::crash_at("receive:volume");
    place.finish(&target).await?;
    Ok((snapshots, Config::from([(offer::ON_DISK.to_owned(), idmap)])))
}

pub(super) async fn into(sink: &mut Sink, path: &Path, name: &str, progress: &Progress) -> Result<(), Error> {
    crate::steps::crash_at("receive:tree");
    let meter = Meter::new(progress, name);
    Ok(sink.receive(path, &|bytes| meter.carried(bytes)).await?)
}

/// A draft for what comes, which goes in the end unless it became a volume.
pub(super) struct Place {
    volumes: storage::Pool,
    draft: Option<Draft>,
    path: PathBuf,
}

impl Place {
    /// Filled with the image that the container was made of, so that less has to come.
    async fn make(
        context: &Context,
        (volumes, config): (&storage::Pool, &VolumeConfig),
        base: Option<Fingerprint>,
        progress: &Progress,
    ) -> Result<Self, Error> {
        let source = match base {
            Some(fingerprint) => {
                let files = context.images.files(&fingerprint);
                context.pools.ensure_image(volumes, &fingerprint, files, progress).await?;
                VolumeSource::still(Volume::Image(fingerprint))
            }
            None => VolumeSource::Empty,
        };
        Self::of(volumes, source, config).await
    }

    /// Filled with this.
    pub(super) async fn of(
        volumes: &storage::Pool,
        source: VolumeSource,
        config: &VolumeConfig,
    ) -> Result<Self, Error> {
        let draft = volumes.draft(source, config).await?;
        let path = draft.path().to_owned();
        Ok(Self { volumes: volumes.clone(), draft: Some(draft), path })
    }

    /// Where the files go.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What it holds, to make something else of.
    pub(super) async fn source(&self) -> Result<VolumeSource, Error> {
        let draft = self.draft()?;
        self.volumes.tidy(draft).await?;
        Ok(VolumeSource::Draft(draft.clone()))
    }

    fn draft(&self) -> Result<&Draft, Error> {
        self.draft.as_ref().ok_or(Error::Shutdown)
    }

    /// Takes a snapshot of what it holds.
    async fn snapshot(&self, name: &SnapshotName) -> Result<(), Error> {
        let draft = self.draft()?;
        self.volumes.tidy(draft).await?;
        Ok(self.volumes.draft_snapshot(draft, name).await?)
    }

    /// Removes what it holds.
    pub(super) async fn clear(&self) -> Result<(), Error> {
        Ok(self.volumes.clear(self.draft()?).await?)
    }

    /// Makes a container's volume of it.
    async fn finish(mut self, target: &Volume) -> Result<(), Error> {
        self.volumes.tidy(self.draft()?).await?;
        let draft = self.draft.take().ok_or(Error::Shutdown)?;
        Ok(self.volumes.finish(draft, target).await?)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(draft) = self.draft.take() else { return };
        let volumes = self.volumes.clone();
        // Without a runtime the daemon ends; the next start removes it.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            for _ in 1..TRIES {
                if volumes.discard(draft.clone()).await.is_ok() {
                    return;
                }
                tokio::time::sleep(PAUSE).await;
            }
            if let Err(error) = volumes.discard(draft.clone()).await {
                tracing::warn!(path = %draft.path().display(), error = &error as &dyn std::error::Error, "cannot remove what was received; the next start will");
            }
        });
    }
}
