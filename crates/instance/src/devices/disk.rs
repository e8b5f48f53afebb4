//! Disks: the root, directories and files of the host, file systems on block devices, storage volumes.

use super::part::{Part, Source};
use super::volumes::Here;
use crate::Error;
use model::DeviceName;
use model::devices::{Disk, inside};
use std::os::unix::fs::FileTypeExt as _;
use std::path::PathBuf;

/// What appears inside; nothing for an optional source that is missing. `volume`: where the volume is
/// mounted, for a disk that is one.
pub(super) fn parts(name: &DeviceName, disk: &Disk, volume: Option<&Here>) -> Result<Vec<Part>, Error> {
    if disk.volume.is_some() {
        let part = |here: &Here| Part {
            target: inside(&disk.path),
            source: Source::Path {
                path: here.path.clone(),
                directory: true,
                recursive: false,
                read_only: disk.readonly,
                shift: here.shift,
            },
        };
        return Ok(volume.map(part).into_iter().collect());
    }
    let path = PathBuf::from(disk.source.as_deref().unwrap_or_default());
    let kind = match std::fs::metadata(&path) {
        Ok(metadata) => metadata.file_type(),
        Err(_) if disk.optional => return Ok(Vec::new()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let path = path.display().to_string();
            return Err(Error::MissingSource { device: name.to_string(), path });
        }
        Err(source) => return Err(Error::Path { doing: "look at", path, source }),
    };
    if disk.recursive && !kind.is_dir() {
        return Err(Error::RecursiveFile { device: name.to_string(), path });
    }
    let source = if kind.is_block_device() {
        Source::Filesystem { device: path, read_only: disk.readonly, shift: disk.shift }
    } else {
        let directory = kind.is_dir();
        Source::Path {
            path,
            directory,
            recursive: disk.recursive,
            read_only: disk.readonly,
            shift: disk.shift,
        }
    };
    Ok(vec![Part { target: inside(&disk.path), source }])
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::devices::{Device, Properties};

    fn disk(properties: &[(&str, &str)]) -> (DeviceName, Disk) {
        let mut map: Properties =
            properties.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        map.insert("type".to_owned(), "disk".to_owned());
        match Device::parse("data", &map).unwrap() {
            Device::Disk(disk) => (DeviceName::parse("data").unwrap(), disk),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_missing_source_is_named_unless_it_is_optional() {
        let (name, missing) = disk(&[("source", "/no/such/dir"), ("path", "mnt")]);
        let said = parts(&name, &missing, None).unwrap_err().to_string();
        assert!(said.contains("data") && said.contains("/no/such/dir"), "{said}");
        let (name, optional) = disk(&[("source", "/no/such"), ("path", "mnt"), ("optional", "true")]);
        assert_eq!(parts(&name, &optional, None).unwrap(), []);
    }

    #[test]
    fn a_volume_is_the_directory_where_it_is_mounted() {
        let (name, volume) = disk(&[("source", "v"), ("pool", "p"), ("path", "/srv/"), ("readonly", "1")]);
        assert_eq!(parts(&name, &volume, None).unwrap(), [], "it is optional and not there");
        let here = Here { path: "/pools/p/custom/v".into(), shift: true };
        let source = Source::Path {
            path: here.path.clone(),
            directory: true,
            recursive: false,
            read_only: true,
            shift: true,
        };
        let expected = Part { target: "srv".to_owned(), source };
        assert_eq!(parts(&name, &volume, Some(&here)).unwrap(), [expected]);
    }

    #[test]
    fn files_and_directories() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("note");
        std::fs::write(&file, "").unwrap();
        let source = file.to_str().unwrap();
        let (name, one) = disk(&[("source", source), ("path", "//srv/./note/"), ("readonly", "1")]);
        let found = parts(&name, &one, None).unwrap();
        assert_eq!(found[0].target, "srv/note");
        assert!(matches!(&found[0].source, Source::Path { directory: false, read_only: true, .. }));
        let (name, recursive) = disk(&[("source", source), ("path", "x"), ("recursive", "true")]);
        assert!(parts(&name, &recursive, None).unwrap_err().to_string().contains("directory"));
    }
}
