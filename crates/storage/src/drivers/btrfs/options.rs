//! `btrfs.mount_options`, and what makes a mounted pool have others.

use crate::block::{BlockError, MountOptions};
use crate::config::Filesystem;
use rustix::mount::MountFlags;
use std::ffi::CString;

/// What a pool is mounted with when nobody says anything.
const DEFAULT: &str = "user_subvol_rm_allowed";

/// What takes an option back that a mounted pool loses. Those that are missing here stay until it is
/// mounted anew.
#[rustfmt::skip]
const BACK: [(&str, &str); 16] = [
    ("autodefrag", "noautodefrag"), ("commit", "commit=30"),
    ("compress", "compress=no"), ("compress-force", "compress=no"),
    ("discard", "nodiscard"), ("enospc_debug", "noenospc_debug"), ("flushoncommit", "noflushoncommit"),
    ("noacl", "acl"), ("nobarrier", "barrier"), ("nodatacow", "datacow"), ("nodatasum", "datasum"),
    ("nossd", "ssd"), ("notreelog", "treelog"), ("ssd", "nossd"), ("ssd_spread", "nossd_spread"),
    ("user_subvol_rm_allowed", "nouser_subvol_rm_allowed"),
];

/// Those of them that are new.
const NEW: [&str; 2] = ["nouser_subvol_rm_allowed", "nossd_spread"];

/// Checks the options of a pool.
pub(super) fn parse(text: Option<&str>) -> Result<MountOptions, BlockError> {
    MountOptions::parse(Filesystem::Btrfs, Some(text.unwrap_or(DEFAULT)))
}

/// What a pool is remounted with to have other options: these, after what takes back those that are gone.
/// `new_words`: with words that Linux knows since 6.8 only.
pub(super) fn change(old: &MountOptions, new: &MountOptions, new_words: bool) -> (MountFlags, CString) {
    let (old, text) = (old.data.to_string_lossy(), new.data.to_string_lossy());
    let kept = |word: &str| text.split(',').any(|other| name(other) == name(word));
    let back = |word: &str| BACK.iter().find(|(own, _)| *own == name(word)).map(|(_, back)| *back);
    let gone = old
        .split(',')
        .filter(|word| !kept(word))
        .filter_map(back)
        .filter(|word| new_words || !NEW.contains(word));
    let data: Vec<&str> = gone.chain(text.split(',').filter(|word| !word.is_empty())).collect();
    // Nothing said about these times would mean that they stay as they are.
    let times = MountFlags::NOATIME | MountFlags::RELATIME | MountFlags::STRICTATIME | MountFlags::NODIRATIME;
    let flags = if new.flags.intersects(times) { new.flags } else { new.flags | MountFlags::RELATIME };
    (flags, CString::new(data.join(",")).unwrap_or_default())
}

/// `commit` of `commit=5`.
fn name(word: &str) -> &str {
    word.split('=').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_are_gone_are_taken_back() {
        let change = |old: &str, new: &str| {
            let (flags, data) = change(&parse(Some(old)).unwrap(), &parse(Some(new)).unwrap(), true);
            (flags, data.into_string().unwrap())
        };
        assert_eq!(change("compress=zstd,noatime", "noatime"), (MountFlags::NOATIME, "compress=no".into()));
        assert_eq!(
            change("compress=zstd,noatime", "compress=lzo"),
            (MountFlags::RELATIME, "compress=lzo".into())
        );
        assert_eq!(
            change("user_subvol_rm_allowed,ssd", "commit=5").1,
            "nouser_subvol_rm_allowed,nossd,commit=5"
        );
        let (old, none) = (parse(None).unwrap(), parse(Some("")).unwrap());
        assert!(super::change(&old, &none, false).1.is_empty());
        assert_eq!(change("max_inline=0", "").1, "");
        assert_eq!(parse(None).unwrap().data.to_str(), Ok(DEFAULT));
        for bad in ["subvol=/", "subvolid=5", "device=/dev/sda", "nonsense"] {
            assert!(parse(Some(bad)).is_err(), "{bad}");
        }
    }
}
