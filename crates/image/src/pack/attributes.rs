//! Owners and extended attributes as they are seen inside the container.

use crate::archive::Member;
use crate::unpack::is_wanted;
use model::IdMap;
use model::idmap::Change;
use rustix::fs::{fgetxattr, flistxattr, lgetxattr, llistxattr};
use rustix::io::Errno;
use std::ffi::CStr;
use std::os::fd::{AsRawFd as _, BorrowedFd};

/// Largest list of names and largest value that the kernel has (`xattr(7)`).
const MAX: usize = 64 * 1024;
/// What an id that the container does not have looks like to it (`user_namespaces(7)`).
const NOBODY: u32 = 65534;
const ACCESS: &[u8] = b"system.posix_acl_access";
const DEFAULT: &[u8] = b"system.posix_acl_default";
const CAPABILITY: &[u8] = b"security.capability";

/// Whose ids are on disk: the container's own, or those that the host gave it.
#[derive(Clone, Copy)]
pub(super) struct Ids<'a>(pub(super) Option<&'a IdMap>);

/// Where attributes are read from.
pub(super) enum Reading<'a> {
    /// An open file or directory.
    Open(BorrowedFd<'a>),
    /// A name in a directory; links are not followed.
    Name(BorrowedFd<'a>, &'a CStr),
}

impl Reading<'_> {
    fn path(directory: &BorrowedFd<'_>, name: &CStr) -> Vec<u8> {
        [format!("/proc/self/fd/{}/", directory.as_raw_fd()).as_bytes(), name.to_bytes()].concat()
    }

    fn list(&self, buffer: &mut [u8]) -> Result<usize, Errno> {
        match self {
            Self::Open(fd) => flistxattr(fd, buffer),
            Self::Name(directory, name) => llistxattr(Self::path(directory, name), buffer),
        }
    }

    fn get(&self, attribute: &[u8], value: &mut [u8]) -> Result<usize, Errno> {
        match self {
            Self::Open(fd) => fgetxattr(fd, attribute, value),
            Self::Name(directory, name) => lgetxattr(Self::path(directory, name), attribute, value),
        }
    }

    /// Names with a zero byte behind each; nothing where there are no attributes.
    fn names(&self) -> Result<Vec<u8>, Errno> {
        let mut names = vec![0; 512];
        match self.list(&mut names) {
            Err(Errno::RANGE) => {
                names.resize(MAX, 0);
                let length = self.list(&mut names)?;
                names.truncate(length);
            }
            Ok(length) => names.truncate(length),
            Err(Errno::OPNOTSUPP) => names.clear(),
            Err(errno) => return Err(errno),
        }
        Ok(names)
    }

    fn value(&self, attribute: &[u8]) -> Result<Option<Vec<u8>>, Errno> {
        let mut value = vec![0; 256];
        loop {
            match self.get(attribute, &mut value) {
                Ok(length) => {
                    value.truncate(length);
                    return Ok(Some(value));
                }
                Err(Errno::RANGE) if value.len() < MAX => value.resize(MAX, 0),
                Err(Errno::NODATA | Errno::OPNOTSUPP) => return Ok(None),
                Err(errno) => return Err(errno),
            }
        }
    }
}

impl Ids<'_> {
    pub(super) fn uid(self, uid: u32) -> u32 {
        self.0.map_or(uid, |map| map.container_uid(uid).unwrap_or(NOBODY))
    }

    pub(super) fn gid(self, gid: u32) -> u32 {
        self.0.map_or(gid, |map| map.container_gid(gid).unwrap_or(NOBODY))
    }

    /// Puts the attributes that belong to an image into a member, in the order of their names.
    pub(super) fn read(self, member: &mut Member, from: &Reading<'_>) -> Result<(), Errno> {
        let names = from.names()?;
        let mut names: Vec<&[u8]> = names.split(|byte| *byte == 0).collect();
        names.sort_unstable();
        for name in names {
            // An archive has no way to say a name with this character.
            if !is_wanted(name) || name.contains(&b'=') {
                continue;
            }
            let Some(value) = from.value(name)? else { continue };
            let value = self.inside(name, value);
            match name {
                ACCESS => member.acl_access = acl_text(&value),
                DEFAULT => member.acl_default = acl_text(&value),
                _ => {}
            }
            member.xattrs.push((name.to_vec(), value));
        }
        Ok(())
    }

    /// The value as it is seen inside.
    fn inside(self, name: &[u8], value: Vec<u8>) -> Vec<u8> {
        let change = Change { from: self.0, to: None };
        let changed = match name {
            ACCESS | DEFAULT => change.acl(&value),
            CAPABILITY => change.capabilities(&value),
            _ => None,
        };
        changed.unwrap_or(value)
    }
}

/// The text of an access control list with numbers for users and groups (`acl(5)`), which some
/// programs want besides the bytes. `None`: it is no such list.
fn acl_text(value: &[u8]) -> Option<Vec<u8>> {
    let (version, entries) = value.split_first_chunk::<4>()?;
    if u32::from_le_bytes(*version) != 2 || !entries.len().is_multiple_of(8) {
        return None;
    }
    let mut texts = Vec::new();
    for entry in entries.chunks_exact(8) {
        let (tag, bits) = (u16::from_le_bytes([entry[0], entry[1]]), entry[2]);
        let id = u32::from_le_bytes([entry[4], entry[5], entry[6], entry[7]]);
        let letter = |bit: u8, letter: char| if bits & bit == 0 { '-' } else { letter };
        let allowed: String = [letter(4, 'r'), letter(2, 'w'), letter(1, 'x')].iter().collect();
        texts.push(match tag {
            0x01 => format!("user::{allowed}"),
            0x02 => format!("user:{id}:{allowed}"),
            0x04 => format!("group::{allowed}"),
            0x08 => format!("group:{id}:{allowed}"),
            0x10 => format!("mask::{allowed}"),
            0x20 => format!("other::{allowed}"),
            _ => return None,
        });
    }
    Some(texts.join(",").into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_become_text() {
        let entry = |tag: u16, bits: u16, id: u32| {
            [tag.to_le_bytes().to_vec(), bits.to_le_bytes().to_vec(), id.to_le_bytes().to_vec()].concat()
        };
        let none = u32::MAX;
        let value = [
            vec![2, 0, 0, 0],
            entry(1, 6, none),
            entry(2, 4, 33),
            entry(4, 4, none),
            entry(8, 7, 44),
            entry(0x10, 7, none),
            entry(0x20, 0, none),
        ]
        .concat();
        let text = "user::rw-,user:33:r--,group::r--,group:44:rwx,mask::rwx,other::---";
        assert_eq!(acl_text(&value).unwrap(), text.as_bytes());
        assert_eq!(acl_text(&value[..7]), None);
        assert_eq!(acl_text(b""), None);
    }

    #[test]
    fn ids_that_the_container_does_not_have_are_nobody() {
        let map = IdMap::contiguous(1_000_000, 65536);
        assert_eq!((Ids(Some(&map)).uid(1_000_033), Ids(Some(&map)).gid(0)), (33, NOBODY));
        assert_eq!(Ids(None).uid(70_000), 70_000);
    }
}
