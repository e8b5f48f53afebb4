//! What a command works with: settings, names of servers, connections.

use crate::args::Global;
use crate::settings::{Remote, Settings};
use client::{Address, Client, ImageServer};
use futures_util::future::join_all;
use std::cell::RefCell;
use std::collections::HashMap;

/// What a command works with.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) settings: Settings,
    pub(crate) global: Global,
    clients: RefCell<HashMap<String, Client>>,
}

/// A name, and the server it is meant on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) remote: String,
    pub(crate) name: String,
}

/// A name that leads to no server.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RemoteError {
    /// No such server in the settings.
    #[error("The remote \"{0}\" doesn't exist")]
    Unknown(String),
    /// An image server.
    #[error(
        "The remote \"{0}\" is an image server: there are images to see and to launch there, and nothing else"
    )]
    Streams(String),
}

impl Session {
    pub(crate) fn new(settings: Settings, global: Global) -> Self {
        Self { settings, global, clients: RefCell::default() }
    }

    /// Splits `[remote:]name`. A colon behind a `/` belongs to the name.
    pub(crate) fn target(&self, text: &str) -> Result<Target, RemoteError> {
        let (remote, name) = match text.split_once(':') {
            Some((remote, name)) if self.settings.remotes.contains_key(remote) => (remote, name),
            Some((remote, _)) if !remote.contains('/') => {
                return Err(RemoteError::Unknown(remote.to_owned()));
            }
            _ => (self.settings.default_remote.as_str(), text),
        };
        Ok(Target { remote: remote.to_owned(), name: name.to_owned() })
    }

    /// Splits `[remote:]name` where the name must not be empty; `what` names it in the error.
    pub(crate) fn named(&self, text: &str, what: &str) -> anyhow::Result<(Client, Target)> {
        let target = self.target(text)?;
        anyhow::ensure!(!target.name.is_empty(), "Missing {what} name in \"{text}\"");
        Ok((self.client(&target.remote)?, target))
    }

    /// The server of an optional `remote:`.
    pub(crate) fn server(&self, text: Option<&str>) -> anyhow::Result<Client> {
        let target = self.target(text.unwrap_or_default())?;
        anyhow::ensure!(
            target.name.is_empty(),
            "\"{name}\" is no server; did you mean \"{name}:\"?",
            name = target.name
        );
        self.client(&target.remote)
    }

    /// A client for a server; it dials at its first request.
    pub(crate) fn client(&self, remote: &str) -> anyhow::Result<Client> {
        if let Some(client) = self.clients.borrow().get(remote) {
            return Ok(client.clone());
        }
        let client = if self.global.force_local {
            Client::new(Address::local())
        } else {
            let Remote { addr, protocol, public, .. } =
                self.settings.remotes.get(remote).ok_or_else(|| RemoteError::Unknown(remote.to_owned()))?;
            if protocol == "simplestreams" {
                return Err(RemoteError::Streams(remote.to_owned()).into());
            }
            match Address::parse(addr)? {
                unix @ Address::Unix(_) => Client::new(unix),
                Address::Https(url) => self.settings.keys()?.client(remote, url, *public)?,
            }
        };
        if self.global.verbose {
            eprintln!("Using the server at {}", client.address());
        }
        self.clients.borrow_mut().insert(remote.to_owned(), client.clone());
        Ok(client)
    }

    /// The URL of a remote that is an image server of the simplestreams kind.
    pub(crate) fn image_server_url(&self, remote: &str) -> Option<String> {
        let known = self.settings.remotes.get(remote).filter(|_| !self.global.force_local)?;
        (known.protocol == "simplestreams").then(|| known.addr.clone())
    }

    /// A remote that is an image server of the simplestreams kind.
    pub(crate) fn image_server(&self, remote: &str) -> anyhow::Result<Option<ImageServer>> {
        let Some(url) = self.image_server_url(remote) else { return Ok(None) };
        Ok(Some(ImageServer::new(&url, &self.settings.directory()?.join("simplestreams"))?))
    }

    /// A server across the network that this command spoke to, and whether it is a public one.
    pub(crate) fn remotes_across(&self) -> Option<(String, bool)> {
        let clients = self.clients.borrow();
        let (name, _) = clients.iter().find(|(_, client)| client.address().socket().is_none())?;
        Some((name.clone(), self.settings.remotes.get(name).is_some_and(|remote| remote.public)))
    }

    /// True when two remotes lead to the same server.
    pub(crate) fn same_server(&self, one: &str, other: &str) -> bool {
        one == other
            || matches!((self.client(one), self.client(other)), (Ok(a), Ok(b)) if a.address() == b.address())
    }
}

/// Does something to several containers at once. A single failure is returned as it is; of several
/// targets each failure gets a line `name: error: why`.
pub(crate) async fn for_each<F>(names: &[String], verb: &str, act: impl Fn(String) -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>>,
{
    if let [only] = names {
        return act(only.clone()).await;
    }
    let results = join_all(names.iter().map(|name| act(name.clone()))).await;
    let mut failed = false;
    for (name, result) in names.iter().zip(results) {
        if let Err(error) = result {
            eprintln!("{name}: error: {error:#}");
            failed = true;
        }
    }
    anyhow::ensure!(!failed, "Some containers failed to {verb}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Session {
        let global = Global { force_local: false, quiet: false, verbose: false, debug: false };
        Session::new(Settings::for_tests(), global)
    }

    #[test]
    fn names_are_split_at_the_first_colon() {
        let session = session();
        let target = |text: &str| session.target(text).map(|t| (t.remote, t.name)).map_err(|e| e.to_string());
        let pair = |a: &str, b: &str| Ok((a.to_owned(), b.to_owned()));
        assert_eq!(target("c1"), pair("local", "c1"));
        assert_eq!(target("local:c1"), pair("local", "c1"));
        assert_eq!(target("images:"), pair("images", ""));
        assert_eq!(target("c1/etc/a:b"), pair("local", "c1/etc/a:b"));
        assert_eq!(target("foo:c1"), Err("The remote \"foo\" doesn't exist".to_owned()));
    }

    #[test]
    fn a_server_needs_its_colon() {
        let error = session().server(Some("c1")).unwrap_err().to_string();
        assert_eq!(error, "\"c1\" is no server; did you mean \"c1:\"?");
    }
}
