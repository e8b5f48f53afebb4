//! Deleting: a volume loses its name at once; what it was goes in the background, or with its last clone.

use super::volume::own_snapshots;
use super::{State, is, names};
use crate::error::Error;
use crate::volume::Volume;
use rustix::io::Errno;
use std::sync::{Arc, PoisonError};

impl State {
    pub(super) async fn delete_volume(self: &Arc<Self>, volume: &Volume) -> Result<bool, Error> {
        self.unmount_volume(volume).await?;
        if let Some(of) = volume.parent()
            && self.delete_snapshot(&names::device(&of), &names::snapshot_of(volume)).await?
        {
            return Ok(true);
        }
        self.images.lock().unwrap_or_else(PoisonError::into_inner).remove(&names::device(volume));
        // The snapshots first: a volume without them is still a volume, they are nothing without it.
        if let Some(kind) = volume.snapshot_kind() {
            let devices = self.rbd.list().await?;
            for snapshot in own_snapshots(&devices, volume, kind) {
                self.unmount_volume(&snapshot).await?;
                self.retire(&names::device(&snapshot)).await?;
            }
            for rest in [names::staged(volume), names::old(volume)] {
                if devices.contains(&rest) {
                    self.retire(&rest).await?;
                }
            }
        }
        let found = self.retire(&names::device(volume)).await?;
        self.remove_mount_point(volume).await?;
        Ok(found)
    }

    /// Removes a snapshot of a device. One with clones stays until the last of them goes.
    async fn delete_snapshot(&self, device: &str, snapshot: &str) -> Result<bool, Error> {
        let result = self.rbd.snap_remove(device, snapshot).await;
        if is(&result, Errno::NOENT) {
            return Ok(false);
        }
        if !is(&result, Errno::BUSY) {
            return Ok(result.map(|()| true)?);
        }
        let result = self.rbd.snap_unprotect(device, snapshot).await;
        if is(&result, Errno::BUSY) {
            self.rbd.snap_rename(device, snapshot, &names::zombie_snapshot()).await?;
            return Ok(true);
        }
        result?;
        self.rbd.snap_remove(device, snapshot).await?;
        Ok(true)
    }

    /// Takes a device's name and has it removed in the background, when nobody uses it any more. False:
    /// there is none.
    pub(super) async fn retire(self: &Arc<Self>, device: &str) -> Result<bool, Error> {
        self.unmap(device).await?;
        let zombie = names::zombie(device);
        let result = self.rbd.rename(device, &zombie).await;
        if is(&result, Errno::NOENT) {
            return Ok(false);
        }
        result?;
        self.reap_later(zombie);
        Ok(true)
    }
}
