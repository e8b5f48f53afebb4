//! Volumes as streams, from one pool of this host to another.
//!
//! A stream is one byte and what `zfs send` writes. The byte tells whether it is the difference to the
//! snapshot that both sides know: ZFS makes those between snapshots of one dataset only, and those of a volume
//! may lie in several (see [`super`]).

use super::State;
use super::fill::UNMOUNTED;
use super::names::{copy_of, shelf, snapshot};
use super::volume::tree;
use crate::error::{Error, io_error};
use crate::pool::blocking;
use crate::volume::{Draft, Volume};
use model::SnapshotName;
use std::os::fd::OwnedFd;
use tools::zfs;

const WHOLE: u8 = b'W';
const DIFFERENCE: u8 = b'D';

impl State {
    pub(super) async fn send(
        &self,
        volume: &Volume,
        base: Option<&Volume>,
        to: OwnedFd,
    ) -> Result<(), Error> {
        let base = match base {
            Some(base) => self.find(base).await?,
            None => None,
        };
        let origin = self.certain_origin(volume).await?;
        let dataset = origin.name.split('@').next();
        let base = base.as_ref().filter(|row| Some(row.dataset()) == dataset).and_then(|row| row.snapshot());
        let sent = async {
            let tag = if base.is_some() { DIFFERENCE } else { WHOLE };
            // An empty pipe has room for it.
            rustix::io::write(&to, &[tag]).map_err(io_error("write to", "the stream of a volume"))?;
            Ok(zfs::send(&origin.name, base, to.into()).await?)
        };
        let sent = sent.await;
        self.leave(origin).await;
        sent
    }

    pub(super) async fn receive(
        &self,
        draft: &Draft,
        name: Option<&SnapshotName>,
        base: Option<&SnapshotName>,
        from: OwnedFd,
    ) -> Result<(), Error> {
        let (tag, from) = tag(from).await?;
        let main = self.names.draft(&draft.name);
        let tree = tree(&main).await?;
        let known = base.and_then(|base| tree.find(base));
        let (dataset, new) = match (tag, known) {
            (DIFFERENCE, Some(row)) => (row.dataset().to_owned(), false),
            (WHOLE, _) if tree.dataset(&main).is_none() => (main.clone(), true),
            (WHOLE, _) => (self.names.draft(&self.new_draft().name), true),
            _ => return Err(self.cannot("receive a volume", "the stream is not one of ours".to_owned())),
        };
        let received = self.receive_into(&dataset, new, name, from).await;
        let placed = match received {
            Ok(()) if dataset == main => Ok(()),
            // What is a whole one for a snapshot has a dataset of its own; the content comes last.
            Ok(()) => match name {
                Some(_) if new => Ok(zfs::rename(&dataset, &shelf(&main)).await?),
                Some(_) => Ok(()),
                None => self.take_place(&dataset, new, &main).await,
            },
            Err(error) => Err(error),
        };
        if placed.is_err() && new {
            self.bury(&dataset).await;
        }
        placed
    }

    async fn receive_into(
        &self,
        dataset: &str,
        new: bool,
        name: Option<&SnapshotName>,
        from: OwnedFd,
    ) -> Result<(), Error> {
        let target = match name {
            Some(name) => snapshot(dataset, name),
            None => copy_of(dataset).0,
        };
        let properties = if new { vec![UNMOUNTED.to_owned()] } else { Vec::new() };
        zfs::receive(&target, &properties, from.into()).await?;
        if name.is_none() {
            zfs::destroy(&target).await?;
        }
        Ok(())
    }

    /// Makes a dataset the draft's own, which becomes a shelf of it.
    async fn take_place(&self, dataset: &str, new: bool, main: &str) -> Result<(), Error> {
        let beside = if new {
            dataset.to_owned()
        } else {
            let beside = self.names.draft(&self.new_draft().name);
            zfs::rename(dataset, &beside).await?;
            beside
        };
        zfs::rename(main, &shelf(&beside)).await?;
        Ok(zfs::rename(&beside, main).await?)
    }
}

/// The first byte of a stream; what is behind it is not read.
async fn tag(from: OwnedFd) -> Result<(u8, OwnedFd), Error> {
    blocking(move || {
        let mut tag = [0];
        let read = rustix::io::retry_on_intr(|| rustix::io::read(&from, &mut tag))
            .map_err(io_error("read", "the stream of a volume"))?;
        Ok((if read == 1 { tag[0] } else { 0 }, from))
    })
    .await
}

pub(super) fn pipe() -> Result<(OwnedFd, OwnedFd), Error> {
    rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
        .map_err(io_error("make a pipe for", "the copy of a volume"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};

    #[tokio::test]
    async fn only_the_first_byte_is_taken_off_a_stream() {
        let (reader, writer) = pipe().unwrap();
        std::fs::File::from(writer).write_all(b"Wrest").unwrap();
        let (first, reader) = tag(reader).await.unwrap();
        let mut rest = String::new();
        std::fs::File::from(reader).read_to_string(&mut rest).unwrap();
        assert_eq!((first, rest.as_str()), (WHOLE, "rest"));
        let (reader, _) = pipe().unwrap();
        assert_eq!(tag(reader).await.unwrap().0, 0, "nobody writes");
    }
}
