//! Directories for what other daemons send.

use super::Pool;
use crate::drivers::VolumeSource;
use crate::error::Error;
use std::path::{Path, PathBuf};

impl Pool {
    /// Makes a directory for what another daemon sends, filled with something of the pool so that less
    /// has to be sent. Whatever owners and modes are received, only root can reach what is in it. It
    /// becomes a volume by [`VolumeSource::Received`]; a crash of the daemon removes it.
    ///
    /// # Errors
    /// [`Error`]; nothing remains then.
    pub async fn receive(&self, source: VolumeSource) -> Result<PathBuf, Error> {
        self.inner.driver.receive(source).await
    }

    /// Removes such a directory and what is left in it.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn discard_received(&self, path: &Path) -> Result<(), Error> {
        self.inner.driver.discard_received(path.to_owned()).await
    }
}
