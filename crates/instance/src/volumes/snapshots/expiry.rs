//! Snapshots of volumes whose time has come.

use crate::volumes::Volumes;
use api::Time;
use std::time::Duration;

/// How often they are looked at.
const PAUSE: Duration = Duration::from_secs(60);

impl Volumes {
    /// Removes expired snapshots, for as long as the daemon lives.
    pub(crate) async fn keep_expiry(self) {
        loop {
            tokio::time::sleep(PAUSE).await;
            let now = Time::now();
            for held in self.inner.catalog.all() {
                for snapshot in held.snapshots.iter().filter(|s| s.expires_at.is_set() && s.expires_at <= now)
                {
                    let (place, name) = (held.place.clone(), snapshot.name.clone());
                    if let Err(error) = self.delete_snapshot_now(place, name).await {
                        tracing::error!(
                            volume = %held.place,
                            snapshot = snapshot.name.as_str(),
                            error = %error.story(),
                            "cannot remove an expired snapshot"
                        );
                    }
                }
            }
        }
    }
}
