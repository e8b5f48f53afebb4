//! What is on a block device, by its super block: no program is needed for that.

use super::{BlockError, io_error};
use crate::config::Filesystem;
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// Where a btrfs has its first super block.
const BTRFS_AT: usize = 64 << 10;
/// Enough to see all of them.
const LOOK_AT: usize = BTRFS_AT + 4096;

/// A file system on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Its kind.
    pub(crate) filesystem: Filesystem,
    /// How large it is, in bytes; the device may be larger.
    pub(crate) size: u64,
    /// How much of it is in use, in bytes, as of the last time it was unmounted.
    pub(crate) used: u64,
    /// The kernel found something wrong with it.
    pub(crate) damaged: bool,
}

/// Looks at a device. `None`: no btrfs, ext4 or XFS.
pub(crate) fn probe(device: &Path) -> Result<Option<Found>, BlockError> {
    let file = File::open(device).map_err(io_error("open", device))?;
    let mut bytes = vec![0; LOOK_AT];
    match file.read_exact_at(&mut bytes, 0) {
        Ok(()) => Ok(parse(&bytes)),
        // Smaller than any file system that is made here.
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(io_error("read", device)(error)),
    }
}

/// Of the first bytes of a device.
fn parse(bytes: &[u8]) -> Option<Found> {
    xfs(bytes).or_else(|| ext4(bytes.get(1024..)?)).or_else(|| btrfs(bytes.get(BTRFS_AT..)?))
}

/// The kernel's `fs/xfs/libxfs/xfs_format.h`, `struct xfs_dsb`; big-endian.
fn xfs(bytes: &[u8]) -> Option<Found> {
    if bytes.get(..4)? != b"XFSB" {
        return None;
    }
    let block = u64::from(u32::from_be_bytes(array(bytes, 4)?));
    let total = u64::from_be_bytes(array(bytes, 8)?);
    let free = u64::from_be_bytes(array(bytes, 144)?);
    let (size, used) = (total.saturating_mul(block), total.saturating_sub(free).saturating_mul(block));
    Some(Found { filesystem: Filesystem::Xfs, size, used, damaged: false })
}

/// The kernel's `fs/ext4/ext4.h`, `struct ext4_super_block`; little-endian. Older relatives without extents
/// are none of ours.
fn ext4(bytes: &[u8]) -> Option<Found> {
    const EXTENTS: u32 = 0x40;
    const WIDE: u32 = 0x80;
    const ERRORS: u16 = 0x2;
    let u32_at = |at| array(bytes, at).map(u32::from_le_bytes);
    let u16_at = |at| array(bytes, at).map(u16::from_le_bytes);
    if u16_at(0x38)? != 0xEF53 || u32_at(0x60)? & EXTENTS == 0 {
        return None;
    }
    let wide = u32_at(0x60)? & WIDE != 0;
    let number = |low, high| {
        let high = if wide { u32_at(high)? } else { 0 };
        Some((u64::from(high) << 32) | u64::from(u32_at(low)?))
    };
    let block = 1024_u64.checked_shl(u32_at(0x18)?)?;
    let (total, free) = (number(0x4, 0x150)?, number(0xC, 0x158)?);
    let overhead = u64::from(u32_at(0x248)?);
    Some(Found {
        filesystem: Filesystem::Ext4,
        size: total.saturating_mul(block),
        used: total.saturating_sub(overhead).saturating_sub(free).saturating_mul(block),
        damaged: u16_at(0x3A)? & ERRORS != 0,
    })
}

/// The kernel's `include/uapi/linux/btrfs_tree.h`, `struct btrfs_super_block`; little-endian.
fn btrfs(bytes: &[u8]) -> Option<Found> {
    if bytes.get(64..72)? != b"_BHRfS_M" {
        return None;
    }
    let number = |at| array(bytes, at).map(u64::from_le_bytes);
    Some(Found { filesystem: Filesystem::Btrfs, size: number(112)?, used: number(120)?, damaged: false })
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_found_in_noise() {
        assert_eq!(parse(&[]), None);
        assert_eq!(parse(&[0; LOOK_AT]), None);
        assert_eq!(parse(&[0xff; LOOK_AT]), None);
        assert_eq!(parse(b"XFSB"), None);
        let mut ext2 = vec![0; LOOK_AT];
        ext2[1024 + 0x38..1024 + 0x3A].copy_from_slice(&0xEF53_u16.to_le_bytes());
        assert_eq!(parse(&ext2), None);
        // A block size that no number holds.
        ext2[1024 + 0x60] = 0x40;
        ext2[1024 + 0x18..1024 + 0x1C].fill(0xff);
        assert_eq!(parse(&ext2), None);
    }
}
