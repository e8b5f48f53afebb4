//! Work on files that nobody changes meanwhile: a running container is frozen for as long.

use super::context::Context;
use super::owner::Owner;
use crate::Error;
use crate::journal::{self, Entry as Journal};
use container::cgroup::Cgroup;
use model::names::InstanceName;
use model::state::InstanceState;
use std::future::Future;
use std::time::Duration;

/// How long every process may take to freeze, or to go on.
const LIMIT: Duration = Duration::from_secs(10);

impl Owner {
    /// Does `work` while no process of the container runs. Its state stays what it was: for those
    /// inside, time stands still. The next daemon thaws it if this one is killed meanwhile.
    pub(super) async fn still<T>(
        &mut self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let frozen = self.state_is(|state| matches!(state, InstanceState::Frozen { .. }));
        let Some(live) = self.entry().live().filter(|_| !frozen) else { return work.await };
        let store = &self.context.store;
        let entry = journal::begin(store, Journal::Still { name: self.record.name.clone() }).await?;
        crate::steps::crash_at("still:freeze");
        let freezing = live.clone();
        let result = match blocking(move || freezing.cgroup.freeze(LIMIT)).await {
            Ok(()) => work.await,
            Err(error) => Err(error),
        };
        crate::steps::crash_at("still:thaw");
        if let Err(error) = blocking(move || live.cgroup.thaw(LIMIT)).await {
            tracing::error!(instance = self.name(), error = %error.story(), "cannot thaw");
        }
        journal::done(store, entry).await;
        result
    }
}

/// Thaws what an interrupted daemon had frozen; nothing happens to what has ended.
pub(super) async fn thaw(context: &Context, name: &InstanceName) -> Result<(), Error> {
    let kept = context.keeper.list().await?.into_iter().find(|kept| kept.name == name.as_str());
    let Some(kept) = kept.filter(|kept| kept.exit.is_none()) else { return Ok(()) };
    let cgroup = Cgroup::open(context.platform.layout(), &kept.cgroup).map_err(Error::Cgroup)?;
    blocking(move || cgroup.thaw(LIMIT)).await
}

async fn blocking(
    work: impl FnOnce() -> Result<(), container::cgroup::Error> + Send + 'static,
) -> Result<(), Error> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::Shutdown)?.map_err(Error::Cgroup)
}
