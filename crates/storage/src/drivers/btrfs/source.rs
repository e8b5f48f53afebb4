//! What a pool is on: a loop file, a disk, or a subvolume of a file system that others use too.

use super::State;
use crate::error::{Error, io_error};
use crate::loopfile::LoopFile;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Component, Path, PathBuf};

/// What a pool is on.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// A file of ours.
    Loop(LoopFile),
    /// A disk whose file system has this UUID.
    Uuid(String),
    /// A disk.
    Device(PathBuf),
    /// A subvolume.
    Subvolume(PathBuf),
}

impl State {
    /// What the pool was made on.
    pub(super) fn source(&self) -> Result<Source, Error> {
        let own = LoopFile::of(&self.paths, &self.pool);
        let Some(text) = self.source.as_deref() else { return Ok(Source::Loop(own)) };
        if is_uuid(text) {
            return Ok(Source::Uuid(text.to_owned()));
        }
        let path = self.absolute(text)?;
        if path == own.path() {
            return Ok(Source::Loop(own));
        }
        Ok(match path.metadata() {
            Ok(metadata) if metadata.file_type().is_block_device() => Source::Device(path),
            Ok(metadata) if metadata.is_file() => Source::Loop(LoopFile::at(path)),
            // The daemon's directory was elsewhere when the pool was made.
            Err(_) if path.ends_with(Path::new("disks").join(own.path().file_name().unwrap_or_default())) => {
                Source::Loop(own)
            }
            Ok(_) | Err(_) => Source::Subvolume(path),
        })
    }

    fn absolute(&self, text: &str) -> Result<PathBuf, Error> {
        let path = Path::new(text);
        if path.is_absolute() && !path.components().any(|part| part == Component::ParentDir) {
            return Ok(path.components().collect());
        }
        Err(self.unusable(
            text,
            "give the absolute path of a disk, of an empty btrfs subvolume, or of one to be made, or leave it out for a loop file",
        ))
    }

    /// The device of the file system that the pool is on; `None`: it is not there.
    pub(super) async fn device(&self, uuid: &str) -> Result<Option<PathBuf>, Error> {
        let link = Path::new("/dev/disk/by-uuid").join(uuid);
        let devices = match link.canonicalize() {
            Ok(device) => vec![device],
            // Without udev nobody makes links.
            Err(_) => tools::blkid::devices_with(uuid).await?,
        };
        for device in devices {
            // What is remembered of a device may be about what it was before.
            if tools::blkid::uuid(&device).await?.is_some_and(|has| has.eq_ignore_ascii_case(uuid)) {
                return Ok(Some(device));
            }
        }
        Ok(None)
    }

    /// The error about a source that is gone, in the words in which it was given.
    pub(super) fn gone(&self, source: &Source) -> Error {
        let given = self.initial_source.as_deref();
        let (name, why) = match source {
            Source::Loop(file) => (file.source(), "the pool's file is gone; put it back".to_owned()),
            Source::Uuid(uuid) => (
                given.unwrap_or(uuid).to_owned(),
                format!("no disk has a file system with the UUID {uuid}; connect the pool's disk"),
            ),
            Source::Device(path) => (path.display().to_string(), "the disk is gone; connect it".to_owned()),
            Source::Subvolume(path) => (
                path.display().to_string(),
                "the pool's subvolume is gone; mount the file system that it is on".to_owned(),
            ),
        };
        self.unusable(name, why)
    }

    pub(super) fn unusable(&self, name: impl Into<String>, why: impl Into<String>) -> Error {
        Error::Source { source_name: name.into(), driver: "btrfs", why: why.into() }
    }
}

/// True for what `blkid` calls the UUID of a file system.
fn is_uuid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && text.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
}

/// A new UUID, from the kernel.
pub(super) fn new_uuid() -> Result<String, Error> {
    let path = "/proc/sys/kernel/random/uuid";
    Ok(std::fs::read_to_string(path).map_err(io_error("read", path))?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_are_no_paths() {
        assert!(is_uuid("3ed588c2-a4ee-41db-9bcb-6802300fbf09"));
        for other in
            ["", "/srv/pool", "3ed588c2a4ee41db9bcb6802300fbf09", "3ed588c2-a4ee-41db-9bcb-6802300fbf0g"]
        {
            assert!(!is_uuid(other), "{other}");
        }
        assert!(is_uuid(&new_uuid().unwrap()));
    }
}
