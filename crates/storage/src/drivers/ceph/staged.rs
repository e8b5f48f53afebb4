//! Other contents for volumes.
//!
//! The content of one of a volume's own snapshots is put into its device, where all snapshots stay
//! (`rbd snap rollback`). That this is to be done is a note that is kept with the device: as long as it
//! says so, it may be done again. Any other content is a device of its own, known by its id, that is
//! exchanged for the volume's; snapshots of the old device become devices of their own before.

use super::{State, is, names};
use crate::config::VolumeConfig;
use crate::error::Error;
use crate::volume::{Staged, Volume, VolumeSource};
use model::units::Bytes;
use rustix::io::Errno;
use std::sync::Arc;

/// The note that is kept with a device: which restoration, how far it is, and of which snapshot.
const NOTE: &str = "lightervisor.restore";

/// How far a restoration in place is.
#[derive(Debug, PartialEq, Eq)]
enum Progress {
    /// `size`: what the volume is to have afterwards, in bytes, unless that is what it has then.
    Pending {
        token: u64,
        snapshot: String,
        size: Option<u64>,
    },
    Done {
        token: u64,
    },
}

impl Progress {
    fn parse(text: &str) -> Option<Self> {
        let (token, rest) = text.split_once(' ')?;
        let token = token.parse().ok()?;
        let words: Vec<&str> = rest.split(' ').collect();
        let pending = |snapshot: &str, size| Self::Pending { token, snapshot: snapshot.to_owned(), size };
        match words[..] {
            ["done"] => Some(Self::Done { token }),
            ["pending", snapshot] => Some(pending(snapshot, None)),
            ["pending", snapshot, size] => Some(pending(snapshot, Some(size.parse().ok()?))),
            _ => None,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Pending { token, snapshot, size: None } => format!("{token} pending {snapshot}"),
            Self::Pending { token, snapshot, size: Some(size) } => {
                format!("{token} pending {snapshot} {size}")
            }
            Self::Done { token } => format!("{token} done"),
        }
    }
}

/// Tells a device from all others; even, to tell it from a restoration in place.
fn token_of(id: &str) -> u64 {
    // FNV-1a: the ids are short, random and not chosen by anybody.
    let hash = id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash & !1
}

/// Odd, and no other restoration of the device has it.
fn new_token() -> u64 {
    token_of(&names::unique()) | 1
}

impl State {
    pub(super) async fn stage(
        self: &Arc<Self>,
        volume: &Volume,
        source: &VolumeSource,
        config: &VolumeConfig,
    ) -> Result<Staged, Error> {
        self.discard_staged(volume).await?;
        let device = names::device(volume);
        if let VolumeSource::Volume { volume: from, .. } = source
            && from.parent().as_ref() == Some(volume)
        {
            let snapshot = names::snapshot_of(from);
            let taken = self.rbd.snapshots(&device).await?.unwrap_or_default();
            if let Some(found) = taken.iter().find(|found| found.name == snapshot) {
                let wanted = config.size.map(|size| super::size::whole(size.0));
                let size = wanted.filter(|wanted| *wanted != found.size);
                let progress = Progress::Pending { token: new_token(), snapshot, size };
                self.rbd.set_note(&device, NOTE, &progress.text()).await?;
                return Ok(Staged(progress.token()));
            }
        }
        let staged = names::staged(volume);
        let built = self.build(&staged, volume, source, config).await;
        match source {
            VolumeSource::Volume { volume, .. } => self.expected(volume, built).await?,
            VolumeSource::Empty | VolumeSource::Draft(_) => built?,
        }
        self.id(&staged).await?.map(Staged).ok_or_else(|| self.not_staged(volume))
    }

    fn not_staged(&self, volume: &Volume) -> Error {
        Error::NotStaged { pool: self.pool.clone(), volume: volume.clone() }
    }

    async fn id(&self, device: &str) -> Result<Option<u64>, Error> {
        Ok(self.rbd.info(device).await?.map(|info| token_of(&info.id)))
    }

    pub(super) async fn commit_staged(
        self: &Arc<Self>,
        volume: &Volume,
        staged: &Staged,
    ) -> Result<(), Error> {
        if staged.0 & 1 == 1 {
            return self.roll_back(volume, staged.0).await;
        }
        let (present, beside) = (names::device(volume), names::staged(volume));
        if self.id(&present).await? != Some(staged.0) {
            if self.id(&beside).await? != Some(staged.0) {
                self.mend_exchange(volume).await?;
                return Err(self.not_staged(volume));
            }
            self.exchange(volume).await?;
        }
        self.mend_exchange(volume).await
    }

    async fn roll_back(self: &Arc<Self>, volume: &Volume, wanted: u64) -> Result<(), Error> {
        let device = names::device(volume);
        let note = self.rbd.note(&device, NOTE).await?;
        match note.as_deref().and_then(Progress::parse) {
            Some(Progress::Done { token }) if token == wanted => Ok(()),
            Some(Progress::Pending { token, snapshot, size }) if token == wanted => {
                let was = self.hide(volume).await?;
                self.rbd.snap_rollback(&device, &snapshot).await?;
                if let Some(size) = size
                    && let Err(error) = self.resize_device(&device, None, Bytes(size)).await
                {
                    // It is restored; what was in it then may need more room than it is to have now.
                    tracing::warn!(%volume, error = &error as &dyn std::error::Error, "a restored volume keeps the size of its snapshot");
                }
                self.rbd.set_note(&device, NOTE, &Progress::Done { token }.text()).await?;
                self.show(volume, was).await
            }
            _ => Err(self.not_staged(volume)),
        }
    }

    /// Each step may have been done by an earlier call.
    async fn exchange(self: &Arc<Self>, volume: &Volume) -> Result<(), Error> {
        let (present, beside) = (names::device(volume), names::staged(volume));
        let was = self.hide(volume).await?;
        if let Some(snapshots) = self.rbd.snapshots(&present).await? {
            for name in snapshots.iter().filter_map(|found| names::snapshot_name(&found.name)) {
                let Some(own) = volume.snapshot(&name) else { continue };
                let snapshot = names::snapshot(&name);
                self.rbd.snap_protect(&present, &snapshot).await?;
                let result = self.rbd.clone_snapshot(&present, &snapshot, &names::device(&own)).await;
                if !is(&result, Errno::EXIST) {
                    result?;
                }
            }
            self.rbd.rename(&present, &names::old(volume)).await?;
        }
        if let Err(error) = self.rbd.rename(&beside, &present).await {
            self.mend_exchange(volume).await?;
            return Err(error.into());
        }
        self.show(volume, was).await
    }

    /// What a volume was is deleted if the volume is there, and else is the volume again.
    pub(super) async fn mend_exchange(self: &Arc<Self>, volume: &Volume) -> Result<(), Error> {
        let (present, old) = (names::device(volume), names::old(volume));
        if self.rbd.info(&old).await?.is_none() {
            return Ok(());
        }
        if self.rbd.info(&present).await?.is_some() {
            return self.retire(&old).await.map(drop);
        }
        Ok(self.rbd.rename(&old, &present).await?)
    }

    pub(super) async fn discard_staged(self: &Arc<Self>, volume: &Volume) -> Result<(), Error> {
        self.retire(&names::staged(volume)).await?;
        Ok(self.rbd.remove_note(&names::device(volume), NOTE).await?)
    }
}

impl Progress {
    const fn token(&self) -> u64 {
        match self {
            Self::Pending { token, .. } | Self::Done { token } => *token,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_read_as_they_were_written() {
        for progress in [
            Progress::Pending { token: 17, snapshot: "snapshot_a%20b".into(), size: None },
            Progress::Pending { token: 17, snapshot: "snapshot_a".into(), size: Some(1 << 30) },
            Progress::Done { token: u64::MAX },
        ] {
            assert_eq!(Progress::parse(&progress.text()), Some(progress));
        }
        for text in ["", "done", "1", "1 pending", "x done", "1 done x", "1 pending a b"] {
            assert_eq!(Progress::parse(text), None, "{text}");
        }
    }

    #[test]
    fn devices_and_restorations_are_told_apart() {
        assert_ne!(token_of("1011820f0929"), token_of("1011820f0928"));
        assert_eq!((token_of("102b3333cec") & 1, new_token() & 1), (0, 1));
        assert_ne!(new_token(), new_token());
    }
}
