//! The side that gets the container.

use crate::message::{CriuType, FsType, MigrationControl, MigrationHeader};
use crate::negotiate::{choose, say};
use crate::{Agreement, Error, Progress, Streams, Transfer, control, session};
use std::path::Path;
use std::time::Duration;

/// How long the other side's own reason is waited for when a stream has broken.
const LAST_WORD: Duration = Duration::from_secs(2);

/// The side that gets the container, after the other side has said what there is.
pub struct Sink {
    streams: Streams,
    offer: MigrationHeader,
    agreement: Agreement,
}

impl Sink {
    /// Hears what there is.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn begin(mut streams: Streams) -> Result<Self, Error> {
        let offer = control::header(&mut streams.control, "its offer was waited for").await?;
        let twice = offer.criu.is_some_and(|criu| criu == i32::from(CriuType::None));
        let agreement = Agreement { transfer: choose(&offer), twice, refresh: false };
        Ok(Self { streams, offer, agreement })
    }

    /// What there is. Nothing of it has been checked.
    #[must_use]
    pub fn offer(&self) -> &MigrationHeader {
        &self.offer
    }

    /// Files change while they are sent: the container comes a second time.
    #[must_use]
    pub fn comes_twice(&self) -> bool {
        self.agreement.twice
    }

    /// What the source lacks is removed from the directory it is received into.
    #[must_use]
    pub fn removes(&self) -> bool {
        let Transfer::Rsync(features) = self.agreement.transfer;
        features.delete
    }

    /// Says how it is wanted. With `refresh`, these are the snapshots that are missing here.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn answer(&mut self, refresh: Option<Vec<String>>) -> Result<(), Error> {
        let Transfer::Rsync(features) = self.agreement.transfer;
        if self.offer.criu.is_some() && !self.agreement.twice {
            return Err(Error::Unoffered("to send the state of processes"));
        }
        self.agreement.refresh = refresh.is_some();
        let answer = MigrationHeader {
            fs: FsType::Rsync.into(),
            criu: self.offer.criu,
            predump: Some(false),
            rsync_features: Some(say(features)),
            refresh: refresh.is_some().then_some(true),
            snapshot_names: refresh.unwrap_or_default(),
            ..MigrationHeader::default()
        };
        control::send(&mut self.streams.control, &answer).await
    }

    /// Receives the next tree into a directory.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn receive(&mut self, tree: &Path, progress: Progress<'_>) -> Result<(), Error> {
        let Transfer::Rsync(features) = self.agreement.transfer;
        let Streams { control, fs } = &mut self.streams;
        let waiting = "files were received";
        let received = tokio::select! {
            received = session::receive(fs, tree, features, progress) => received,
            said = control::outcome(control, waiting) => {
                said?;
                return Err(Error::Unexpected { found: "a success", expected: "files" });
            }
        };
        match received {
            Err(error) => match tokio::time::timeout(LAST_WORD, control::outcome(control, waiting)).await {
                Ok(Err(reason @ Error::Peer(_))) => Err(reason),
                _ => Err(error),
            },
            done => done,
        }
    }

    /// Tells the other side that everything is here, for good.
    ///
    /// # Errors
    /// It cannot be told, and will think that it failed.
    pub async fn finish(mut self) -> Result<(), Error> {
        let done = MigrationControl { success: true, message: None };
        control::send(&mut self.streams.control, &done).await
    }

    /// Tells the other side that it is over.
    pub async fn fail(mut self, reason: &str) {
        control::fail(&mut self.streams.control, reason).await;
    }
}
