//! `List`, `Handles`, `Forget`: about what is there.

use super::{done, not_running, refused};
use crate::container::Stage;
use crate::events::programs::{copy, failed};
use crate::keeper::{Answer, Keeper};
use crate::record::Record;
use model::runtime::protocol::{Kept, MAX_PACKET, ReplyBody};

/// Room in a packet for what is around a list.
const AROUND: usize = 1024;

impl Keeper {
    /// Every container.
    pub(super) fn list(&mut self) -> Answer {
        let kept: Vec<Kept> = self.containers.iter().map(|(name, container)| container.kept(name)).collect();
        let json = serde_json::to_vec(&kept).map_err(|error| refused("list", error.to_string()))?;
        if json.len() + AROUND <= MAX_PACKET {
            return Ok((ReplyBody::Containers(kept), Vec::new()));
        }
        let file = sys::memfd::sealed("list", &json).map_err(failed("list the containers"))?;
        Ok((ReplyBody::ContainersInFile, vec![file]))
    }

    /// Descriptors of a running container.
    pub(super) fn handles(&mut self, name: &str) -> Answer {
        const STEP: &str = "hand out descriptors";
        let Some(running) = self.running(name) else { return Err(not_running(STEP, name)) };
        let Some(devpts) = &running.devpts else {
            let reason = "its terminals were lost with the keeper that started it; restart the container";
            return Err(refused(STEP, reason));
        };
        let descriptors = vec![copy(&running.pidfd)?, copy(devpts)?, copy(&running.netns)?];
        Ok((ReplyBody::Handles, descriptors))
    }

    /// The network namespace of a container that nobody saw end.
    pub(super) fn last_network(&mut self, name: &str) -> Answer {
        let netns = match self.containers.get_mut(name).map(|container| &mut container.stage) {
            Some(Stage::Ended(ended)) => ended.netns.take(),
            _ => None,
        };
        Ok((ReplyBody::Handles, netns.into_iter().collect()))
    }

    /// Forgets a container that has ended.
    pub(super) fn forget(&mut self, name: &str) -> Answer {
        const STEP: &str = "forget the container";
        match self.containers.get(name).map(|container| &container.stage) {
            Some(Stage::Ended(_)) => {}
            Some(_) => return Err(refused(STEP, format!("container {name} runs"))),
            None => return Err(refused(STEP, format!("there is no container {name} here"))),
        }
        self.containers.remove(name);
        Record::remove(self.home.state(), name).map_err(failed("remove the container's record"))?;
        done()
    }
}
