//! Copies from one pool to another on the same host.

use super::{Pool, blocking};
use crate::config::VolumeConfig;
use crate::error::Error;
use crate::tree::{self, CopyOptions, Reflink};
use crate::volume::{Draft, Volume, VolumeSource};
use model::SnapshotName;
use std::os::fd::OwnedFd;

/// What is copied from another pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// The volume or snapshot there.
    pub volume: Volume,
    /// Its snapshots that come along, in the order in which they were taken.
    pub snapshots: Vec<SnapshotName>,
    /// Its configuration there.
    pub config: VolumeConfig,
    /// Files may come and go while it is copied.
    pub running: bool,
}

impl Pool {
    /// Makes a volume of one in another pool, by the streams of the driver where both have the same one
    /// that has any, by files otherwise.
    ///
    /// # Errors
    /// [`Error`]; nothing of it remains then.
    pub async fn copy_from(
        &self,
        other: &Self,
        parcel: &Parcel,
        volume: &Volume,
        config: &VolumeConfig,
    ) -> Result<(), Error> {
        let streams = self.kind() == other.kind() && self.capabilities().sends && other.capabilities().sends;
        let draft = if streams {
            self.inner.driver.draft_for_streams().await?
        } else {
            self.draft(VolumeSource::Empty, config).await?
        };
        let copied = if streams {
            self.by_streams(other, parcel, &draft).await
        } else {
            self.by_files(other, parcel, &draft).await
        };
        match copied {
            Ok(()) => {
                self.finish(draft, volume).await?;
                if streams {
                    self.resize(volume, config).await?;
                }
                Ok(())
            }
            Err(error) => {
                self.discard(draft).await?;
                let mounted = other.mount_volume(&parcel.volume, &parcel.config).await.ok();
                let files = mounted.as_ref().map(|mounted| mounted.path().to_owned());
                Err(self.no_room(error, volume, files).await)
            }
        }
    }

    async fn by_streams(&self, other: &Self, parcel: &Parcel, draft: &Draft) -> Result<(), Error> {
        let mut base: Option<&SnapshotName> = None;
        for name in parcel.snapshots.iter().map(Some).chain([None]) {
            let of = |name: &SnapshotName| parcel.volume.snapshot(name);
            let (from, before) = match name {
                Some(name) => (of(name), base.and_then(of)),
                None => (Some(parcel.volume.clone()), base.and_then(of)),
            };
            // Only what has snapshots is given with some.
            let Some(from) = from else { continue };
            let (reader, writer) = pipe()?;
            let _turn = other.inner.turns.take(&from).await;
            tokio::try_join!(
                other.inner.driver.send(&from, before.as_ref(), writer),
                self.inner.driver.receive(draft, name, base, reader),
            )?;
            base = name.or(base);
        }
        Ok(())
    }

    async fn by_files(&self, other: &Self, parcel: &Parcel, draft: &Draft) -> Result<(), Error> {
        let mut first = true;
        for name in parcel.snapshots.iter().map(Some).chain([None]) {
            let from = match name {
                Some(name) => parcel.volume.snapshot(name),
                None => Some(parcel.volume.clone()),
            };
            let Some(from) = from else { continue };
            let mounted = other.mount_volume(&from, &parcel.config).await?;
            let live = parcel.running && name.is_none();
            let (source, target) = (mounted.path().to_owned(), draft.path().to_owned());
            let limit = other.inner.config.rsync_bwlimit.or(self.inner.config.rsync_bwlimit);
            if first && limit.is_none() {
                blocking(move || {
                    let options = CopyOptions { live, reflink: &Reflink::default() };
                    Ok(tree::copy_tree(&source, &target, options).map(drop)?)
                })
                .await?;
            } else {
                // What the draft holds is an earlier state: only the difference is written, so that
                // its snapshots share the rest.
                tools::rsync::mirror(&source, &target, limit, live).await?;
            }
            if let Some(name) = name {
                self.draft_snapshot(draft, name).await?;
            }
            first = false;
        }
        Ok(())
    }
}

fn pipe() -> Result<(OwnedFd, OwnedFd), Error> {
    rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(|errno| Error::Io {
        step: "make a pipe for",
        path: "the volume".into(),
        source: errno.into(),
    })
}
