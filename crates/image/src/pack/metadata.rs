//! The `metadata.yaml` of the new image: what the container has, with what was asked for.

use super::Source;
use super::error::PackError;
use super::target::failed;
use crate::archive::{Kind, Member, Writer};
use crate::metadata::{FILE_NAME, MAX_BYTES, Metadata, MetadataError};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Read as _, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// The text and when it says that the image was made.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Description {
    text: Vec<u8>,
    created: i64,
}

impl Description {
    /// Reads what the container has. Its text stays as it is unless something was asked for.
    pub(super) fn of(source: &Source) -> Result<Self, PackError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let path = source.volume.join(FILE_NAME);
        match read(&path) {
            Ok(found) => described(found, source, i64::try_from(now).unwrap_or(i64::MAX)),
            Err(source) => Err(PackError::Read { step: "read", path, source }),
        }
    }

    /// The first member of an archive.
    pub(super) fn put<W: Write>(&self, archive: &mut Writer<W>) -> Result<(), PackError> {
        let member = Member {
            path: FILE_NAME.as_bytes().to_vec(),
            link: Vec::new(),
            kind: Kind::File,
            mode: 0o644,
            uid: 0,
            gid: 0,
            mtime: (self.created, 0),
            device: (0, 0),
            xattrs: Vec::new(),
            acl_access: None,
            acl_default: None,
            real_size: self.text.len() as u64,
            sparse: None,
        };
        let put = |archive: &mut Writer<W>| {
            archive.begin(&member)?;
            archive.data(&self.text)
        };
        put(archive).map_err(|source| failed(FILE_NAME, source))
    }
}

/// Puts together what is there and what is wanted. Pure.
fn described(found: Option<Vec<u8>>, wanted: &Source, now: i64) -> Result<Description, PackError> {
    let text = match found {
        Some(bytes) => Some(String::from_utf8(bytes).map_err(|_| MetadataError::NotText)?),
        None => None,
    };
    let mut metadata = match &text {
        Some(text) => Metadata::parse(text)?,
        None => {
            Metadata { architecture: wanted.architecture.clone(), creation_date: now, ..Metadata::default() }
        }
    };
    if !wanted.properties.is_empty() {
        metadata.properties.clone_from(&wanted.properties);
    }
    if let Some(end) = wanted.expires_at {
        metadata.expiry_date = end;
    }
    metadata.validate()?;
    let as_it_is = wanted.properties.is_empty() && wanted.expires_at.is_none();
    let text = match text {
        Some(text) if as_it_is => text,
        _ => metadata.to_yaml()?,
    };
    Ok(Description { text: text.into_bytes(), created: metadata.creation_date })
}

/// It came with an image: never through a link, and not more than it may have.
fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(errno.into()),
    };
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES { Err(io::Error::other("it is too large")) } else { Ok(Some(bytes)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "architecture: aarch64\ncreation_date: 5\nproperties: {os: Debian}\nunknown: 1\ntemplates: {/a: {when: [start], template: a.tpl}}\n";

    fn source() -> Source {
        Source { architecture: "x86_64".to_owned(), ..Source::default() }
    }

    fn parse(description: &Description) -> Metadata {
        Metadata::parse(std::str::from_utf8(&description.text).unwrap()).unwrap()
    }

    #[test]
    fn what_a_container_has_stays_unless_something_is_wanted() {
        let text = || Some(TEXT.as_bytes().to_vec());
        let same = described(text(), &source(), 9).unwrap();
        assert_eq!((same.text.as_slice(), same.created), (TEXT.as_bytes(), 5));
        let properties = [("release".to_owned(), "1".to_owned())].into();
        let wanted = Source { properties, expires_at: Some(77), ..source() };
        let other = parse(&described(text(), &wanted, 9).unwrap());
        assert_eq!((other.properties, other.expiry_date), (wanted.properties, 77));
        assert_eq!((other.architecture.as_str(), other.templates.len()), ("aarch64", 1));
    }

    #[test]
    fn a_container_without_metadata_gets_some() {
        let made = described(None, &source(), 9).unwrap();
        let metadata = parse(&made);
        assert_eq!((metadata.architecture.as_str(), metadata.creation_date, made.created), ("x86_64", 9, 9));
        assert!(described(None, &Source::default(), 9).is_err());
        assert!(described(Some(b"\xff".to_vec()), &source(), 9).is_err());
        assert!(described(Some(b"architecture: x86_64\n".to_vec()), &source(), 9).is_err());
    }
}
