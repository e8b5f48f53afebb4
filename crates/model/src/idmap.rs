//! Which ids of the host a container's ids are.
//!
//! See `user_namespaces(7)`. A map is a list of ranges; the JSON form is the one LXD keeps in
//! `volatile.last_state.idmap`.

mod change;
mod container;
mod host;
mod json;
mod raw;

pub use change::Change;
pub use container::{Allocation, IdmapError, Taken, for_container};
pub use host::{HostIds, MIN_IDS, daemon_map};
pub use json::IdmapJsonError;
pub use raw::{RawIdmapError, RawKind, RawMapping};

use serde::{Deserialize, Serialize};

/// A run of ids: `container..container+count` are `host..host+count` on the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct IdRange {
    /// First id as the container sees it.
    pub container: u32,
    /// First id as the host sees it.
    pub host: u32,
    /// How many ids.
    pub count: u32,
}

/// The user and group ids of an unprivileged container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct IdMap {
    /// User ids.
    pub uids: Vec<IdRange>,
    /// Group ids.
    pub gids: Vec<IdRange>,
}

fn to_host(ranges: &[IdRange], id: u32) -> Option<u32> {
    ranges.iter().find_map(|r| {
        let offset = id.checked_sub(r.container)?;
        (offset < r.count).then(|| r.host.checked_add(offset)).flatten()
    })
}

fn to_container(ranges: &[IdRange], id: u32) -> Option<u32> {
    ranges.iter().find_map(|r| {
        let offset = id.checked_sub(r.host)?;
        (offset < r.count).then(|| r.container.checked_add(offset)).flatten()
    })
}

impl IdMap {
    /// The same range of `count` ids from 0 for users and groups.
    #[must_use]
    pub fn contiguous(host: u32, count: u32) -> Self {
        let range = IdRange { container: 0, host, count };
        Self { uids: vec![range], gids: vec![range] }
    }

    /// The host's id of a user of the container, if it has one.
    #[must_use]
    pub fn host_uid(&self, uid: u32) -> Option<u32> {
        to_host(&self.uids, uid)
    }

    /// The host's id of a group of the container, if it has one.
    #[must_use]
    pub fn host_gid(&self, gid: u32) -> Option<u32> {
        to_host(&self.gids, gid)
    }

    /// The container's id of a user of the host, if it has one.
    #[must_use]
    pub fn container_uid(&self, uid: u32) -> Option<u32> {
        to_container(&self.uids, uid)
    }

    /// The container's id of a group of the host, if it has one.
    #[must_use]
    pub fn container_gid(&self, gid: u32) -> Option<u32> {
        to_container(&self.gids, gid)
    }
}
