//! `unsquashfs(1)`: what is in a squashfs file, and out of it.

use crate::run::{Run, RunError};
use std::path::Path;
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(30 * 60);
/// A path has at most 4096 bytes; the columns before it are short.
const LONGEST_LINE: usize = 16 << 10;

/// How much an archive may unpack to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Sum of the sizes of all files. A hard link counts each time it appears.
    pub bytes: u64,
    /// Files, directories and everything else.
    pub entries: u64,
}

/// What an archive unpacks to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Sum of the sizes of all files, in bytes.
    pub bytes: u64,
    /// Files, directories and everything else.
    pub entries: u64,
}

/// Why an archive was not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnsquashfsError {
    /// It is larger than allowed; nothing was written.
    #[error("The squashfs file unpacks to more than {} bytes or {} files", .0.bytes, .0.entries)]
    TooLarge(Bounds),
    /// The program failed.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// Adds up what is in `archive` (an absolute path), without unpacking it.
///
/// # Errors
/// [`UnsquashfsError::TooLarge`] as soon as `bounds` are passed; a damaged file is
/// [`RunError::Failed`].
pub async fn measure(archive: &Path, bounds: Bounds) -> Result<Contents, UnsquashfsError> {
    let mut contents = Contents::default();
    let complete = Run::new("unsquashfs")
        .args(["-no-progress", "-lln"])
        .arg(archive)
        .deadline(DEADLINE)
        .max_output(LONGEST_LINE)
        .lines(|line| {
            if !line.is_empty() {
                contents.entries += 1;
                contents.bytes = contents.bytes.saturating_add(size_of(line).unwrap_or(0));
            }
            contents.bytes <= bounds.bytes && contents.entries <= bounds.entries
        })
        .await?;
    if complete { Ok(contents) } else { Err(UnsquashfsError::TooLarge(bounds)) }
}

/// Unpacks `archive` into the directory `target` (both absolute), with owners, modes, times and
/// extended attributes, after checking that it keeps within `bounds`.
///
/// # Errors
/// See [`UnsquashfsError`]. What was unpacked before a failure stays: the caller removes `target`.
pub async fn unpack(archive: &Path, target: &Path, bounds: Bounds) -> Result<Contents, UnsquashfsError> {
    let contents = measure(archive, bounds).await?;
    Run::new("unsquashfs")
        .args(["-no-progress", "-quiet", "-force", "-dest"])
        .arg(target)
        .arg(archive)
        .deadline(DEADLINE)
        .output()
        .await?;
    Ok(contents)
}

/// The size in one line of `unsquashfs -lln`: `-rw-r--r-- 0/0   12 2026-01-01 10:00 squashfs-root/a`.
///
/// Only files have sizes that cost space. A name with a newline makes lines of its own, which can
/// only add to the sum.
fn size_of(line: &str) -> Option<u64> {
    let rest = line.strip_prefix('-')?;
    rest.split_ascii_whitespace().nth(2)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{find, mksquashfs};
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn sizes_are_read_from_listings() {
        assert_eq!(size_of("-rw-r--r-- 0/0   12 2026-01-01 10:00 squashfs-root/a"), Some(12));
        assert_eq!(size_of("drwxr-xr-x 0/0   99 2026-01-01 10:00 squashfs-root"), None);
        assert_eq!(size_of("crw-r--r-- 0/0  1, 3 2026-01-01 10:00 squashfs-root/null"), None);
        assert_eq!(size_of("-"), None);
        assert_eq!(size_of(""), None);
    }

    #[tokio::test]
    async fn a_tree_survives_packing_and_unpacking() {
        if find("unsquashfs").is_none() || find("mksquashfs").is_none() {
            eprintln!("SKIP a_tree_survives_packing_and_unpacking: squashfs-tools is not installed");
            return;
        }
        let dir = tempfile::tempdir().expect("temporary directory");
        let source = dir.path().join("source");
        std::fs::create_dir_all(source.join("sub")).expect("mkdir");
        std::fs::write(source.join("sub/file"), b"twelve bytes").expect("write");
        std::fs::set_permissions(source.join("sub/file"), std::fs::Permissions::from_mode(0o640))
            .expect("chmod");
        let archive = dir.path().join("a.squashfs");
        mksquashfs::pack(&source, &archive, mksquashfs::Compression::Gzip).await.expect("pack");

        let bounds = Bounds { bytes: 1000, entries: 10 };
        let target = dir.path().join("target");
        std::fs::create_dir(&target).expect("mkdir");
        let contents = unpack(&archive, &target, bounds).await.expect("unpack");
        assert_eq!(contents, Contents { bytes: 12, entries: 3 });
        assert_eq!(std::fs::read(target.join("sub/file")).expect("read"), b"twelve bytes");
        let mode = target.join("sub/file").metadata().expect("stat").permissions().mode();
        assert_eq!(mode & 0o777, 0o640);

        for bounds in [Bounds { bytes: 11, entries: 10 }, Bounds { bytes: 1000, entries: 2 }] {
            let other = dir.path().join("other");
            let error = unpack(&archive, &other, bounds).await.expect_err("too large");
            assert!(matches!(error, UnsquashfsError::TooLarge(b) if b == bounds), "{error}");
            assert!(!other.exists());
        }

        let damaged = dir.path().join("damaged");
        std::fs::write(&damaged, b"hsqs but nothing else").expect("write");
        let error = unpack(&damaged, &target, bounds).await.expect_err("damaged");
        assert!(matches!(error, UnsquashfsError::Run(RunError::Failed { .. })), "{error}");
    }
}
