//! `mksquashfs(1)`: a directory becomes a squashfs file.

use crate::run::{Run, RunError};
use std::path::Path;
use std::time::Duration;

/// How the blocks are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// `gzip`, readable everywhere.
    Gzip,
    /// `xz`, smallest.
    Xz,
    /// `zstd`, quickest to read.
    Zstd,
}

/// Packs what is in the directory `source` into the new file `target` (both absolute), with
/// owners, modes and extended attributes.
///
/// # Errors
/// See [`RunError`]; a half-made `target` may remain.
pub async fn pack(source: &Path, target: &Path, compression: Compression) -> Result<(), RunError> {
    let name = match compression {
        Compression::Gzip => "gzip",
        Compression::Xz => "xz",
        Compression::Zstd => "zstd",
    };
    Run::new("mksquashfs")
        .arg(source)
        .arg(target)
        .args(["-noappend", "-no-progress", "-quiet", "-xattrs", "-comp", name])
        .deadline(Duration::from_secs(60 * 60))
        .output()
        .await
        .map(drop)
}
