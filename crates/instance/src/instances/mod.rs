//! Containers.
//!
//! | file | what |
//! |---|---|
//! | [`registry`] | every container in memory |
//! | [`owner`] | the task that owns one container, and the diagram of its states |
//! | `create`, `start`, `stop`, … | one verb each |
//! | [`gate`] | the one check of every configuration |
//! | [`snapshots`] | what containers were |
//! | [`view`], [`state`] | what clients see |
//! | [`repair`] | what a daemon finds when it starts |

mod backup;
mod boot;
mod confine;
mod console;
pub(crate) mod context;
mod copy;
mod create;
mod delete;
mod devlxd;
mod ended;
mod follow;
mod forward;
mod freeze;
mod gate;
mod host_boot;
mod hotplug;
mod ids;
mod interfaces;
mod limit;
mod live;
mod metadata;
mod migrate;
mod modules;
mod owner;
mod program;
mod publish;
mod recover;
mod registry;
mod relocate_pool;
mod rename;
pub(crate) mod repair;
mod revive;
mod root_size;
mod shutdown;
mod snapshots;
mod start;
mod state;
mod still;
mod stop;
mod templates;
mod update;
mod view;

pub use console::ConsoleSession;
pub(crate) use ids::map_of;
pub(crate) use live::Live;
pub use migrate::{Departure, StreamSender};
pub(crate) use owner::Request;
pub use publish::Publication;
pub use recover::{Found, Request as RecoverRequest};
pub(crate) use registry::{Entry, Registry};

use crate::exec::ExecPlan;
use crate::files::{FileQueue, Files};
use crate::{Error, Progress, Work, full_disk};
use api::instances::{
    Instance, InstanceFull, InstancePatch, InstancePost, InstancePut, InstancesPost, StatePut,
};
use api::state::State;
use context::Context;
use model::names::{InstanceName, PoolName};
use model::runtime::spec::Rootfs;
use model::state::{Action, Decision, decide};
pub(crate) use state::network as shown_interface;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use stop::Afterwards;
use storage::Mounted;

/// All containers. Cheap to clone.
#[derive(Clone)]
pub struct Instances {
    context: Arc<Context>,
}

/// A container that is about to be made.
pub struct Creation {
    /// Its name, generated if none was given.
    pub name: String,
    /// For `copy`: the source, which the operation lists too.
    pub source: Option<String>,
    /// For `migration` in which the other server connects: where its streams go.
    pub streams: Option<StreamSender>,
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

impl Instances {
    pub(crate) fn new(context: Arc<Context>) -> Self {
        Self { context }
    }

    /// Every container by name.
    #[must_use]
    pub fn list(&self) -> Vec<Arc<Instance>> {
        self.context.registry.all().iter().map(|entry| entry.view()).collect()
    }

    /// One container.
    ///
    /// # Errors
    /// Not found.
    pub fn get(&self, name: &str) -> Result<Arc<Instance>, Error> {
        Ok(self.context.registry.get(name)?.view())
    }

    /// One container with its state and snapshots.
    ///
    /// # Errors
    /// Not found.
    pub async fn full(&self, name: &str) -> Result<InstanceFull, Error> {
        let entry = self.context.registry.get(name)?;
        let state = state::state(&entry, &self.context.networks).await?;
        let instance = Instance::clone(&entry.view());
        let snapshots = Some(snapshots::all(&self.context, &entry));
        Ok(InstanceFull { instance, backups: None, state: Some(state), snapshots })
    }

    /// Many containers with their states and snapshots. Those that are gone are left out.
    ///
    /// # Errors
    /// The daemon stops.
    pub async fn full_list(&self, list: &[Arc<Instance>]) -> Result<Vec<InstanceFull>, Error> {
        let entries: Vec<_> =
            list.iter().filter_map(|view| self.context.registry.get(&view.name).ok()).collect();
        let states = state::states(&entries, &self.context.networks).await?;
        let full = |(entry, state): (&Arc<Entry>, State)| {
            let instance = Instance::clone(&entry.view());
            let snapshots = Some(snapshots::all(&self.context, entry));
            InstanceFull { instance, backups: None, state: Some(state), snapshots }
        };
        Ok(entries.iter().zip(states).map(full).collect())
    }

    /// What it is doing now.
    ///
    /// # Errors
    /// Not found.
    pub async fn state(&self, name: &str) -> Result<State, Error> {
        state::state(&self.context.registry.get(name)?, &self.context.networks).await
    }

    /// Makes a container.
    ///
    /// # Errors
    /// Anything wrong with the request; the name is taken; no such image or profile.
    #[allow(clippy::unused_async)] // images will be looked up elsewhere
    pub async fn create(&self, post: InstancesPost, progress: Progress) -> Result<Creation, Error> {
        let mut creation = create::create(&self.context, post, progress)?;
        creation.work = self.context.explained(creation.work);
        Ok(creation)
    }

    /// Replaces what can be changed.
    ///
    /// # Errors
    /// Not found; anything wrong with the new configuration.
    #[allow(clippy::unused_async)]
    pub async fn update(&self, name: &str, put: InstancePut) -> Result<Work, Error> {
        let entry = self.context.registry.get(name)?;
        update::check(&self.context, &entry.view(), &put)?;
        Ok(self.context.explained(Box::pin(async move {
            entry.ask(|reply| Request::Update { put: Box::new(put), reply }).await?;
            Ok(None)
        })))
    }

    /// Changes what is given.
    ///
    /// # Errors
    /// As for `update`.
    pub async fn patch(&self, name: &str, patch: InstancePatch) -> Result<(), Error> {
        let entry = self.context.registry.get(name)?;
        let patched = entry.ask(|reply| Request::Patch { patch: Box::new(patch), reply }).await;
        patched.map_err(|error| self.context.explain(error))
    }

    /// Gives a stopped container another name.
    ///
    /// # Errors
    /// Not found; the new name is bad or taken.
    #[allow(clippy::unused_async)]
    pub async fn rename(&self, name: &str, new_name: &str) -> Result<Work, Error> {
        let entry = self.context.registry.get(name)?;
        let new = InstanceName::parse(new_name)?;
        // Held only for this look: the owner reserves it for good.
        drop(self.context.registry.reserve(new.as_str())?);
        allowed(&entry, Action::Rename)?;
        Ok(self.context.explained(Box::pin(async move {
            entry.ask(|reply| Request::Rename { name: new, reply }).await?;
            Ok(None)
        })))
    }

    /// Moves a stopped container to another pool of this server, and gives it another name if one is
    /// asked for.
    ///
    /// # Errors
    /// Not found; it runs; no such pool; the name is bad or taken.
    #[allow(clippy::unused_async)]
    pub async fn change_pool(&self, name: &str, post: &InstancePost) -> Result<Work, Error> {
        let entry = self.context.registry.get(name)?;
        let pool = PoolName::parse(&post.pool)?;
        let new = if post.name.is_empty() || post.name == name {
            None
        } else {
            let new = InstanceName::parse(&post.name)?;
            drop(self.context.registry.reserve(new.as_str())?);
            Some(new)
        };
        self.context.pools.usable(&pool)?;
        allowed(&entry, Action::Rename)?;
        Ok(self.context.explained(Box::pin(async move {
            entry.ask(|reply| Request::ChangePool { pool, reply }).await?;
            if let Some(name) = new {
                entry.ask(|reply| Request::Rename { name, reply }).await?;
            }
            Ok(None)
        })))
    }

    /// Removes a stopped container and all that belongs to it.
    ///
    /// # Errors
    /// Not found; it runs.
    #[allow(clippy::unused_async)]
    pub async fn delete(&self, name: &str) -> Result<Work, Error> {
        let entry = self.context.registry.get(name)?;
        allowed(&entry, Action::Delete)?;
        delete::unprotected(&entry.view())?;
        Ok(self.context.explained(Box::pin(async move {
            entry.ask(|reply| Request::Delete { reply }).await?;
            Ok(None)
        })))
    }

    /// Start, stop, restart, freeze, unfreeze.
    ///
    /// # Errors
    /// Not found; unknown action; refused in the present state.
    #[allow(clippy::unused_async)]
    pub async fn change_state(&self, name: &str, put: StatePut) -> Result<StateChange, Error> {
        let entry = self.context.registry.get(name)?;
        if put.stateful {
            return Err(Error::Unsupported {
                subject: format!("A stateful {} of the container {name:?}", put.action),
                feature: "saving and restoring the state of processes",
                hint: "leave \"stateful\" out, and its processes end and begin as usual",
            });
        }
        let force = put.force || put.timeout == 0;
        let timeout = put.timeout;
        let (description, action) = match put.action.as_str() {
            "start" => ("Starting container", Action::Start),
            "stop" => ("Stopping container", Action::Stop { force }),
            "restart" => ("Restarting container", Action::Restart { force }),
            "freeze" => ("Freezing container", Action::Freeze),
            "unfreeze" => ("Unfreezing container", Action::Unfreeze),
            other => {
                return Err(Error::Unknown {
                    field: "action",
                    value: other.to_owned(),
                    allowed: "start, stop, restart, freeze, unfreeze",
                });
            }
        };
        allowed(&entry, action)?;
        let work = Box::pin(async move {
            match action {
                Action::Stop { force } => stop::stop(&entry, timeout, force, Afterwards::Usual).await?,
                Action::Restart { force } => {
                    stop::stop(&entry, timeout, force, Afterwards::Restart).await?;
                    entry.ask(|reply| Request::Start { reply }).await?;
                }
                Action::Freeze => entry.ask(|reply| Request::Freeze { reply }).await?,
                Action::Unfreeze => entry.ask(|reply| Request::Unfreeze { reply }).await?,
                _ => entry.ask(|reply| Request::Start { reply }).await?,
            }
            Ok(None)
        });
        Ok(StateChange { description, work: self.context.explained(work) })
    }

    /// Checks that a program can be run; [`ExecPlan::start`] runs it.
    ///
    /// # Errors
    /// Not found; not running; frozen; an empty command.
    #[allow(clippy::unused_async)]
    pub async fn exec(&self, name: &str, post: &api::exec::ExecPost) -> Result<ExecPlan, Error> {
        let entry = self.context.registry.get(name)?;
        allowed(&entry, Action::Exec)?;
        ExecPlan::new(program::of(&self.context, &entry)?, post)
    }

    /// The files of a container, running or stopped.
    ///
    /// # Errors
    /// Not found.
    pub async fn files(&self, name: &str) -> Result<Files, Error> {
        let entry = self.context.registry.get(name)?;
        let open = entry.files.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(queue) = open.filter(|queue| queue.is_open()) {
            return Ok(Files::new(queue));
        }
        let (server, volume) = if entry.live().is_some() {
            (self.context.keeper.files(name).await?, None)
        } else {
            let (rootfs, idmap, volume) = self.root_of(&entry).await?;
            (self.context.keeper.files_of(rootfs, idmap).await?, Some(volume))
        };
        let queue = Arc::new(FileQueue::new(server, volume));
        *entry.files.lock().unwrap_or_else(PoisonError::into_inner) = Some(queue.clone());
        Ok(Files::new(queue))
    }

    async fn root_of(&self, entry: &Entry) -> Result<(Rootfs, Option<model::IdMap>, Mounted), Error> {
        let view = entry.view();
        let pool = self.context.pools.of_instance(&view)?;
        let volume = self.context.pools.container(&pool, &InstanceName::parse(&view.name)?).await?;
        let path = volume.path().join("rootfs");
        let privileged =
            view.expanded_config.get("security.privileged").is_some_and(|v| model::config::is_true(v));
        let on_disk = match view.config.get("volatile.last_state.idmap") {
            Some(text) => Some(model::IdMap::from_json(text)?).filter(|map| !map.is_privileged()),
            None => None,
        };
        let idmapped = on_disk.is_none() && !privileged && self.context.platform.maps_ids(&path)?;
        let idmap = match (on_disk, idmapped) {
            (Some(map), _) => Some(map),
            (None, true) => self.context.platform.idmap().cloned(),
            (None, false) => None,
        };
        Ok((Rootfs { path, idmapped, read_only: false }, idmap, volume))
    }

    /// What went wrong with a file of a container, with the disk named if it is full.
    #[must_use]
    pub fn explain(&self, error: Error) -> Error {
        full_disk::explain_inside(error, self.context.places())
    }

    /// Attaches to the console.
    ///
    /// # Errors
    /// Not found; not running; somebody else is attached.
    pub async fn console(&self, name: &str, width: u16, height: u16) -> Result<ConsoleSession, Error> {
        let entry = self.context.registry.get(name)?;
        allowed(&entry, Action::Console)?;
        console::attach(&self.context, name, width, height).await
    }

    /// What the console printed.
    ///
    /// # Errors
    /// Not found.
    pub async fn console_log(&self, name: &str) -> Result<Vec<u8>, Error> {
        let entry = self.context.registry.get(name)?;
        console::log(&self.context, &entry, name).await
    }

    /// Empties the console's log.
    ///
    /// # Errors
    /// Not found.
    pub async fn clear_console_log(&self, name: &str) -> Result<(), Error> {
        let entry = self.context.registry.get(name)?;
        console::clear(&self.context, &entry, name).await
    }

    /// The directory of a container's logs. The container need not exist any more.
    ///
    /// # Errors
    /// A name that no container can have.
    pub fn log_dir(&self, name: &str) -> Result<PathBuf, Error> {
        Ok(self.context.var.log_dir(InstanceName::parse(name)?.as_str()))
    }
}

/// Refuses at once what the present state does not allow; the owner decides again.
fn allowed(entry: &Entry, action: Action) -> Result<(), Error> {
    match decide(&entry.state.borrow(), action) {
        Decision::Refuse(refusal) => Err(Error::Refused(refusal)),
        _ => Ok(()),
    }
}
