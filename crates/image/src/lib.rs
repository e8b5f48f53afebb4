//! Image files: what they are, what they say about themselves, and how they become a root file
//! system.
//!
//! | module | blocking? |
//! |---|---|
//! | [`format`], [`fingerprint`], [`metadata`], [`templates`] | yes: call them from `spawn_blocking` |
//! | [`pack`], [`unpack`] | no: async functions that do their blocking work on the blocking pool |
//! | [`download`] | no: it reads from the network and writes on the blocking pool |
//!
//! Nothing here knows the database or the wire. Archives come from strangers: every reader is
//! bounded in memory, and an archive that tries to leave its directory is refused with the name of
//! the member and the reason.

mod archive;
mod decompress;
pub mod download;
pub mod fingerprint;
pub mod format;
pub mod metadata;
pub mod pack;
pub mod templates;
pub mod unpack;

pub use format::Format;
pub use metadata::Metadata;
pub use metadata::MetadataError;
pub use unpack::{ImageFiles, Limits, UnpackError, Unpacked};

/// Any error of this crate, for callers that report rather than decide.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Unpacking.
    #[error(transparent)]
    Unpack(#[from] unpack::UnpackError),
    /// Packing.
    #[error(transparent)]
    Pack(#[from] pack::PackError),
    /// Reading metadata.
    #[error(transparent)]
    Metadata(#[from] metadata::MetadataError),
    /// Telling the format.
    #[error(transparent)]
    Format(#[from] format::FormatError),
    /// Applying templates.
    #[error(transparent)]
    Templates(#[from] templates::ApplyError),
}
