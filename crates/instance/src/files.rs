//! Files inside containers.

use crate::Error;
use model::runtime::protocol::FileReply;
use std::fs::File;

/// The files of one container. Paths are absolute and mean what they mean inside.
pub struct Files {}

/// Owner and permission bits to give; absent ones have the defaults of [`model::runtime::protocol::FileRequest`].
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct Ownership {
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub mode: Option<u32>,
}

#[allow(clippy::unused_async)]
impl Files {
    /// Looks at a path; a regular file comes with its content.
    ///
    /// # Errors
    /// Nothing there.
    pub async fn get(&self, path: &str) -> Result<(FileReply, Option<File>), Error> {
        let _ = path;
        unimplemented!()
    }

    /// Opens a file for writing.
    ///
    /// # Errors
    /// A directory is in the way; the parent is missing.
    pub async fn put(&self, path: &str, append: bool, owner: Ownership) -> Result<File, Error> {
        let _ = (path, append, owner);
        unimplemented!()
    }

    /// Makes a directory.
    ///
    /// # Errors
    /// Something else is in the way; the parent is missing.
    pub async fn make_dir(&self, path: &str, owner: Ownership) -> Result<(), Error> {
        let _ = (path, owner);
        unimplemented!()
    }

    /// Makes a symbolic link.
    ///
    /// # Errors
    /// The parent is missing.
    pub async fn symlink(&self, path: &str, target: &str, owner: Ownership) -> Result<(), Error> {
        let _ = (path, target, owner);
        unimplemented!()
    }

    /// Removes a file, a link or an empty directory.
    ///
    /// # Errors
    /// Nothing there; a directory that is not empty.
    pub async fn remove(&self, path: &str) -> Result<(), Error> {
        let _ = path;
        unimplemented!()
    }
}
