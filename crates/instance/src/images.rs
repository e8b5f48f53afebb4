//! Images and aliases.

use crate::{Error, Work};
use api::images::{AliasEntry, AliasPatch, Image, ImageAlias, ImagePatch, ImagePut};
use bytes::Bytes;
use std::fs::File;

/// All images. Cheap to clone.
#[derive(Clone)]
pub struct Images {}

/// An upload under way. Dropped before [`Images::import`], it leaves nothing behind.
pub struct Upload {}

/// Which file of an image is being uploaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The whole image, one tarball.
    Unified,
    /// The metadata tarball of a split image; comes first.
    Metadata,
    /// The root file system of a split image.
    Rootfs,
}

/// What the client says about an upload.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct Description {
    pub filename: String,
    pub public: bool,
    pub properties: api::Config,
    pub expected_fingerprint: Option<String>,
    pub aliases: Vec<ImageAlias>,
}

/// Files of an image, to send.
pub struct Export {
    /// The metadata, or the whole unified image.
    pub metadata: ExportFile,
    /// The root file system of a split image.
    pub rootfs: Option<ExportFile>,
}

/// One file to send.
pub struct ExportFile {
    /// What it should be called.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its content.
    pub file: File,
}

impl Upload {
    /// Begins a file. Order: `Unified` alone, or `Metadata` and then `Rootfs`.
    ///
    /// # Errors
    /// Out of order; no space.
    pub async fn begin(&mut self, part: Part) -> Result<(), Error> {
        let _ = part;
        unimplemented!()
    }

    /// Adds to the file that was begun last.
    ///
    /// # Errors
    /// Too much; no space.
    pub async fn write(&mut self, data: Bytes) -> Result<(), Error> {
        let _ = data;
        unimplemented!()
    }
}

#[allow(clippy::unused_async)]
impl Images {
    /// Every image by fingerprint.
    #[must_use]
    pub fn list(&self) -> Vec<Image> {
        unimplemented!()
    }

    /// One image by a unique prefix of its fingerprint.
    ///
    /// # Errors
    /// Not found; more than one.
    pub fn get(&self, prefix: &str) -> Result<Image, Error> {
        let _ = prefix;
        unimplemented!()
    }

    /// Begins an upload.
    ///
    /// # Errors
    /// No space.
    pub async fn upload(&self) -> Result<Upload, Error> {
        unimplemented!()
    }

    /// Checks and keeps an upload; the outcome is `{fingerprint, size}`.
    pub fn import(&self, upload: Upload, description: Description) -> Work {
        let _ = (upload, description);
        unimplemented!()
    }

    /// Replaces what can be changed.
    ///
    /// # Errors
    /// Not found.
    pub async fn update(&self, prefix: &str, put: ImagePut) -> Result<(), Error> {
        let _ = (prefix, put);
        unimplemented!()
    }

    /// Changes what is given.
    ///
    /// # Errors
    /// Not found.
    pub async fn patch(&self, prefix: &str, patch: ImagePatch) -> Result<(), Error> {
        let _ = (prefix, patch);
        unimplemented!()
    }

    /// Removes an image from all pools and the store.
    ///
    /// # Errors
    /// Not found; ambiguous.
    pub async fn delete(&self, prefix: &str) -> Result<Work, Error> {
        let _ = prefix;
        unimplemented!()
    }

    /// The files of an image.
    ///
    /// # Errors
    /// Not found; ambiguous.
    pub async fn export(&self, prefix: &str) -> Result<Export, Error> {
        let _ = prefix;
        unimplemented!()
    }

    /// Every alias by name.
    #[must_use]
    pub fn aliases(&self) -> Vec<AliasEntry> {
        unimplemented!()
    }

    /// One alias.
    ///
    /// # Errors
    /// Not found.
    pub fn alias(&self, name: &str) -> Result<AliasEntry, Error> {
        let _ = name;
        unimplemented!()
    }

    /// Makes an alias.
    ///
    /// # Errors
    /// The name is empty or taken; no such image.
    pub async fn create_alias(&self, entry: AliasEntry) -> Result<(), Error> {
        let _ = entry;
        unimplemented!()
    }

    /// Points an alias elsewhere.
    ///
    /// # Errors
    /// No such alias or image.
    pub async fn update_alias(&self, name: &str, patch: AliasPatch) -> Result<(), Error> {
        let _ = (name, patch);
        unimplemented!()
    }

    /// Gives an alias another name.
    ///
    /// # Errors
    /// Not found; taken.
    pub async fn rename_alias(&self, name: &str, new_name: &str) -> Result<(), Error> {
        let _ = (name, new_name);
        unimplemented!()
    }

    /// Removes an alias.
    ///
    /// # Errors
    /// Not found.
    pub async fn delete_alias(&self, name: &str) -> Result<(), Error> {
        let _ = name;
        unimplemented!()
    }
}
