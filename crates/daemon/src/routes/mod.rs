//! The API: one file per resource, and the table of URLs.
//!
//! Handlers read a request, ask `instance`, and write the answer; they decide nothing themselves.

mod aliases;
mod audience;
mod backups;
mod certificates;
mod console;
mod cors;
mod events;
mod exec;
mod files;
mod gate;
mod image_door;
mod image_export;
mod image_metadata;
mod image_publish;
mod image_push;
mod image_upload;
mod images;
mod instances;
mod internal;
mod lists;
mod logs;
mod metadata;
mod migration;
mod networks;
mod operations;
mod pools;
mod profiles;
mod server;
mod snapshots;
mod state;
mod table;
mod volume_snapshots;
mod volumes;

pub(crate) use gate::Gate;
pub(crate) use server::ServerPage;
pub(crate) use table::router;
