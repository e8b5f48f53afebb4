//! Volumes as streams: a list of the subvolumes that a volume consists of, then what `btrfs send` writes
//! of each. All numbers are little-endian.
//!
//! ```text
//! "btrfs-v1"  u32: how many subvolumes, the volume's own first
//! for each:   u16, its name in the stream   u16, its path inside of the volume
//! ```
//!
//! A difference is sent only where neither side has subvolumes inside: what was received is recognised by
//! marks that it loses when others are put into it.

use super::State;
use super::beneath;
use super::subvolumes::Copying;
use super::trash::{Temporary, rename_new};
use super::volume::make_private;
use crate::error::{Error, io_error};
use crate::paths::mode;
use crate::pool::blocking;
use crate::volume::{Draft, Volume};
use model::SnapshotName;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use tools::btrfs;

const MAGIC: &[u8; 8] = b"btrfs-v1";
/// More subvolumes than this nobody has in one volume.
const MOST: u32 = 1 << 20;

/// One subvolume of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    /// What it is called where it comes from, and where it arrives at first.
    name: OsString,
    /// Where it lies inside of the volume.
    inner: PathBuf,
}

impl State {
    pub(super) async fn send(
        self: &Arc<Self>,
        volume: &Volume,
        base: Option<&Volume>,
        to: OwnedFd,
    ) -> Result<(), Error> {
        self.expect(volume)?;
        let path = self.paths.volume(volume);
        // What is sent must not change meanwhile.
        let still = if volume.kind().is_snapshot() {
            None
        } else {
            let still = Temporary::beside(self, &path);
            let how = Copying { read_only: true, mode: mode(volume.kind()), nested: true };
            self.copy(&path, &still.path, how).await?;
            Some(still)
        };
        let from = still.as_ref().map_or(path.as_path(), |still| still.path.as_path());
        let nested = self.nested(from).await?;
        let base = match base.filter(|_| nested.is_empty()).map(|base| self.paths.volume(base)) {
            Some(base) => self.nested(&base).await?.is_empty().then_some(base),
            None => None,
        };
        let parts: Vec<Part> =
            [PathBuf::new()].into_iter().chain(nested).map(|inner| part(from, inner)).collect();
        let header = write_header(&parts);
        let mut file = duplicate(&to)?;
        blocking(move || file.write_all(&header).map_err(io_error("send", "the list of subvolumes"))).await?;
        for part in &parts {
            let path =
                if part.inner.as_os_str().is_empty() { from.to_owned() } else { from.join(&part.inner) };
            btrfs::send(&path, base.as_deref(), duplicate(&to)?).await?;
        }
        Ok(())
    }

    pub(super) async fn receive(
        self: &Arc<Self>,
        draft: &Draft,
        snapshot: Option<&SnapshotName>,
        from: OwnedFd,
    ) -> Result<(), Error> {
        let mut file = duplicate(&from)?;
        let parts =
            blocking(move || read_header(&mut file).map_err(io_error("receive", "the list of subvolumes")))
                .await?;
        let target = match snapshot {
            Some(name) => self.draft_snapshots(draft).await?.join(name),
            None => draft.path.clone(),
        };
        if let ([only], Some(_)) = (parts.as_slice(), snapshot) {
            return self.receive_snapshot(only, &target, &from).await;
        }
        // Each has its own: the one of the stream before may still be being removed.
        let arrival = Temporary::beside(self, &draft.path);
        make_private(&arrival.path)?;
        for (number, part) in parts.iter().enumerate() {
            let directory = arrival.path.join(number.to_string());
            make_private(&directory)?;
            let whole = self.whole(&directory).await?;
            btrfs::receive(&whole.path, duplicate(&from)?).await?;
            self.put(&directory.join(&part.name), &target, part).await?;
        }
        if snapshot.is_some() {
            for part in parts.iter().rev() {
                btrfs::set_read_only(&target.join(&part.inner)).await?;
            }
        }
        Ok(())
    }

    /// It stays the subvolume that it arrived as, so that the next one may be a difference to it; in its
    /// directory, because it is read-only.
    async fn receive_snapshot(
        self: &Arc<Self>,
        part: &Part,
        target: &Path,
        from: &OwnedFd,
    ) -> Result<(), Error> {
        let Some(directory) = target.parent().map(Path::to_owned) else { return Ok(()) };
        let whole = self.whole(&directory).await?;
        btrfs::receive(&whole.path, duplicate(from)?).await?;
        let arrived = directory.join(&part.name);
        if arrived == target {
            return Ok(());
        }
        let target = target.to_owned();
        blocking(move || rename_new(&arrived, &target).map_err(io_error("make", target))).await
    }

    /// Makes what has arrived a part of the volume, writable: others may come into it later.
    async fn put(&self, arrived: &Path, target: &Path, part: &Part) -> Result<(), Error> {
        if part.inner.as_os_str().is_empty() {
            return Ok(btrfs::snapshot(arrived, target, false).await?);
        }
        let (at, inner) = (target.to_owned(), part.inner.clone());
        if !blocking(move || beneath::clear_place(&at, &inner)).await? {
            let why = io::Error::from(io::ErrorKind::InvalidData);
            return Err(io_error("put a subvolume to", target.join(&part.inner))(why));
        }
        Ok(btrfs::snapshot(arrived, &target.join(&part.inner), false).await?)
    }
}

fn part(volume: &Path, inner: PathBuf) -> Part {
    let whole = if inner.as_os_str().is_empty() { volume } else { inner.as_path() };
    Part { name: whole.file_name().unwrap_or_default().to_owned(), inner }
}

fn write_header(parts: &[Part]) -> Vec<u8> {
    let mut header = MAGIC.to_vec();
    header.extend(u32::try_from(parts.len()).unwrap_or(u32::MAX).to_le_bytes());
    for part in parts {
        for text in [part.name.as_bytes(), part.inner.as_os_str().as_bytes()] {
            header.extend(u16::try_from(text.len()).unwrap_or(u16::MAX).to_le_bytes());
            header.extend(text);
        }
    }
    header
}

/// Whoever sends may lie: no path leads out of the volume.
fn read_header(from: &mut impl Read) -> io::Result<Vec<Part>> {
    let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let mut start = [0; MAGIC.len() + 4];
    from.read_exact(&mut start)?;
    let (magic, count) = start.split_at(MAGIC.len());
    let count = u32::from_le_bytes(count.try_into().map_err(|_| wrong("no number of subvolumes"))?);
    if magic != MAGIC || count == 0 || count > MOST {
        return Err(wrong("this is no volume of a btrfs pool"));
    }
    let mut parts = Vec::new();
    for number in 0..count {
        let part = Part { name: read_text(from)?, inner: PathBuf::from(read_text(from)?) };
        let is_plain = |path: &Path| path.components().all(|part| matches!(part, Component::Normal(_)));
        let name = Path::new(&part.name);
        let name_fits = is_plain(name) && name.components().count() == 1;
        let inner_fits = is_plain(&part.inner) && part.inner.as_os_str().is_empty() == (number == 0);
        if !name_fits || !inner_fits {
            return Err(wrong("a subvolume in it has an impossible name"));
        }
        parts.push(part);
    }
    Ok(parts)
}

fn read_text(from: &mut impl Read) -> io::Result<OsString> {
    let mut length = [0; 2];
    from.read_exact(&mut length)?;
    let mut text = vec![0; usize::from(u16::from_le_bytes(length))];
    from.read_exact(&mut text)?;
    Ok(OsString::from_vec(text))
}

fn duplicate(fd: &OwnedFd) -> Result<File, Error> {
    fd.try_clone().map(File::from).map_err(io_error("use", "the stream of a volume"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;

    #[test]
    fn lists_are_read_as_they_were_written() {
        let parts = [
            part(Path::new("/p/containers/c1"), PathBuf::new()),
            part(Path::new("/p/c1"), "rootfs/a\nb".into()),
        ];
        assert_eq!(
            (parts[0].name.as_os_str(), parts[1].name.as_os_str()),
            (OsStr::new("c1"), OsStr::new("a\nb"))
        );
        let written = write_header(&parts);
        let mut rest = [written.as_slice(), b"stream"].concat();
        let mut reader = rest.as_mut_slice() as &[u8];
        assert_eq!(read_header(&mut reader).unwrap(), parts);
        assert_eq!(reader, b"stream");
    }

    #[test]
    fn nothing_leads_out_of_a_volume() {
        let bad = |name: &str, inner: &str| {
            let parts = [
                Part { name: "c1".into(), inner: PathBuf::new() },
                Part { name: name.into(), inner: inner.into() },
            ];
            read_header(&mut write_header(&parts).as_slice()).is_err()
        };
        assert!(!bad("a", "rootfs/a"));
        assert!(bad("a", "../a") && bad("a", "/a") && bad("a", "b/../../a") && bad("a", ""));
        assert!(bad("..", "a") && bad("", "a") && bad("a/b", "a") && bad("/", "a"));
        assert!(read_header(&mut b"btrfs-v1\0\0\0\0".as_slice()).is_err());
        assert!(read_header(&mut b"btrfs-stream-of-old".as_slice()).is_err());
        assert!(read_header(&mut b"btr".as_slice()).is_err());
    }
}
