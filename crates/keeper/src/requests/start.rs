//! `Start`, `Proceed`, `Abort`.

use super::{Reply, done, refused};
use crate::container::{Container, Stage};
use crate::events::programs::copy;
use crate::keeper::{Answer, Keeper};
use crate::record::{Facts, is_usable};
use model::runtime::protocol::{Failure, ReplyBody};
use model::runtime::spec::ContainerSpec;
use std::os::fd::OwnedFd;

impl Keeper {
    /// First step of a start.
    pub(super) fn start(&mut self, peer: u64, spec: ContainerSpec, fds: Vec<OwnedFd>) -> Answer {
        const STEP: &str = "start the container";
        let name = spec.name.clone();
        if !is_usable(&name) {
            return Err(refused(STEP, format!("{name:?} cannot be the name of a container")));
        }
        match self.containers.get(&name).map(|container| &container.stage) {
            None => {}
            // Starting it again says that its end has been seen.
            Some(Stage::Ended(_)) => drop(self.containers.remove(&name)),
            Some(Stage::Running(_)) => return Err(refused(STEP, format!("container {name} runs already"))),
            Some(_) => return Err(refused(STEP, format!("container {name} is being started already"))),
        }
        let mut fds = fds.into_iter();
        let seccomp = if spec.seccomp { Some(descriptor(STEP, &mut fds)?) } else { None };
        let embryo =
            container::start::clone(&spec, seccomp, fds.collect(), &self.layout).map_err(|error| {
                self.journal.say(&format!("{name}: {error}"));
                Failure::from(error)
            })?;
        let descriptors = vec![copy(embryo.pidfd())?, copy(embryo.netns())?];
        let pid = embryo.pid();
        let ContainerSpec { cgroup, idmap, console, .. } = spec;
        let facts = Facts { cgroup: cgroup.path, idmap, console };
        self.containers.insert(name, Container { facts, stage: Stage::Cloned { embryo, peer } });
        Ok((ReplyBody::Cloned { pid }, descriptors))
    }

    /// Second step: answered when init has been executed.
    pub(super) fn proceed(&mut self, peer: u64, request: u64, name: &str) -> Reply {
        match self.release(peer, request, name) {
            Ok(()) => Reply::Later,
            Err(failure) => {
                self.journal.say(&format!("{name}: {}: {}", failure.step, failure.reason));
                Reply::Now(Err(failure))
            }
        }
    }

    fn release(&mut self, peer: u64, request: u64, name: &str) -> Result<(), Failure> {
        let container = self.take_cloned(name, "go on with the start")?;
        let Stage::Cloned { embryo, .. } = container.stage else { return Ok(()) };
        self.watch_released(name, container.facts, embryo.release()?, peer, request)
    }

    /// Kills what was cloned.
    pub(super) fn abort(&mut self, name: &str) -> Answer {
        drop(self.take_cloned(name, "give the start up")?);
        done()
    }

    fn take_cloned(&mut self, name: &str, step: &str) -> Result<Container, Failure> {
        match self.containers.remove(name) {
            Some(container @ Container { stage: Stage::Cloned { .. }, .. }) => Ok(container),
            other => {
                if let Some(container) = other {
                    self.containers.insert(name.to_owned(), container);
                }
                Err(refused(step, format!("container {name} is not between the two steps of a start")))
            }
        }
    }
}

/// The next descriptor that came with a request.
pub(super) fn descriptor(step: &str, fds: &mut impl Iterator<Item = OwnedFd>) -> Result<OwnedFd, Failure> {
    fds.next().ok_or_else(|| refused(step, "a descriptor is missing in the request"))
}
