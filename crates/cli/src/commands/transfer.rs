//! A container or snapshot goes from one server to another: the target fetches it, or the source sends
//! it, or its streams meet in this program.

use crate::args::Mode;
use crate::session::Session;
use anyhow::{Context as _, bail, ensure};
use api::instances::{InstancePost, InstancesPost, MigrationTarget, Source};
use client::{Client, Origin, Pending, relay};
use std::time::Duration;

/// How long the source's own reason for a failure is waited for.
const LAST_WORD: Duration = Duration::from_secs(5);

/// What goes where.
pub(crate) struct Transfer<'a> {
    pub(crate) session: &'a Session,
    pub(crate) from: &'a Client,
    pub(crate) to: &'a Client,
    /// A container, or `container/snapshot`.
    pub(crate) name: &'a str,
    /// What is asked of the target, but for where it comes from.
    pub(crate) request: InstancesPost,
    /// How; none: as the servers can.
    pub(crate) mode: Option<Mode>,
    pub(crate) live: bool,
    pub(crate) container_only: bool,
    /// Bring up to date what is there.
    pub(crate) refresh: bool,
}

/// How a server is reached by other servers; no addresses: not at all.
#[derive(Default)]
struct Reachable {
    addresses: Vec<String>,
    certificate: String,
}

impl Transfer<'_> {
    /// Does it; the name of the new container.
    pub(crate) async fn run(self) -> anyhow::Result<String> {
        let mode = match self.mode {
            Some(mode) => mode,
            None if !reachable(self.from).await?.addresses.is_empty() => Mode::Pull,
            None if !reachable(self.to).await?.addresses.is_empty() => Mode::Push,
            None => Mode::Relay,
        };
        match mode {
            Mode::Pull => self.pull().await,
            Mode::Push => self.push().await,
            Mode::Relay => self.relay().await,
        }
    }

    async fn pull(&self) -> anyhow::Result<String> {
        let Reachable { addresses, certificate } = reachable(self.from).await?;
        ensure!(
            !addresses.is_empty(),
            "The source server isn't listening on the network: set core.https_address there, or use --mode=relay"
        );
        let source = self.depart(None).await?;
        let mut failures = Vec::new();
        for address in addresses {
            let mut request = self.request("pull");
            request.source.operation = operation(&address, &source);
            request.source.certificate.clone_from(&certificate);
            request.source.secrets = source.secrets();
            let failure = match self.to.create_container(&request).await {
                Ok(pending) => match self.wait(&pending).await {
                    Ok(()) => return name_of(&pending, &request),
                    Err(error) => error,
                },
                Err(error) => {
                    give_up(&source).await;
                    return Err(error.into());
                }
            };
            failures.push((address, failure));
            // Streams that were taken cannot be taken again from another address.
            if !still_waits(self.from, &source).await {
                break;
            }
        }
        give_up(&source).await;
        Err(total(failures))
    }

    async fn push(&self) -> anyhow::Result<String> {
        let Reachable { addresses, certificate } = reachable(self.to).await?;
        ensure!(
            !addresses.is_empty(),
            "The target server isn't listening on the network: set core.https_address there, or use --mode=relay"
        );
        let request = self.request("push");
        let sink = self.to.create_container(&request).await?;
        let mut failures = Vec::new();
        for address in addresses {
            let target = MigrationTarget {
                operation: operation(&address, &sink),
                certificate: certificate.clone(),
                secrets: sink.secrets(),
            };
            let failure = match self.depart(Some(target)).await {
                Ok(pending) => match self.wait(&pending).await {
                    Ok(()) => {
                        sink.wait().await?;
                        return name_of(&sink, &request);
                    }
                    Err(error) => error,
                },
                Err(error) => {
                    give_up(&sink).await;
                    return Err(error);
                }
            };
            failures.push((address, failure));
            if !still_waits(self.to, &sink).await {
                break;
            }
        }
        give_up(&sink).await;
        Err(total(failures))
    }

    async fn relay(&self) -> anyhow::Result<String> {
        let request = self.request("push");
        let sink = self.to.create_container(&request).await?;
        let source = match self.depart(None).await {
            Ok(source) => source,
            Err(error) => {
                give_up(&sink).await;
                return Err(error);
            }
        };
        let carried = async {
            relay(&source, &sink).await?;
            std::future::pending::<Result<(), client::Error>>().await
        };
        let result = tokio::select! {
            result = self.wait(&sink) => result,
            broken = carried => broken.map_err(Into::into),
        };
        match result {
            Ok(()) => name_of(&sink, &request),
            Err(error) => {
                // The source may know better than the target why it has ended.
                let said = tokio::time::timeout(LAST_WORD, source.wait()).await;
                give_up(&source).await;
                give_up(&sink).await;
                match said {
                    Ok(Err(reason @ client::Error::Operation { cancelled: false, .. })) => {
                        Err(error.context(format!("The source says: {reason}")))
                    }
                    _ => Err(error),
                }
            }
        }
    }

    fn request(&self, mode: &str) -> InstancesPost {
        let mut request = self.request.clone();
        request.source = Source {
            kind: "migration".to_owned(),
            mode: mode.to_owned(),
            base_image: request.config.get("volatile.base_image").cloned().unwrap_or_default(),
            live: self.live,
            container_only: self.container_only,
            instance_only: self.container_only,
            refresh: self.refresh,
            ..Source::default()
        };
        request
    }

    async fn depart(&self, target: Option<MigrationTarget>) -> anyhow::Result<Pending> {
        let post = InstancePost {
            migration: true,
            live: Some(self.live),
            container_only: self.container_only,
            instance_only: self.container_only,
            target,
            ..InstancePost::default()
        };
        Ok(match self.name.split_once('/') {
            Some((container, snapshot)) => {
                let post = InstancePost { name: container.to_owned(), ..post };
                self.from.send_snapshot(container, snapshot, &post).await?
            }
            None => self.from.send_container(self.name, &post).await?,
        })
    }

    async fn wait(&self, pending: &Pending) -> anyhow::Result<()> {
        super::wait(self.session, pending, "Transferring container").await?;
        Ok(())
    }
}

async fn reachable(client: &Client) -> anyhow::Result<Reachable> {
    match client.origin().await {
        Ok(Origin { addresses, certificate, .. }) => Ok(Reachable { addresses, certificate }),
        Err(client::Error::NotListening { .. }) => Ok(Reachable::default()),
        Err(error) => Err(error.into()),
    }
}

fn operation(address: &str, pending: &Pending) -> String {
    format!("{address}/1.0/operations/{}", pending.operation.id)
}

/// Whether an operation still waits for its streams.
async fn still_waits(client: &Client, pending: &Pending) -> bool {
    client.operation(&pending.operation.id).await.is_ok_and(|operation| !operation.status_code.is_final())
}

/// Cancels what nobody will come for any more; it may have ended by itself.
async fn give_up(pending: &Pending) {
    let _ = pending.cancel().await;
}

fn name_of(pending: &Pending, request: &InstancesPost) -> anyhow::Result<String> {
    if !request.name.is_empty() {
        return Ok(request.name.clone());
    }
    let name = pending.resource(&["containers", "instances"]);
    name.map(str::to_owned).context("The server did not tell the new container's name")
}

/// Why it could not be done from any address.
fn total(mut failures: Vec<(String, anyhow::Error)>) -> anyhow::Error {
    if failures.len() == 1
        && let Some((_, error)) = failures.pop()
    {
        return error;
    }
    let mut text = "The container could not be transferred:".to_owned();
    for (address, error) in failures {
        text.push_str(&format!("\n - {address}: {error:#}"));
    }
    anyhow::Error::msg(text)
}

/// A request for the same container on another server must not be mistaken for one on this server.
pub(crate) fn check_target(name: &str) -> anyhow::Result<()> {
    if name.contains('/') {
        bail!("\"{name}\" is no name of a container; snapshots cannot be copied into other containers");
    }
    Ok(())
}
