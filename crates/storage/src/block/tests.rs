//! Real file systems: on plain files where that is enough, on loop devices where the host has them.

use super::*;
use crate::loopfile::LoopFile;
use crate::volume::Resized;
use rustix::mount::MountFlags;

const ALL: [Filesystem; 3] = [Filesystem::Btrfs, Filesystem::Ext4, Filesystem::Xfs];
const SIZE: u64 = 512 << 20;

/// Why a file system cannot be tried here.
fn lacking(filesystem: Filesystem) -> Option<String> {
    let program = format!("mkfs.{}", filesystem.name());
    tools::find(&program).is_none().then(|| format!("{program} is not installed"))
}

#[tokio::test]
async fn file_systems_are_recognised() {
    for filesystem in ALL {
        if let Some(why) = lacking(filesystem) {
            eprintln!("SKIP file_systems_are_recognised: {why}");
            continue;
        }
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("disk");
        std::fs::File::create(&file).unwrap().set_len(SIZE).unwrap();
        assert_eq!(probe(&file).unwrap(), None);
        make(&file, filesystem, true).await.unwrap();
        let found = probe(&file).unwrap().unwrap();
        assert_eq!((found.filesystem, found.damaged), (filesystem, false));
        assert!(found.size <= SIZE && found.size > SIZE - (1 << 20), "{found:?}");
        assert!(found.used < SIZE / 4, "{found:?}");
        make_unique(&file).await.unwrap();
        assert_eq!(probe(&file).unwrap(), Some(found));
    }
}

#[tokio::test]
async fn file_systems_grow_and_shrink() {
    let name = "file_systems_grow_and_shrink";
    if !rustix::process::geteuid().is_root() || !Path::new("/dev/loop-control").exists() {
        eprintln!("SKIP {name}: no loop devices here");
        return;
    }
    for filesystem in ALL {
        if let Some(why) = lacking(filesystem) {
            eprintln!("SKIP {name}: {why}");
            continue;
        }
        let temp = tempfile::tempdir().unwrap();
        let file = LoopFile::at(temp.path().join("disk"));
        file.create(Bytes(SIZE)).await.unwrap();
        let device = file.attach().await.unwrap();
        let scratch = temp.path().join("mnt");
        std::fs::create_dir(&scratch).unwrap();
        let result = Sizes { filesystem, file: &file, device: &device, scratch: &scratch }.follow().await;
        let _ = unmount(&scratch).await;
        file.remove().await.unwrap();
        match result {
            // The kernel lacks it.
            Err(BlockError::Io { source, .. }) if source.raw_os_error() == Some(19) => {
                eprintln!("SKIP {name}: this kernel has no {}", filesystem.name());
            }
            result => result.unwrap(),
        }
    }
}

struct Sizes<'a> {
    filesystem: Filesystem,
    file: &'a LoopFile,
    device: &'a Path,
    scratch: &'a Path,
}

impl Sizes<'_> {
    async fn follow(&self) -> Result<(), BlockError> {
        let (device, scratch) = (self.device, self.scratch);
        make(device, self.filesystem, true).await?;
        mount(device, scratch, Some("noatime,discard"), false).await?;
        mount(device, scratch, None, false).await?;
        assert!(is_mounted(scratch)? && !is_free(device).await?);
        std::fs::write(scratch.join("data"), vec![7; 32 << 20]).unwrap();
        self.file.grow(Bytes(2 * SIZE)).await.unwrap();
        let grown = grow(device, Some(scratch), scratch).await;
        assert_eq!(unmount(scratch).await?, Unmounted::Fully);
        assert_eq!(unmount(scratch).await?, Unmounted::Already);
        assert!(!is_mounted(scratch)? && is_free(device).await?);
        let size = async || probe_async(device).await.map(|found| found.map_or(0, |found| found.size));
        match grown {
            // CAP_SYS_RESOURCE
            Err(error) if error.to_string().contains("Permission denied") => {
                eprintln!("SKIP growing a mounted {}: not allowed here", self.filesystem.name());
            }
            grown => {
                grown?;
                assert!(size().await? > 2 * SIZE - (1 << 20));
            }
        }
        self.file.grow(Bytes(3 * SIZE)).await.unwrap();
        grow(device, None, scratch).await?;
        assert!(size().await? > 3 * SIZE - (1 << 20));
        self.shrink().await?;
        mount(device, scratch, None, true).await?;
        assert_eq!(std::fs::read(scratch.join("data")).unwrap(), vec![7; 32 << 20]);
        assert!(std::fs::write(scratch.join("more"), "x").is_err());
        // Somebody is in the way, and does not go.
        let open = std::fs::File::open(scratch.join("data")).unwrap();
        assert_eq!(unmount(scratch).await?, Unmounted::Lazily);
        assert!(!is_mounted(scratch)? && !is_free(device).await?);
        drop(open);
        Ok(())
    }

    async fn shrink(&self) -> Result<(), BlockError> {
        let (device, scratch) = (self.device, self.scratch);
        let to = async |size| shrink(device, Bytes(size), None, scratch).await;
        assert_eq!(to(3 * SIZE).await?, Resized::Now);
        if self.filesystem == Filesystem::Xfs {
            assert!(matches!(to(SIZE).await, Err(BlockError::NeverShrinks { .. })));
            return Ok(());
        }
        assert!(matches!(to(16 << 20).await, Err(BlockError::DoesNotFit { .. })));
        assert_eq!(to(SIZE).await?, Resized::Now);
        assert!(probe_async(device).await?.is_some_and(|found| found.size <= SIZE));
        mount(device, scratch, None, false).await?;
        let mounted = shrink(device, Bytes(SIZE / 2), Some(scratch), scratch).await?;
        assert_eq!(mounted == Resized::Later, self.filesystem == Filesystem::Ext4);
        unmount(scratch).await?;
        Ok(())
    }
}

#[test]
fn read_only_is_one_more_flag() {
    let options = MountOptions::parse(Filesystem::Ext4, Some("rw,noatime")).unwrap().read_only();
    assert_eq!(options.flags, MountFlags::NOATIME | MountFlags::RDONLY);
}
