//! What every driver must do, one file for each kind of thing.

pub(crate) mod containers;
pub(crate) mod copies;
pub(crate) mod crashes;
pub(crate) mod custom;
pub(crate) mod drafts;
pub(crate) mod full;
pub(crate) mod images;
pub(crate) mod pools;
pub(crate) mod renames;
pub(crate) mod restores;
pub(crate) mod sizes;
pub(crate) mod snapshots;
pub(crate) mod transfers;
pub(crate) mod twice;
