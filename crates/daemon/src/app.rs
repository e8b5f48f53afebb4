//! What requests are served with, and the life of the daemon around them.

use crate::events::Hub;
use crate::listen::Network;
use crate::operations::Operations;
use crate::routes::ServerPage;
use axum::extract::FromRef;
use instance::Host;
use std::sync::Arc;
use tokio::sync::watch;

/// How the daemon is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Containers go on running.
    LeaveContainers,
    /// Containers are stopped first.
    StopContainers,
}

/// Where the daemon is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Requests are served, what should run is being started.
    Starting,
    /// Everything that should run has been started.
    Ready,
    /// Nothing may be changed any more.
    Stopping(Ending),
}

/// The daemon's life. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Life(Arc<watch::Sender<Phase>>);

impl Life {
    /// It begins.
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Phase::Starting)))
    }

    /// Where it is.
    pub(crate) fn phase(&self) -> Phase {
        *self.0.borrow()
    }

    /// Everything that should run has been started.
    pub(crate) fn ready(&self) {
        self.0.send_if_modified(|phase| {
            let starting = *phase == Phase::Starting;
            if starting {
                *phase = Phase::Ready;
            }
            starting
        });
    }

    /// Begins to end it. The first word counts.
    pub(crate) fn end(&self, ending: Ending) {
        self.0.send_if_modified(|phase| match phase {
            Phase::Stopping(_) => false,
            _ => {
                *phase = Phase::Stopping(ending);
                true
            }
        });
    }

    /// Waits until start-up is over, in whatever way.
    pub(crate) async fn started(&self) -> Phase {
        self.until(|phase| phase != Phase::Starting).await
    }

    /// Waits for the end.
    pub(crate) async fn ending(&self) -> Ending {
        match self.until(|phase| matches!(phase, Phase::Stopping(_))).await {
            Phase::Stopping(ending) => ending,
            _ => Ending::LeaveContainers,
        }
    }

    async fn until(&self, wanted: impl Fn(Phase) -> bool) -> Phase {
        let mut receiver = self.0.subscribe();
        // The sender lives in `self`, so there is always an answer.
        receiver.wait_for(|phase| wanted(*phase)).await.map_or(self.phase(), |phase| *phase)
    }
}

/// What requests are served with. Handlers take the parts that they need.
#[derive(Clone)]
pub(crate) struct App(Arc<Parts>);

struct Parts {
    host: Host,
    operations: Operations,
    events: Hub,
    network: Network,
    server_page: ServerPage,
    life: Life,
}

impl App {
    /// Puts the parts together.
    pub(crate) fn new(host: Host, network: Network, operations: Operations, events: Hub, life: Life) -> Self {
        let server_page = ServerPage::new(host.server.clone(), network.clone());
        Self(Arc::new(Parts { host, network, operations, events, server_page, life }))
    }
}

impl App {
    /// One of the parts.
    pub(crate) fn part<T: FromRef<Self>>(&self) -> T {
        T::from_ref(self)
    }
}

macro_rules! parts {
    ($($type:ty => $($field:ident).+;)*) => {$(
        impl FromRef<App> for $type {
            fn from_ref(app: &App) -> Self {
                app.0.$($field).+.clone()
            }
        }
    )*};
}

parts! {
    instance::instances::Instances => host.instances;
    instance::profiles::Profiles => host.profiles;
    instance::images::Images => host.images;
    instance::networks::Networks => host.networks;
    instance::pools::Pools => host.pools;
    instance::volumes::Volumes => host.volumes;
    instance::server::Server => host.server;
    instance::settings::Settings => host.settings;
    instance::certificates::Certificates => host.certificates;
    Network => network;
    Operations => operations;
    Hub => events;
    ServerPage => server_page;
    Life => life;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_life_ends_once_and_is_not_ready_after_that() {
        let life = Life::new();
        life.end(Ending::StopContainers);
        life.ready();
        life.end(Ending::LeaveContainers);
        assert_eq!(life.phase(), Phase::Stopping(Ending::StopContainers));
        assert_eq!(life.ending().await, Ending::StopContainers);
        assert_eq!(life.started().await, Phase::Stopping(Ending::StopContainers));
    }
}
