//! Everything of one daemon directory.

use crate::{
    Error, images::Images, instances::Instances, networks::Networks, pools::Pools, profiles::Profiles,
    server::Server,
};
use api::events::Lifecycle;
use std::path::PathBuf;
use tokio::sync::mpsc::UnboundedSender;

/// Where things are.
#[derive(Clone, Debug)]
pub struct Options {
    /// The daemon's directory (`LXD_DIR`).
    pub var: PathBuf,
    /// The log directory; containers have a directory each in it.
    pub logs: PathBuf,
    /// The program `lxd-keeper`.
    pub keeper: PathBuf,
}

/// Everything of one daemon directory.
#[derive(Clone)]
#[allow(missing_docs)]
pub struct Host {
    pub instances: Instances,
    pub profiles: Profiles,
    pub images: Images,
    pub networks: Networks,
    pub pools: Pools,
    pub server: Server,
}

impl Host {
    /// Opens the database, repairs what an interrupted daemon left, finds running containers.
    ///
    /// # Errors
    /// What keeps the daemon from starting at all: no directory, no database, no keeper.
    pub async fn open(options: Options, lifecycle: UnboundedSender<Lifecycle>) -> Result<Self, Error> {
        let _ = (options, lifecycle);
        unimplemented!()
    }

    /// Brings networks up and starts what should run. Called once, after the socket listens.
    pub async fn bring_up(&self) {
        unimplemented!()
    }

    /// Stops every container (in order of `boot.stop.priority`) and the networks, remembering what ran.
    pub async fn bring_down(&self) {
        unimplemented!()
    }

    /// Flushes and closes; containers go on running.
    pub async fn close(&self) {
        unimplemented!()
    }
}
