//! Making what a preseed says, and taking it back when something fails.

use super::preseed::{Network, Pool, Preseed, Profile};
use crate::talk::{Daemon, TalkError};
use api::server::ServerPut;
use http::Method;
use serde_json::{Value, json};

/// Why not everything was made.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApplyError {
    /// The daemon refused something.
    #[error("cannot set up {what}")]
    Refused {
        /// What.
        what: String,
        /// Why.
        source: TalkError,
    },
    /// A pool of that name is made otherwise.
    #[error(
        "the storage pool '{name}' exists with the driver '{driver}': choose another name or that driver"
    )]
    Driver {
        /// Which.
        name: String,
        /// How it is made.
        driver: String,
    },
    /// A pool of that name is configured otherwise.
    #[error("the storage pool '{name}' exists with another value of '{key}', which cannot be changed")]
    PoolKey {
        /// Which.
        name: String,
        /// What differs.
        key: String,
    },
}

/// One step back.
struct Undo {
    method: Method,
    path: String,
    body: Option<Value>,
}

/// A daemon, and the way back to how it was.
struct Changes<'a> {
    daemon: &'a Daemon,
    undo: Vec<Undo>,
}

/// Makes everything, or nothing.
///
/// # Errors
/// The daemon refused something; what had been made is gone again.
pub(super) async fn apply(preseed: &Preseed, daemon: &Daemon) -> Result<(), ApplyError> {
    let mut changes = Changes { daemon, undo: Vec::new() };
    let result = changes.make(preseed).await;
    if result.is_err() {
        changes.take_back().await;
    }
    result
}

/// Names in URLs: only what may be in names passes the daemon's own check.
fn url(collection: &str, name: &str) -> String {
    format!("/1.0/{collection}/{}", name.replace('%', "%25").replace('/', "%2F").replace(' ', "%20"))
}

impl Changes<'_> {
    async fn make(&mut self, preseed: &Preseed) -> Result<(), ApplyError> {
        if !preseed.config.is_empty() {
            self.configure(preseed).await.map_err(refused("the server's configuration"))?;
        }
        for network in &preseed.networks {
            let what = format!("the network '{}'", network.name);
            self.network(network).await.map_err(refused(&what))?;
        }
        for pool in &preseed.storage_pools {
            self.pool(pool).await?;
        }
        for profile in &preseed.profiles {
            let what = format!("the profile '{}'", profile.name);
            self.profile(profile).await.map_err(refused(&what))?;
        }
        Ok(())
    }

    async fn take_back(&mut self) {
        while let Some(Undo { method, path, body }) = self.undo.pop() {
            if let Err(error) = self.daemon.ask(method, &path, body.as_ref()).await {
                eprintln!("Warning: cannot undo the change of {path}: {error}");
            }
        }
    }

    /// What is there, if it is there.
    async fn find(&self, path: &str) -> Result<Option<Value>, TalkError> {
        match self.daemon.ask(Method::GET, path, None).await {
            Ok(object) => Ok(Some(object)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn create(&mut self, collection: &str, name: &str, body: &Value) -> Result<(), TalkError> {
        self.daemon.ask(Method::POST, &format!("/1.0/{collection}"), Some(body)).await?;
        self.undo.push(Undo { method: Method::DELETE, path: url(collection, name), body: None });
        Ok(())
    }

    /// Puts `new` in the place of `old`.
    async fn replace(&mut self, path: String, old: Value, new: &Value) -> Result<(), TalkError> {
        self.daemon.ask(Method::PUT, &path, Some(new)).await?;
        self.undo.push(Undo { method: Method::PUT, path, body: Some(old) });
        Ok(())
    }

    async fn configure(&mut self, preseed: &Preseed) -> Result<(), TalkError> {
        let old = self.daemon.ask(Method::GET, "/1.0", None).await?;
        let old = ServerPut { config: serde_json::from_value(old["config"].clone()).unwrap_or_default() };
        let body = json!({ "config": preseed.config });
        self.daemon.ask(Method::PATCH, "/1.0", Some(&body)).await?;
        let body = Some(json!({ "config": old.config }));
        self.undo.push(Undo { method: Method::PUT, path: "/1.0".to_owned(), body });
        Ok(())
    }

    async fn network(&mut self, network: &Network) -> Result<(), TalkError> {
        let path = url("networks", &network.name);
        let existing = self.find(&path).await?.filter(|existing| existing["managed"] == true);
        let Some(old) = existing else {
            let body = serde_json::to_value(network).unwrap_or_default();
            return self.create("networks", &network.name, &body).await;
        };
        let mut new = old.clone();
        merge(&mut new["config"], &json!(network.config));
        if !network.description.is_empty() {
            new["description"] = json!(network.description);
        }
        if new == old { Ok(()) } else { self.replace(path, old, &new).await }
    }

    async fn pool(&mut self, pool: &Pool) -> Result<(), ApplyError> {
        let what = format!("the storage pool '{}'", pool.name);
        let path = url("storage-pools", &pool.name);
        let Some(old) = self.find(&path).await.map_err(refused(&what))? else {
            let body = serde_json::to_value(pool).unwrap_or_default();
            return self.create("storage-pools", &pool.name, &body).await.map_err(refused(&what));
        };
        let driver = old["driver"].as_str().unwrap_or_default();
        if driver != pool.driver {
            return Err(ApplyError::Driver { name: pool.name.clone(), driver: driver.to_owned() });
        }
        match pool.config.iter().find(|(key, value)| old["config"][key.as_str()] != value.as_str()) {
            Some((key, _)) => Err(ApplyError::PoolKey { name: pool.name.clone(), key: key.clone() }),
            None => Ok(()),
        }
    }

    async fn profile(&mut self, profile: &Profile) -> Result<(), TalkError> {
        let path = url("profiles", &profile.name);
        let Some(old) = self.find(&path).await? else {
            let body = serde_json::to_value(profile).unwrap_or_default();
            return self.create("profiles", &profile.name, &body).await;
        };
        let mut new = old.clone();
        merge(&mut new["config"], &json!(profile.config));
        for (name, device) in &profile.devices {
            merge(&mut new["devices"][name.as_str()], &json!(device));
        }
        if !profile.description.is_empty() {
            new["description"] = json!(profile.description);
        }
        if new == old { Ok(()) } else { self.replace(path, old, &new).await }
    }
}

fn refused(what: &str) -> impl FnOnce(TalkError) -> ApplyError {
    let what = what.to_owned();
    move |source| ApplyError::Refused { what, source }
}

/// Puts the keys of `more` into `object`.
fn merge(object: &mut Value, more: &Value) {
    if !object.is_object() {
        *object = json!({});
    }
    if let (Some(object), Some(more)) = (object.as_object_mut(), more.as_object()) {
        object.extend(more.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
}

#[cfg(test)]
mod tests;
