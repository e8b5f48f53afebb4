//! `unix-char` and `unix-block`: device nodes of the host, or of any number.

use super::part::{Node, Part, Source};
use crate::Error;
use model::DeviceName;
use model::devices::{NodeAccess, UnixDevice, inside};
use model::runtime::devices::NodeKind;
use rustix::fs::{major, minor};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// What appears inside; nothing while the host lacks a device that may be missing.
pub(super) fn parts(name: &DeviceName, kind: NodeKind, unix: &UnixDevice) -> Result<Vec<Part>, Error> {
    let path = PathBuf::from("/").join(unix.source.trim_start_matches('/'));
    let host = look(name, kind, &path)?;
    let (major, minor) = match (unix.major, unix.minor, host) {
        (Some(major), Some(minor), _) => (major, minor),
        (major, minor, Some(host)) => (major.unwrap_or(host.major), minor.unwrap_or(host.minor)),
        _ if !unix.required => return Ok(Vec::new()),
        _ => {
            let path = path.display().to_string();
            return Err(Error::MissingNode { device: name.to_string(), path });
        }
    };
    let mode = unix.access.mode.or(host.map(|host| host.mode)).unwrap_or(NodeAccess::DEFAULT_MODE);
    let same = host.is_some_and(|host| (host.major, host.minor) == (major, minor));
    let node = Node {
        kind,
        major,
        minor,
        uid: unix.access.uid,
        gid: unix.access.gid,
        mode,
        host: same.then_some(path),
    };
    Ok(vec![Part { target: inside(&unix.path), source: Source::Node(node) }])
}

/// A node of the host.
#[derive(Clone, Copy)]
struct Found {
    major: u32,
    minor: u32,
    mode: u32,
}

fn look(name: &DeviceName, kind: NodeKind, path: &Path) -> Result<Option<Found>, Error> {
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Error::Path { doing: "look at", path: path.to_owned(), source }),
    };
    let found = metadata.file_type();
    let (fits, wanted) = match kind {
        NodeKind::Char => (found.is_char_device(), "character"),
        NodeKind::Block => (found.is_block_device(), "block"),
    };
    if !fits {
        return Err(Error::WrongNode { device: name.to_string(), path: path.to_owned(), wanted });
    }
    let number = metadata.rdev();
    let mode = metadata.permissions().mode() & 0o7777;
    Ok(Some(Found { major: major(number), minor: minor(number), mode }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unix(source: &str) -> UnixDevice {
        UnixDevice {
            source: source.to_owned(),
            path: "/dev/inside".to_owned(),
            major: None,
            minor: None,
            access: NodeAccess { uid: 5, gid: 6, mode: None },
            required: true,
        }
    }

    fn node(unix: &UnixDevice) -> Node {
        let name = DeviceName::parse("x").unwrap();
        match parts(&name, NodeKind::Char, unix).unwrap().remove(0).source {
            Source::Node(node) => node,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn numbers_and_mode_come_from_the_host() {
        let null = node(&unix("/dev/null"));
        assert_eq!((null.major, null.minor, null.mode, null.uid, null.gid), (1, 3, 0o666, 5, 6));
        assert_eq!(null.host.as_deref(), Some(Path::new("/dev/null")));
        let given = node(&UnixDevice { major: Some(1), minor: Some(5), ..unix("/dev/no-such-device") });
        assert_eq!((given.major, given.minor, given.mode), (1, 5, 0o660));
        assert_eq!(given.host, None);
    }

    #[test]
    fn what_is_missing_or_of_another_kind() {
        let name = DeviceName::parse("x").unwrap();
        let missing = unix("/dev/no-such-device");
        let said = parts(&name, NodeKind::Char, &missing).unwrap_err().to_string();
        assert!(said.contains("/dev/no-such-device"), "{said}");
        let later = UnixDevice { required: false, ..missing };
        assert_eq!(parts(&name, NodeKind::Char, &later).unwrap(), []);
        let said = parts(&name, NodeKind::Block, &unix("/dev/null")).unwrap_err().to_string();
        assert!(said.contains("block"), "{said}");
    }
}
