//! Image servers of the simplestreams kind: an index of products becomes a list of images.
//!
//! | module | what | I/O |
//! |---|---|---|
//! | `lenient` | values of JSON that may be of any type | none |
//! | [`index`] | which lists of products there are | none |
//! | [`products`] | a list of products, read piece by piece | none |
//! | [`entry`] | one image of a list | none |
//! | [`catalog`] | all images of a server, sorted, with their aliases | none |
//! | [`mirrors`] | the addresses of a server | none |
//! | `cache` | what was read, kept on disk | disk |
//! | [`streams`] | a server | network |
//! | [`tree`] | lists that are written, for a server of one's own | none |
//!
//! Lists are tens of megabytes of what strangers wrote. They are read while they come in, one product at
//! a time; what is kept of an image is a few hundred bytes on disk, and whoever looks for one image holds
//! only those that match.

mod cache;
pub mod catalog;
pub mod entry;
pub mod index;
mod lenient;
pub mod mirrors;
pub mod products;
pub mod streams;
pub mod tree;

pub use catalog::{Catalog, FindError, Listed};
pub use entry::{File, FileKind};
pub use mirrors::Mirrors;
pub use streams::{Found, Look, Streams, StreamsError};
