//! `Adopt`: a container that another keeper started.

use super::{done, refused};
use crate::container::Stage;
use crate::keeper::{Answer, Keeper};
use crate::record::{Facts, is_usable};

impl Keeper {
    /// Takes a running container in.
    pub(super) fn adopt(&mut self, name: &str, pid: i32, start_time: u64, facts: Facts) -> Answer {
        const STEP: &str = "take the container in";
        if !is_usable(name) {
            return Err(refused(STEP, format!("{name:?} cannot be the name of a container")));
        }
        match self.containers.get(name).map(|container| &container.stage) {
            Some(Stage::Running(running)) if (running.pid, running.start_time) == (pid, start_time) => {
                return done();
            }
            None | Some(Stage::Ended(_)) => {}
            Some(_) => return Err(refused(STEP, format!("another container {name} is here already"))),
        }
        self.take_in(name, pid, start_time, facts)?;
        self.save(name);
        done()
    }
}
