//! What another daemon sent, looked at before it becomes a volume.

use crate::error::{Error, io_error};
use crate::paths::PRIVATE;
use crate::tree;
use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, OFlags, Uid, fchmod, fchown, openat, statat};
use rustix::io::Errno;
use std::path::Path;

/// What a volume consists of, and what each part has to be.
const MEMBERS: [(&str, FileType); 3] = [
    ("rootfs", FileType::Directory),
    ("metadata.yaml", FileType::RegularFile),
    ("templates", FileType::Directory),
];

/// Largest description of a container, in bytes.
const METADATA: u64 = 1024 * 1024;

/// Removes what belongs to no volume, and gives the directory itself back to root.
pub(crate) fn tidy(directory: &Path) -> Result<(), Error> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = openat(CWD, directory, flags, Mode::empty()).map_err(io_error("open", directory))?;
    fchown(&fd, Some(Uid::ROOT), Some(Gid::ROOT)).map_err(io_error("set the owner of", directory))?;
    fchmod(&fd, PRIVATE).map_err(io_error("set the mode of", directory))?;
    for entry in std::fs::read_dir(directory).map_err(io_error("read", directory))? {
        let entry = entry.map_err(io_error("read", directory))?;
        let (name, path) = (entry.file_name(), entry.path());
        let found =
            statat(&fd, name.as_os_str(), AtFlags::SYMLINK_NOFOLLOW).map_err(io_error("look at", &path))?;
        let member = MEMBERS.iter().find(|(member, _)| name == *member);
        match member {
            Some((_, kind)) if *kind == FileType::from_raw_mode(found.st_mode) => {
                // It is read as a whole when the container starts.
                if *kind == FileType::RegularFile
                    && u64::try_from(found.st_size).is_ok_and(|size| size > METADATA)
                {
                    return Err(io_error("accept", path)(Errno::FBIG));
                }
            }
            // A file system of its own brings a directory for what its check finds.
            _ if name == "lost+found" => {}
            _ if FileType::from_raw_mode(found.st_mode) == FileType::Directory => tree::remove_tree(&path)?,
            _ => std::fs::remove_file(&path).map_err(io_error("remove", &path))?,
        }
    }
    match statat(&fd, "rootfs", AtFlags::SYMLINK_NOFOLLOW) {
        Ok(_) => Ok(()),
        Err(errno) => Err(io_error("find the root directory in", directory)(errno)),
    }
}

/// Removes everything from a directory.
pub(crate) fn clear(directory: &Path) -> Result<(), Error> {
    for entry in std::fs::read_dir(directory).map_err(io_error("read", directory))? {
        let entry = entry.map_err(io_error("read", directory))?;
        let (name, path) = (entry.file_name(), entry.path());
        let kind = entry.file_type().map_err(io_error("look at", &path))?;
        if name == "lost+found" {
            continue;
        } else if kind.is_dir() {
            tree::remove_tree(&path)?;
        } else {
            std::fs::remove_file(&path).map_err(io_error("remove", &path))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

    #[test]
    fn only_what_belongs_to_a_volume_stays() {
        let dir = tempfile::tempdir().unwrap();
        let from = dir.path().join("from");
        std::fs::create_dir_all(from.join("rootfs/etc")).unwrap();
        std::fs::create_dir_all(from.join("more/deep")).unwrap();
        std::fs::write(from.join("backup.yaml"), "x").unwrap();
        symlink("/etc", from.join("templates")).unwrap();
        std::fs::set_permissions(&from, std::fs::Permissions::from_mode(0o777)).unwrap();
        tidy(&from).unwrap();
        let left: Vec<_> = std::fs::read_dir(&from).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, ["rootfs"]);
        assert_eq!(from.metadata().unwrap().mode() & 0o7777, 0o700);
        assert!(from.join("rootfs/etc").is_dir());
    }

    #[test]
    fn a_root_directory_that_leads_elsewhere_is_none() {
        let dir = tempfile::tempdir().unwrap();
        symlink("/etc", dir.path().join("rootfs")).unwrap();
        assert!(tidy(dir.path()).is_err());
        assert!(Path::new("/etc/passwd").exists());
    }
}
