//! A disk that is full is named, with what is free on it: "No space left on device" does not say which.

use crate::{Error, Work};
use rustix::fs::statvfs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// What the system, the programs that are run and the database say when there is no room.
const SIGNS: [&str; 3] = ["No space left on device", "Disk quota exceeded", "database or disk is full"];
/// With less than this, in bytes, a disk is full.
const LITTLE: u64 = 1 << 20;

/// Room on the file system of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Room {
    /// Where it is mounted.
    mounted: PathBuf,
    /// For us, in bytes.
    free: u64,
    /// Altogether, in bytes.
    size: u64,
    /// No further file can be made.
    no_files: bool,
}

fn room(place: &Path) -> Option<Room> {
    let found = statvfs(place).ok()?;
    Some(Room {
        mounted: mount_point(place),
        free: found.f_bavail.saturating_mul(found.f_frsize),
        size: found.f_blocks.saturating_mul(found.f_frsize),
        // Some file systems do not count files.
        no_files: found.f_files > 0 && found.f_ffree == 0,
    })
}

/// The first directory on the way up that is on the same file system as all below it.
fn mount_point(place: &Path) -> PathBuf {
    let device = |path: &Path| std::fs::metadata(path).map(|meta| meta.dev()).ok();
    let own = device(place);
    let mut here = place;
    while let Some(parent) = here.parent().filter(|parent| device(parent) == own) {
        here = parent;
    }
    here.to_owned()
}

/// The fullest of the file systems that `places` are on.
fn fullest(places: impl IntoIterator<Item = PathBuf>) -> Option<Room> {
    places.into_iter().filter_map(|place| room(&place)).min_by_key(|room| (!room.no_files, room.free))
}

/// Whether a disk was full.
fn is_about_room(error: &Error) -> bool {
    let story = error.story();
    !matches!(error, Error::DiskFull { .. }) && SIGNS.iter().any(|sign| story.contains(sign))
}

fn name(error: Error, Room { mounted, free, size, .. }: Room) -> Error {
    Error::DiskFull { disk: mounted, free: free >> 20, size: size >> 20, source: Box::new(error) }
}

/// Says which disk is full, if that is what went wrong. `places` are directories on the disks that
/// it can have been; what a failed verb had written there may have been taken back already.
pub(crate) fn explain(error: Error, places: impl IntoIterator<Item = PathBuf>) -> Error {
    if !is_about_room(&error) {
        return error;
    }
    match fullest(places) {
        Some(room) => name(error, room),
        None => error,
    }
}

/// The same where it can also have been a file system of the container's own: only a disk that is
/// full now is named.
pub(crate) fn explain_inside(error: Error, places: impl IntoIterator<Item = PathBuf>) -> Error {
    if !is_about_room(&error) {
        return error;
    }
    match fullest(places) {
        Some(room) if room.no_files || room.free < LITTLE => name(error, room),
        _ => error,
    }
}

/// The same for what is done in the background.
pub(crate) fn explained<P>(work: Work, places: impl FnOnce() -> P + Send + 'static) -> Work
where
    P: IntoIterator<Item = PathBuf>,
{
    Box::pin(async move { work.await.map_err(|error| explain(error, places())) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(errno: i32) -> Error {
        Error::Path { doing: "write", path: "/x".into(), source: std::io::Error::from_raw_os_error(errno) }
    }

    #[test]
    fn other_failures_and_disks_with_room_are_left_alone() {
        assert!(matches!(explain(failure(13), [PathBuf::from("/proc")]), Error::Path { .. }));
        assert!(matches!(explain(failure(28), [PathBuf::from("/missing")]), Error::Path { .. }));
        assert!(matches!(explain_inside(failure(28), [std::env::temp_dir()]), Error::Path { .. }));
    }

    #[test]
    fn a_full_disk_is_named_with_its_mount_point() {
        // It has no blocks at all.
        let text = explain(failure(28), [PathBuf::from("/proc/sys/kernel")]).story();
        assert!(text.starts_with("No room on the disk mounted at /proc"), "{text}");
        assert!(text.ends_with("Failed to write /x: No space left on device (os error 28)"), "{text}");
    }
}
