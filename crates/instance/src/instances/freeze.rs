//! Freeze and unfreeze: the control group's freezer.

use super::owner::Owner;
use crate::Error;
use model::state::InstanceState;
use std::time::Duration;

/// How long every process may take to freeze: one that waits for a dead disk cannot.
const FREEZE_LIMIT: Duration = Duration::from_secs(10);

impl Owner {
    /// Freezes every process; a container that does not freeze in time is thawed again.
    pub(super) async fn freeze(&mut self) -> Result<(), Error> {
        let Some(live) = self.entry().live() else {
            return Err(Error::Refused(model::state::Refusal::IsNotRunning));
        };
        let pid = live.pid;
        self.set_state(InstanceState::Freezing { pid });
        let result = {
            let live = live.clone();
            blocking(move || live.cgroup.freeze(FREEZE_LIMIT)).await
        };
        match result {
            Ok(()) => {
                self.set_state(InstanceState::Frozen { pid });
                self.context.tell("container-paused", self.name());
                Ok(())
            }
            Err(error) => {
                if let Err(thaw) = blocking(move || live.cgroup.thaw(FREEZE_LIMIT)).await {
                    tracing::error!(instance = self.name(), error = %thaw.story(), "cannot thaw");
                }
                self.set_state(InstanceState::Running { pid });
                Err(error)
            }
        }
    }

    /// Lets every process go on.
    pub(super) async fn unfreeze(&mut self) -> Result<(), Error> {
        self.thaw(FREEZE_LIMIT).await?;
        if let Some(live) = self.entry().live() {
            self.set_state(InstanceState::Running { pid: live.pid });
            self.context.tell("container-resumed", self.name());
        }
        Ok(())
    }

    /// Thaws without a change of state; nothing happens to what is not frozen.
    pub(super) async fn thaw(&mut self, limit: Duration) -> Result<(), Error> {
        let Some(live) = self.entry().live() else { return Ok(()) };
        if !self
            .state_is(|state| matches!(state, InstanceState::Frozen { .. } | InstanceState::Freezing { .. }))
        {
            return Ok(());
        }
        blocking(move || live.cgroup.thaw(limit)).await
    }
}

async fn blocking(
    work: impl FnOnce() -> Result<(), container::cgroup::Error> + Send + 'static,
) -> Result<(), Error> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::Shutdown)?.map_err(Error::Cgroup)
}
