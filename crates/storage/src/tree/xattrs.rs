//! Extended attributes of open files, and of names that cannot be opened.

use rustix::fs::{
    XattrFlags, fgetxattr, flistxattr, fsetxattr, getxattr, lgetxattr, listxattr, llistxattr, lsetxattr,
    setxattr,
};
use rustix::io::Errno;
use std::ffi::{CStr, CString};
use std::os::fd::{AsRawFd, BorrowedFd};

/// Largest list of names and largest value that the kernel has (`xattr(7)`).
const MAX: usize = 64 * 1024;

/// What attributes are read from or written to.
pub(super) enum Subject<'a> {
    /// A file that is open for reading or writing.
    Open(BorrowedFd<'a>),
    /// A name in a directory; links are not followed.
    Name(CString),
    /// A name of an open descriptor below `/proc/self/fd`, which is followed.
    Held(CString),
}

impl<'a> Subject<'a> {
    /// A link, a pipe or a device, which cannot or must not be opened.
    pub(super) fn named(directory: BorrowedFd<'_>, name: &CStr) -> Option<Subject<'a>> {
        let path = [format!("/proc/self/fd/{}/", directory.as_raw_fd()).as_bytes(), name.to_bytes()].concat();
        CString::new(path).ok().map(Subject::Name)
    }

    /// A file that is held by an `O_PATH` descriptor and is no link.
    pub(super) fn held(file: BorrowedFd<'_>) -> Option<Subject<'a>> {
        CString::new(format!("/proc/self/fd/{}", file.as_raw_fd())).ok().map(Subject::Held)
    }

    fn list_into(&self, buffer: &mut [u8]) -> Result<usize, Errno> {
        match self {
            Self::Open(fd) => flistxattr(fd, buffer),
            Self::Name(path) => llistxattr(path.as_c_str(), buffer),
            Self::Held(path) => listxattr(path.as_c_str(), buffer),
        }
    }

    /// The names of all attributes; none where the file system has no attributes.
    pub(super) fn names(&self) -> Result<Vec<CString>, Errno> {
        let mut small = [0; 512];
        let mut large = Vec::new();
        let list = match self.list_into(&mut small) {
            Ok(length) => &small[..length],
            Err(Errno::RANGE) => {
                large.resize(MAX, 0);
                let length = self.list_into(&mut large)?;
                &large[..length]
            }
            Err(Errno::OPNOTSUPP) => &[],
            Err(errno) => return Err(errno),
        };
        Ok(list
            .split_inclusive(|byte| *byte == 0)
            .filter_map(|n| CStr::from_bytes_with_nul(n).ok())
            .map(CStr::to_owned)
            .collect())
    }

    /// An attribute's value. `None`: it has no such attribute.
    pub(super) fn get(&self, name: &CStr) -> Result<Option<Vec<u8>>, Errno> {
        let mut value = vec![0; 256];
        loop {
            let result = match self {
                Self::Open(fd) => fgetxattr(fd, name, value.as_mut_slice()),
                Self::Name(path) => lgetxattr(path.as_c_str(), name, value.as_mut_slice()),
                Self::Held(path) => getxattr(path.as_c_str(), name, value.as_mut_slice()),
            };
            match result {
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

    /// Sets an attribute.
    pub(super) fn set(&self, name: &CStr, value: &[u8]) -> Result<(), Errno> {
        match self {
            Self::Open(fd) => fsetxattr(fd, name, value, XattrFlags::empty()),
            Self::Name(path) => lsetxattr(path.as_c_str(), name, value, XattrFlags::empty()),
            Self::Held(path) => setxattr(path.as_c_str(), name, value, XattrFlags::empty()),
        }
    }
}

/// XFS shows what it keeps access control lists in, which all file systems have under other names.
const LISTS_OF_XFS: &[u8] = b"trusted.SGI_ACL_";

/// Copies all attributes that belong to the file. Labels of security modules stay behind: they say
/// what the host thinks of a place, and the kernel labels the copy by itself.
pub(super) fn copy(from: &Subject<'_>, to: &Subject<'_>) -> Result<(), Errno> {
    for name in from.names()? {
        if name.to_bytes().starts_with(b"security.") && name.as_c_str() != c"security.capability" {
            continue;
        }
        if name.to_bytes().starts_with(LISTS_OF_XFS) {
            continue;
        }
        if let Some(value) = from.get(&name)? {
            to.set(&name, &value)?;
        }
    }
    Ok(())
}
