//! `metadata.yaml`: what an image says about itself.

use crate::archive::{self, ArchiveError};
use crate::decompress;
use crate::format::{Format, FormatError};
use model::arch::{Architecture, UnknownArchitecture};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The member's name in the archive.
pub const FILE_NAME: &str = "metadata.yaml";
/// Largest `metadata.yaml`, in bytes.
pub const MAX_BYTES: u64 = 1024 * 1024;
/// How many bytes of other members may come before `metadata.yaml`: it is usually the first.
const MAX_SKIPPED: u64 = 64 * 1024 * 1024 * 1024;

/// The content of `metadata.yaml`. Keys that are not known are dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// Architecture name or alias, as written.
    #[serde(default)]
    pub architecture: String,
    /// When the image was made, in seconds since 1970. Never zero in valid metadata.
    #[serde(default)]
    pub creation_date: i64,
    /// When it should no longer be used, in seconds since 1970; zero: never.
    #[serde(default)]
    pub expiry_date: i64,
    /// Properties for people and searches.
    #[serde(default, deserialize_with = "map_or_null")]
    pub properties: BTreeMap<String, String>,
    /// Files written by the host: path inside the container to how.
    #[serde(default, deserialize_with = "map_or_null")]
    pub templates: BTreeMap<String, Template>,
}

/// A file that the host writes into a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    /// Triggers: `create`, `copy`, `start`. Others never fire.
    #[serde(default, deserialize_with = "list_or_null")]
    pub when: Vec<String>,
    /// Only write it when it does not exist.
    #[serde(default)]
    pub create_only: bool,
    /// Name of the template's file in `templates/`.
    #[serde(default)]
    pub template: String,
    /// Values for the template.
    #[serde(default, deserialize_with = "map_or_null")]
    pub properties: BTreeMap<String, String>,
}

/// Reads a map in which the map itself or a value may be null, as hand-written YAML often has it.
fn map_or_null<'de, D, V>(deserializer: D) -> Result<BTreeMap<String, V>, D::Error>
where
    D: Deserializer<'de>,
    V: Deserialize<'de> + Default,
{
    let map = Option::<BTreeMap<String, Option<V>>>::deserialize(deserializer)?;
    Ok(map.unwrap_or_default().into_iter().map(|(k, v)| (k, v.unwrap_or_default())).collect())
}

fn list_or_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(Option::<Vec<String>>::deserialize(deserializer)?.unwrap_or_default())
}

/// Why an image's metadata was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// The file is no archive we know.
    #[error("cannot tell what kind of archive the image is")]
    Format(#[from] FormatError),
    /// The metadata file of a split image, or a unified image, cannot be a squashfs.
    #[error("the image's metadata must come in a tar archive, this is a squashfs")]
    NotATarball,
    /// The archive could not be opened.
    #[error("cannot read {}", path.display())]
    Open {
        /// The archive.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The archive could not be read.
    #[error("cannot read the image's archive")]
    Archive(#[from] ArchiveError),
    /// The archive has none.
    #[error("the image has no {FILE_NAME} at its top level")]
    Missing,
    /// Not a regular file.
    #[error("the image's {FILE_NAME} is not a regular file")]
    NotAFile,
    /// It is larger than [`MAX_BYTES`].
    #[error("the image's {FILE_NAME} has {bytes} bytes, at most {MAX_BYTES} are accepted")]
    TooLarge {
        /// Its size.
        bytes: u64,
    },
    /// Not UTF-8.
    #[error("the image's {FILE_NAME} is not UTF-8 text")]
    NotText,
    /// Not YAML of the right shape.
    #[error("cannot parse the image's {FILE_NAME}")]
    Yaml(#[source] Box<serde_saphyr::Error>),
    /// Could not be written as YAML.
    #[error("cannot write {FILE_NAME}")]
    Write(#[from] serde_saphyr::ser_error::Error),
    /// No architecture.
    #[error("Missing architecture.")]
    NoArchitecture,
    /// An architecture that nobody knows.
    #[error(transparent)]
    UnknownArchitecture(#[from] UnknownArchitecture),
    /// No creation date, or zero.
    #[error("Missing creation date.")]
    NoCreationDate,
}

impl Metadata {
    /// Parses the text of a `metadata.yaml`. The meaning is checked by [`validate`](Self::validate).
    ///
    /// # Errors
    /// [`MetadataError::Yaml`].
    pub fn parse(text: &str) -> Result<Self, MetadataError> {
        serde_saphyr::from_str(text).map_err(|e| MetadataError::Yaml(Box::new(e)))
    }

    /// The text of a `metadata.yaml`.
    ///
    /// # Errors
    /// [`MetadataError::Write`]; no value of this type is known to cause it.
    pub fn to_yaml(&self) -> Result<String, MetadataError> {
        Ok(serde_saphyr::to_string(self)?)
    }

    /// Checks what an image must say to be accepted.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn validate(&self) -> Result<(), MetadataError> {
        if self.architecture.is_empty() {
            return Err(MetadataError::NoArchitecture);
        }
        Architecture::parse(&self.architecture)?;
        if self.creation_date == 0 {
            return Err(MetadataError::NoCreationDate);
        }
        Ok(())
    }

    /// Reads, parses and validates the `metadata.yaml` of an image file: the unified tarball or
    /// the metadata tarball of a split image.
    ///
    /// # Errors
    /// [`MetadataError`].
    pub fn of_image(path: &Path) -> Result<Self, MetadataError> {
        let metadata = Self::parse(&text_of_image(path)?)?;
        metadata.validate()?;
        Ok(metadata)
    }
}

/// The text of an image's `metadata.yaml`, as it is.
///
/// # Errors
/// [`MetadataError`], but the content is not looked at.
pub fn text_of_image(path: &Path) -> Result<String, MetadataError> {
    let format = Format::of_file(path)?;
    if format == Format::Squashfs {
        return Err(MetadataError::NotATarball);
    }
    let open = |source| MetadataError::Open { path: path.to_owned(), source };
    let reader = decompress::open(path, format).map_err(open)?;
    let mut members = archive::Reader::new(reader, MAX_SKIPPED);
    while let Some(member) = members.next_member()? {
        if member.path == FILE_NAME.as_bytes() || member.path == b"./metadata.yaml" {
            if member.kind != archive::Kind::File {
                return Err(MetadataError::NotAFile);
            }
            if member.real_size > MAX_BYTES {
                return Err(MetadataError::TooLarge { bytes: member.real_size });
            }
            let bytes = members.read_all(&member)?;
            return String::from_utf8(bytes).map_err(|_| MetadataError::NotText);
        }
    }
    Err(MetadataError::Missing)
}

#[cfg(test)]
#[path = "metadata/tests.rs"]
mod tests;
