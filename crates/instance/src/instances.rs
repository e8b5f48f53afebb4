//! Containers.

use crate::{Error, Progress, Work, exec::ExecPlan, files::Files};
use api::instances::{Instance, InstanceFull, InstancePatch, InstancePut, InstancesPost, StatePut};
use api::state::State;
use std::path::PathBuf;
use std::sync::Arc;

/// All containers. Cheap to clone.
#[derive(Clone)]
pub struct Instances {}

/// A container that is about to be made.
pub struct Creation {
    /// Its name, generated if none was given.
    pub name: String,
    /// For `copy`: the source, which the operation lists too.
    pub source: Option<String>,
    /// The rest.
    pub work: Work,
}

/// A change of state.
pub struct StateChange {
    /// `Starting container` and its like.
    pub description: &'static str,
    /// The rest.
    pub work: Work,
}

/// A client of a container's console.
pub struct ConsoleSession {
    /// Bytes both ways; closing it detaches.
    pub stream: tokio::net::UnixStream,
    /// Ends when the container does.
    pub resize: Arc<dyn Fn(u16, u16) + Send + Sync>,
}

#[allow(clippy::unused_async)]
impl Instances {
    /// Every container by name.
    #[must_use]
    pub fn list(&self) -> Vec<Arc<Instance>> {
        unimplemented!()
    }

    /// One container.
    ///
    /// # Errors
    /// Not found.
    pub fn get(&self, name: &str) -> Result<Arc<Instance>, Error> {
        let _ = name;
        unimplemented!()
    }

    /// One container with its state and snapshots.
    ///
    /// # Errors
    /// Not found.
    pub async fn full(&self, name: &str) -> Result<InstanceFull, Error> {
        let _ = name;
        unimplemented!()
    }

    /// What it is doing now.
    ///
    /// # Errors
    /// Not found.
    pub async fn state(&self, name: &str) -> Result<State, Error> {
        let _ = name;
        unimplemented!()
    }

    /// Makes a container.
    ///
    /// # Errors
    /// Anything wrong with the request; the name is taken; no such image or profile.
    pub async fn create(&self, post: InstancesPost, progress: Progress) -> Result<Creation, Error> {
        let _ = (post, progress);
        unimplemented!()
    }

    /// Replaces what can be changed.
    ///
    /// # Errors
    /// Not found; anything wrong with the new configuration.
    pub async fn update(&self, name: &str, put: InstancePut) -> Result<Work, Error> {
        let _ = (name, put);
        unimplemented!()
    }

    /// Changes what is given.
    ///
    /// # Errors
    /// As for `update`.
    pub async fn patch(&self, name: &str, patch: InstancePatch) -> Result<(), Error> {
        let _ = (name, patch);
        unimplemented!()
    }

    /// Gives a stopped container another name.
    ///
    /// # Errors
    /// Not found; the new name is bad or taken.
    pub async fn rename(&self, name: &str, new_name: &str) -> Result<Work, Error> {
        let _ = (name, new_name);
        unimplemented!()
    }

    /// Removes a stopped container and all that belongs to it.
    ///
    /// # Errors
    /// Not found; it runs.
    pub async fn delete(&self, name: &str) -> Result<Work, Error> {
        let _ = name;
        unimplemented!()
    }

    /// Start, stop, restart, freeze, unfreeze.
    ///
    /// # Errors
    /// Not found; unknown action; refused in the present state.
    pub async fn change_state(&self, name: &str, put: StatePut) -> Result<StateChange, Error> {
        let _ = (name, put);
        unimplemented!()
    }

    /// Checks that a program can be run; [`ExecPlan::start`] runs it.
    ///
    /// # Errors
    /// Not found; not running; frozen; an empty command.
    pub async fn exec(&self, name: &str, post: &api::exec::ExecPost) -> Result<ExecPlan, Error> {
        let _ = (name, post);
        unimplemented!()
    }

    /// The files of a container, running or stopped.
    ///
    /// # Errors
    /// Not found.
    pub async fn files(&self, name: &str) -> Result<Files, Error> {
        let _ = name;
        unimplemented!()
    }

    /// Attaches to the console.
    ///
    /// # Errors
    /// Not found; not running; somebody else is attached.
    pub async fn console(&self, name: &str, width: u16, height: u16) -> Result<ConsoleSession, Error> {
        let _ = (name, width, height);
        unimplemented!()
    }

    /// What the console printed.
    ///
    /// # Errors
    /// Not found.
    pub async fn console_log(&self, name: &str) -> Result<Vec<u8>, Error> {
        let _ = name;
        unimplemented!()
    }

    /// Empties the console's log.
    ///
    /// # Errors
    /// Not found.
    pub async fn clear_console_log(&self, name: &str) -> Result<(), Error> {
        let _ = name;
        unimplemented!()
    }

    /// The directory of a container's logs. The container need not exist any more.
    ///
    /// # Errors
    /// A name that no container can have.
    pub fn log_dir(&self, name: &str) -> Result<PathBuf, Error> {
        let _ = name;
        unimplemented!()
    }
}
