//! Containers: everything but their files and sessions.

use crate::{Client, Download, Error, Pending, Tagged, encode_segment};
use api::instances::{Instance, InstanceFull, InstancePost, InstancePut, InstancesPost, StatePut};
use api::state::State;
use http::{HeaderMap, Method};

impl Client {
    /// All containers, sorted by name, without their live state.
    ///
    /// # Errors
    /// As for every request.
    pub async fn containers(&self) -> Result<Vec<Instance>, Error> {
        self.get("/1.0/containers?recursion=1").await
    }

    /// All containers with their state and snapshots, in one request where the server can.
    ///
    /// # Errors
    /// As for every request.
    pub async fn containers_full(&self) -> Result<Vec<InstanceFull>, Error> {
        let path = "/1.0/containers?recursion=2";
        let answer = self.raw(Method::GET, path, HeaderMap::new(), crate::Body::empty()).await?;
        match crate::query::decode(path, &answer) {
            // A server without `container_full` takes the 2 for 0 and lists URLs.
            Err(Error::Decode { .. }) if crate::query::decode::<Vec<String>>(path, &answer).is_ok() => {
                self.containers_one_by_one().await
            }
            result => result,
        }
    }

    async fn containers_one_by_one(&self) -> Result<Vec<InstanceFull>, Error> {
        let mut all = Vec::new();
        for instance in self.containers().await? {
            let state = self.state(&instance.name).await.ok();
            let path = format!("{}/snapshots?recursion=1", at(&instance.name));
            let snapshots = self.get(&path).await.ok();
            all.push(InstanceFull { instance, backups: None, state, snapshots });
        }
        Ok(all)
    }

    /// One container.
    ///
    /// # Errors
    /// 404 when there is none of this name.
    pub async fn container(&self, name: &str) -> Result<Tagged<Instance>, Error> {
        self.get_tagged(&at(name)).await
    }

    /// One container with its state and snapshots.
    ///
    /// # Errors
    /// 404 when there is none of this name.
    pub async fn container_full(&self, name: &str) -> Result<InstanceFull, Error> {
        let mut full: InstanceFull = self.get(&format!("{}?recursion=1", at(name))).await?;
        if full.state.is_none() {
            full.state = Some(self.state(name).await?);
        }
        if full.snapshots.is_none() {
            full.snapshots = self.get(&format!("{}/snapshots?recursion=1", at(name))).await.ok();
        }
        Ok(full)
    }

    /// Creates a container.
    ///
    /// # Errors
    /// As for every request; failures of the work itself come from [`Pending::wait`].
    pub async fn create_container(&self, request: &InstancesPost) -> Result<Pending, Error> {
        self.begin(Method::POST, "/1.0/containers", request, None).await
    }

    /// Replaces a container's configuration.
    ///
    /// # Errors
    /// 412 when `etag` is no longer current, 400 for bad keys and values.
    pub async fn put_container(
        &self,
        name: &str,
        put: &InstancePut,
        etag: Option<&str>,
    ) -> Result<Pending, Error> {
        self.begin(Method::PUT, &at(name), put, etag).await
    }

    /// Renames a stopped container.
    ///
    /// # Errors
    /// 409 when the new name is taken.
    pub async fn rename_container(&self, name: &str, new_name: &str) -> Result<Pending, Error> {
        let post = InstancePost { name: new_name.to_owned(), ..InstancePost::default() };
        self.begin(Method::POST, &at(name), &post, None).await
    }

    /// Deletes a stopped container.
    ///
    /// # Errors
    /// 400 when it runs.
    pub async fn delete_container(&self, name: &str) -> Result<Pending, Error> {
        self.begin_raw(Method::DELETE, &at(name), HeaderMap::new(), crate::Body::empty()).await
    }

    /// Sends a container to another server, or lets that one fetch it.
    ///
    /// # Errors
    /// 400 when it cannot be sent as it is.
    pub async fn send_container(&self, name: &str, post: &InstancePost) -> Result<Pending, Error> {
        self.begin(Method::POST, &at(name), post, None).await
    }

    /// A container's live state.
    ///
    /// # Errors
    /// 404 when there is none of this name.
    pub async fn state(&self, name: &str) -> Result<State, Error> {
        self.get(&format!("{}/state", at(name))).await
    }

    /// Starts, stops, restarts, freezes or thaws a container.
    ///
    /// # Errors
    /// 400 for an action that its state does not allow.
    pub async fn set_state(&self, name: &str, put: &StatePut) -> Result<Pending, Error> {
        self.begin(Method::PUT, &format!("{}/state", at(name)), put, None).await
    }

    /// A log file of a container, such as `lxc.log`.
    ///
    /// # Errors
    /// 404 when there is none.
    pub async fn log(&self, name: &str, file: &str) -> Result<Download, Error> {
        let path = format!("{}/logs/{}", at(name), encode_segment(file));
        self.open(Method::GET, &path, HeaderMap::new(), crate::Body::empty()).await
    }

    /// What the console printed so far.
    ///
    /// # Errors
    /// 404 when there is no such container.
    pub async fn console_log(&self, name: &str) -> Result<Download, Error> {
        self.open(Method::GET, &format!("{}/console", at(name)), HeaderMap::new(), crate::Body::empty()).await
    }

    /// Forgets what the console printed.
    ///
    /// # Errors
    /// 404 when there is no such container.
    pub async fn clear_console_log(&self, name: &str) -> Result<(), Error> {
        self.remove(&format!("{}/console", at(name))).await
    }
}

/// The path of a container.
pub(crate) fn at(name: &str) -> String {
    format!("/1.0/containers/{}", encode_segment(name))
}
