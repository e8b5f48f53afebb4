//! Running other people's programs: found once in fixed directories, fixed argument vectors, a
//! deadline, the end of stderr in the error. One module per program.

pub mod apparmor_parser;
pub mod blkid;
pub mod btrfs;
pub mod btrfs_resize;
pub mod btrfstune;
pub mod ceph;
pub mod compress;
pub mod crash;
pub mod dnsmasq;
pub mod e2fsck;
pub mod inventory;
pub mod losetup;
pub mod lvm;
pub mod mkfs;
pub mod mksquashfs;
pub mod modprobe;
pub mod nft;
pub mod rbd;
pub mod resize2fs;
pub mod rsync;
pub mod run;
pub mod unsquashfs;
pub mod wipefs;
pub mod xfs_growfs;
pub mod zfs;

pub use inventory::{Entry, find, inventory, require};
pub use run::{Output, Run, RunError};
