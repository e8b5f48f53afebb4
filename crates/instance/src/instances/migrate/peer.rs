//! The other server: it connects to us, or we to it.

use crate::Error;
use api::instances::{MigrationTarget, Source};
use migration::{Socket, Streams, dial};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::oneshot;
use transport::proxy::Proxies;

/// How long the other server may take to connect: whoever tells it to may try several of our addresses,
/// some of which do not answer.
const PATIENCE: Duration = Duration::from_secs(5 * 60);

/// Where the streams go that the other server has connected.
pub type StreamSender = oneshot::Sender<Streams>;

/// How the streams come about.
pub(in crate::instances) enum Peer {
    /// The other server connects.
    Calls(oneshot::Receiver<Streams>),
    /// We connect.
    IsCalled(Operation),
}

/// An operation of another server.
pub(in crate::instances) struct Operation {
    url: String,
    certificate: String,
    secrets: BTreeMap<String, String>,
}

impl Peer {
    /// One that connects.
    pub(in crate::instances) fn calls() -> (Self, StreamSender) {
        let (sender, receiver) = oneshot::channel();
        (Self::Calls(receiver), sender)
    }

    /// The one that a new container comes from, and where its streams go if it connects.
    ///
    /// # Errors
    /// With the state of processes; an unknown mode; it is not named as it should be.
    pub(in crate::instances) fn of(source: &Source) -> Result<(Self, Option<StreamSender>), Error> {
        if source.live {
            return Err(Error::Unsupported {
                subject: "Receiving a running container from another server".to_owned(),
                feature: "moving the state of processes",
                hint: "stop it first, or leave its processes behind with --stateless (\"live\": false)",
            });
        }
        match source.mode.as_str() {
            "" | "pull" => Ok((Self::of_source(source)?, None)),
            "push" => {
                let (peer, sender) = Self::calls();
                Ok((peer, Some(sender)))
            }
            other => Err(Error::Unknown {
                field: "migration mode",
                value: other.to_owned(),
                allowed: "pull, push",
            }),
        }
    }

    /// The one that a source is told to send to.
    pub(in crate::instances) fn of_target(target: &MigrationTarget) -> Result<Self, Error> {
        Self::called(&target.operation, &target.certificate, &target.secrets)
    }

    /// The one that has the source.
    fn of_source(source: &Source) -> Result<Self, Error> {
        Self::called(&source.operation, &source.certificate, &source.secrets)
    }

    fn called(url: &str, certificate: &str, secrets: &BTreeMap<String, String>) -> Result<Self, Error> {
        if url.is_empty() {
            return Err(Error::Missing {
                field: "operation",
                hint: "it is the URL of the other server's operation, as https://host:port/1.0/operations/…",
            });
        }
        for stream in migration::STREAM_NAMES {
            if !secrets.contains_key(*stream) {
                return Err(Error::Missing {
                    field: "secret",
                    hint: "the streams control and fs have one each, which the other server's operation shows",
                });
            }
        }
        let (url, certificate) = (url.to_owned(), certificate.to_owned());
        Ok(Self::IsCalled(Operation { url, certificate, secrets: secrets.clone() }))
    }

    /// The streams, once they are connected.
    pub(in crate::instances) async fn connect(self) -> Result<Streams, Error> {
        match self {
            Self::Calls(receiver) => match tokio::time::timeout(PATIENCE, receiver).await {
                Ok(streams) => streams.map_err(|_| Error::NobodyCame { limit: PATIENCE }),
                Err(_) => Err(Error::NobodyCame { limit: PATIENCE }),
            },
            Self::IsCalled(operation) => {
                let control = operation.stream("control").await?;
                let fs = operation.stream("fs").await?;
                Ok(Streams { control, fs })
            }
        }
    }
}

impl Operation {
    async fn stream(&self, name: &'static str) -> Result<Socket, Error> {
        let secret = self.secrets.get(name).map(String::as_str).unwrap_or_default();
        Ok(dial(&self.url, &self.certificate, name, secret, Proxies::default()).await?)
    }
}
