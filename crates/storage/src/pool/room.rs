//! What to say when something does not fit.

use super::{Pool, blocking};
use crate::error::Error;
use crate::volume::Volume;
use model::units::Bytes;
use std::path::PathBuf;

impl Pool {
    /// An error in words that name the pool, if it says that there is no room. `files` is what was
    /// being copied: how much of it does not fit is told, where what was made of it is gone again.
    pub(super) async fn no_room(&self, error: Error, volume: &Volume, files: Option<PathBuf>) -> Error {
        if !error.says_full() {
            return error;
        }
        let (pool, volume) = (self.inner.name.clone(), volume.clone());
        if let (Some(files), Ok(resources)) = (files, self.resources().await)
            && let Ok(needed) = blocking(move || Ok(crate::tree::usage(&files)?)).await
        {
            let free = resources.space_total.saturating_sub(resources.space_used);
            if needed > free {
                return Error::Full { pool, volume, missing: Bytes(needed - free) };
            }
        }
        Error::NoRoom { pool, volume, source: Box::new(error) }
    }
}
