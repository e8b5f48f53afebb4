//! Sending and receiving volumes as differences between snapshots.

use super::header::Header;
use super::{State, names};
use crate::error::{Error, io_error};
use crate::pool::blocking;
use crate::volume::{Draft, Volume};
use model::SnapshotName;
use rustix::pipe::{PipeFlags, pipe_with};
use std::fs::File;
use std::io::Write as _;
use std::os::fd::OwnedFd;

impl State {
    /// The difference to a base can be told only if both are snapshots of one device; all of it is written
    /// else, which [`receive`](Self::receive) sees.
    pub(super) async fn send(
        &self,
        volume: &Volume,
        base: Option<&Volume>,
        to: OwnedFd,
    ) -> Result<(), Error> {
        // A snapshot is protected by this, as if it were to be cloned: nobody removes it meanwhile.
        let from = self.base(volume).await?;
        let since = self.since(base, &from.device).await?;
        let sent = self.rbd.export_diff(&from.device, &from.snapshot, since.as_deref(), to.into()).await;
        self.forget_base(&from).await;
        Ok(sent?)
    }

    async fn since(&self, base: Option<&Volume>, device: &str) -> Result<Option<String>, Error> {
        let Some(base) = base else { return Ok(None) };
        if base.parent().is_none_or(|of| names::device(&of) != device) {
            return Ok(None);
        }
        let wanted = names::snapshot_of(base);
        let snapshots = self.rbd.snapshots(device).await?.unwrap_or_default();
        Ok(snapshots.into_iter().map(|found| found.name).find(|name| *name == wanted))
    }

    pub(super) async fn receive(
        &self,
        draft: &Draft,
        snapshot: Option<&SnapshotName>,
        base: Option<&SnapshotName>,
        from: OwnedFd,
    ) -> Result<(), Error> {
        let stream = "read what is received for";
        let path = draft.path.clone();
        let (header, mut rest) = blocking(move || {
            let mut file = File::from(from);
            let header = Header::read(&mut file).map_err(io_error(stream, path))?;
            Ok((header, file))
        })
        .await?;
        if base.is_some() && header.from.is_none() {
            // What the draft holds is not what this begins with; its snapshots keep that.
            self.rbd.resize(&draft.name, 0).await?;
        }
        let (reader, writer) =
            pipe_with(PipeFlags::CLOEXEC).map_err(io_error("make a pipe for", &draft.path))?;
        let Header { bytes, to, .. } = header;
        let pump = tokio::task::spawn_blocking(move || {
            let mut writer = File::from(writer);
            writer.write_all(&bytes)?;
            std::io::copy(&mut rest, &mut writer)
        });
        self.rbd.import_diff(&draft.name, File::from(reader)).await?;
        let pumped = pump.await.map_err(|_| Error::ShuttingDown)?;
        pumped.map_err(io_error(stream, &draft.path))?;
        let Some(to) = to else { return Ok(()) };
        match snapshot.map(names::snapshot) {
            Some(wanted) if wanted == to => Ok(()),
            Some(wanted) => Ok(self.rbd.snap_rename(&draft.name, &to, &wanted).await?),
            None => Ok(self.rbd.snap_remove(&draft.name, &to).await?),
        }
    }
}
