//! Other sizes for file systems.

use super::{BlockError, is_free, mount, probe_async, unmount};
use crate::config::Filesystem;
use crate::volume::Resized;
use model::units::Bytes;
use std::path::Path;
use tools::RunError;

/// Makes a file system as large as its device; nothing happens if it is. It is grown where it is mounted;
/// where it is not (`None`), it is mounted for that on `scratch`, an empty directory for root alone, because
/// some can grow in no other way and the others need a long check.
pub(crate) async fn grow(device: &Path, mounted: Option<&Path>, scratch: &Path) -> Result<(), BlockError> {
    let found = probe_async(device).await?;
    let found = found.ok_or_else(|| BlockError::Unknown { device: device.to_owned() })?;
    let path = mounted.unwrap_or(scratch);
    if mounted.is_none() {
        mount(device, scratch, None, false).await?;
    }
    let grown = match found.filesystem {
        Filesystem::Btrfs => tools::btrfs_resize::to(path, None).await,
        Filesystem::Ext4 => tools::resize2fs::fill(device).await,
        Filesystem::Xfs => tools::xfs_growfs::fill(path).await,
    };
    if mounted.is_none() {
        unmount(scratch).await?;
    }
    match grown {
        // Without CAP_SYS_RESOURCE it grows in the other way only.
        Err(RunError::Failed { .. }) if found.filesystem == Filesystem::Ext4 && mounted.is_none() => {
            tools::e2fsck::mend(device).await?;
            Ok(tools::resize2fs::fill(device).await?)
        }
        result => Ok(result?),
    }
}

/// Makes a file system smaller, to at most this many bytes; one that is not larger stays as it is. The
/// device stays as it is in any case. [`Resized::Later`]: it is in use and can only shrink when it is not.
/// `mounted` and `scratch` are as in [`grow`].
pub(crate) async fn shrink(
    device: &Path,
    size: Bytes,
    mounted: Option<&Path>,
    scratch: &Path,
) -> Result<Resized, BlockError> {
    let found = probe_async(device).await?;
    let found = found.ok_or_else(|| BlockError::Unknown { device: device.to_owned() })?;
    if found.size <= size.0 {
        return Ok(Resized::Now);
    }
    let too_much = |source: RunError| match source {
        RunError::Failed { .. } => BlockError::DoesNotFit { device: device.to_owned(), size, source },
        other => BlockError::Tool(other),
    };
    match (found.filesystem, mounted) {
        (Filesystem::Xfs, _) => Err(BlockError::NeverShrinks { size }),
        (Filesystem::Ext4, Some(_)) => Ok(Resized::Later),
        (Filesystem::Ext4, None) => {
            // It may still be mounted where we do not see it: in a container that is ending.
            if !is_free(device).await? {
                return Ok(Resized::Later);
            }
            tools::e2fsck::mend(device).await?;
            tools::resize2fs::to(device, size.0).await.map_err(too_much)?;
            Ok(Resized::Now)
        }
        (Filesystem::Btrfs, Some(path)) => {
            tools::btrfs_resize::to(path, Some(size.0)).await.map_err(too_much)?;
            Ok(Resized::Now)
        }
        (Filesystem::Btrfs, None) => {
            if !is_free(device).await? {
                return Ok(Resized::Later);
            }
            mount(device, scratch, None, false).await?;
            let shrunk = tools::btrfs_resize::to(scratch, Some(size.0)).await.map_err(too_much);
            unmount(scratch).await?;
            shrunk.map(|()| Resized::Now)
        }
    }
}
