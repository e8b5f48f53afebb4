//! The side that has the container.

use crate::message::{CriuType, FsType, MigrationHeader, Snapshot};
use crate::negotiate::{accept, say};
use crate::{Agreement, Error, Progress, Streams, Transfer, control, session};
use std::path::Path;
use std::time::Duration;
use tools::rsync::Features;

/// How long the other side's own reason is waited for when a stream has broken.
const LAST_WORD: Duration = Duration::from_secs(2);

/// The side that has the container, after the other side has said how it wants it.
pub struct Source {
    streams: Streams,
    agreement: Agreement,
    wanted: Vec<String>,
    /// The other side has said that it has everything.
    confirmed: bool,
}

/// What a source has.
#[derive(Clone, Debug, Default)]
pub struct Offer {
    /// Ids of the host that the files belong to; empty: the container's own.
    pub idmap: Vec<crate::message::IdMapType>,
    /// Oldest first.
    pub snapshots: Vec<Snapshot>,
    /// It runs: files change while they are sent.
    pub running: bool,
}

impl Source {
    /// Says what there is, and hears how it is wanted. On an error the other side has been told.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn begin(mut streams: Streams, offer: Offer) -> Result<Self, Error> {
        let header = MigrationHeader {
            fs: FsType::Rsync.into(),
            criu: offer.running.then_some(CriuType::None.into()),
            idmap: offer.idmap,
            snapshot_names: offer.snapshots.iter().map(|snapshot| snapshot.name.clone()).collect(),
            snapshots: offer.snapshots,
            predump: Some(false),
            rsync_features: Some(say(Features::ALL)),
            ..MigrationHeader::default()
        };
        control::send(&mut streams.control, &header).await?;
        let answer = control::header(&mut streams.control, "the answer to the offer was waited for").await?;
        let agreed = accept(&answer).and_then(|transfer| {
            let known = |name: &String| header.snapshot_names.contains(name);
            if answer.refresh() && !answer.snapshot_names.iter().all(known) {
                return Err(Error::Unoffered("a snapshot that is not there"));
            }
            Ok(Agreement { transfer, twice: offer.running, refresh: answer.refresh() })
        });
        match agreed {
            Ok(agreement) => {
                let all = header.snapshot_names;
                let wanted = if agreement.refresh {
                    all.into_iter().filter(|name| answer.snapshot_names.contains(name)).collect()
                } else {
                    all
                };
                Ok(Self { streams, agreement, wanted, confirmed: false })
            }
            Err(error) => {
                control::fail(&mut streams.control, &error.to_string()).await;
                Err(error)
            }
        }
    }

    /// Snapshots that are to be sent, oldest first.
    #[must_use]
    pub fn wanted(&self) -> &[String] {
        &self.wanted
    }

    /// Sends a tree; at most `limit` bytes per second.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn send(
        &mut self,
        tree: &Path,
        limit: Option<u64>,
        progress: Progress<'_>,
    ) -> Result<(), Error> {
        let Transfer::Rsync(features) = self.agreement.transfer;
        let Streams { control, fs } = &mut self.streams;
        let waiting = "files were sent";
        if self.confirmed {
            return Err(Error::Unexpected { found: "a success", expected: "requests for files" });
        }
        let sending = session::send(fs, tree, features, limit, progress);
        tokio::pin!(sending);
        let sent = loop {
            tokio::select! {
                sent = &mut sending => break sent,
                // The other side may be faster than our own program ends.
                said = control::outcome(control, waiting), if !self.confirmed => {
                    said?;
                    self.confirmed = true;
                }
            }
        };
        match sent {
            Err(error) if self.confirmed => Err(error),
            Err(error) => match tokio::time::timeout(LAST_WORD, control::outcome(control, waiting)).await {
                Ok(Err(reason @ Error::Peer(_))) => Err(reason),
                _ => Err(error),
            },
            done => done,
        }
    }

    /// Waits until the other side has everything.
    ///
    /// # Errors
    /// It does not say so.
    pub async fn finish(mut self) -> Result<(), Error> {
        if self.confirmed {
            return Ok(());
        }
        control::outcome(&mut self.streams.control, "the other server finished").await
    }

    /// Tells the other side that it is over.
    pub async fn fail(mut self, reason: &str) {
        control::fail(&mut self.streams.control, reason).await;
    }
}
