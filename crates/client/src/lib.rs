//! Dial a daemon: requests, operations, events, exec.
//!
//! ```no_run
//! # async fn example() -> Result<(), client::Error> {
//! let client = client::Client::connect(client::Address::local()).await?;
//! for container in client.containers().await? {
//!     println!("{} {}", container.name, container.status);
//! }
//! # Ok(()) }
//! ```
//!
//! One [`Client`] keeps its idle connections and may be cloned and used from many tasks at once.

mod address;
mod body;
mod certificates;
mod client;
mod connection;
mod console;
mod containers;
mod download;
mod error;
mod events;
mod exec;
mod files;
mod image_relay;
mod image_server;
mod image_tree;
mod images;
mod join;
mod keys;
mod metadata;
mod multipart;
mod networks;
mod operations;
mod origin;
mod profiles;
mod query;
mod relay;
mod server;
mod snapshots;
mod storage;
mod upload;
mod volumes;
mod websocket;

pub use address::{Address, AddressError};
pub use body::Body;
pub use certificates::{CertificateDetails, WaitingToken, certificate_details};
pub use client::{Client, Tagged};
pub use console::Console;
pub use download::Download;
pub use error::Error;
pub use events::{EventKind, Events};
pub use exec::{ExecExit, ExecSession};
pub use files::{Entry, EntryKind, FileMeta, Place};
pub use image_relay::RelayedImage;
pub use image_server::{ImageFile, ImageServer};
pub use image_tree::{ImageTree, ImageTreeError, Listed};
pub use images::ImageUpload;
pub use join::{JoinToken, shown_certificate};
pub use keys::{Keys, KeysError};
pub use multipart::{PartReader, Received};
pub use operations::Pending;
pub use origin::Origin;
pub use query::{Answer, encode_segment};
pub use relay::relay;
pub use transport::Certificate;
pub use transport::dial::DialError;
pub use volumes::VolumePlace;
pub use websocket::control::ControlStream;
pub use websocket::data::{DataReader, DataWriter};

#[cfg(test)]
mod tests;
