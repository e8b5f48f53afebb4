//! What belongs to a container's interfaces besides the interfaces: what of the host's was lent to
//! it, and the keys that tell so.

use super::live::Live;
use super::owner::Owner;
use crate::Error;
use crate::devices::nic;
use api::Config;
use api::instances::Instance;
use model::devices::parse_all;
use model::expand::Checked;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;

impl Owner {
    /// Finds what the interfaces hang on, and writes down what that was before it is touched.
    pub(super) async fn reserve(&mut self, plans: &mut [nic::Plan]) -> Result<(), Error> {
        let mut keys = Config::new();
        for plan in plans {
            keys.extend(nic::reserve(&self.context, self.name(), plan).await?);
        }
        if keys.is_empty() { Ok(()) } else { self.save_keys(keys).await }
    }

    /// The undo of a start that has got as far as interfaces.
    pub(super) fn give_back(
        &self,
        checked: &Checked,
        netns: OwnedFd,
    ) -> impl Future<Output = ()> + Send + 'static {
        let (context, name) = (self.context.clone(), self.name().to_owned());
        let (devices, config) = (checked.devices.clone(), self.record.config.clone());
        async move {
            nic::release_all(&context, &name, &devices, &config, Some(netns.as_fd())).await;
        }
    }

    /// Puts back what a container that has ended had of the host's, before its namespace goes.
    pub(super) async fn release_interfaces(&mut self, live: Option<Arc<Live>>) {
        let last = match &live {
            None if self.has_loans() => self.context.keeper.last_network(self.name()).await.ok().flatten(),
            _ => None,
        };
        let netns = live.as_ref().map(|live| live.netns.as_fd()).or(last.as_ref().map(OwnedFd::as_fd));
        let Ok(devices) = parse_all(&self.expanded().devices) else { return };
        let config = self.record.config.clone();
        let unset = nic::release_all(&self.context, self.name(), &devices, &config, netns).await;
        if !unset.is_empty()
            && let Err(error) = self.save_keys(unset).await
        {
            tracing::error!(instance = self.name(), error = %error.story(), "cannot forget what was lent");
        }
    }

    /// Whether something of the host's is in the container.
    fn has_loans(&self) -> bool {
        let of_a_device =
            |key: &String| key.strip_prefix("volatile.").is_some_and(|rest| rest.contains(".last_state."));
        self.record.config.keys().any(of_a_device)
    }

    /// Forgets the name and address of interfaces that are gone for good.
    pub(super) async fn forget_interfaces(
        &mut self,
        before: &Instance,
        after: &Instance,
    ) -> Result<(), Error> {
        let is_nic = |view: &Instance, device: &str| {
            view.expanded_devices.get(device).is_some_and(|d| d.get("type").is_some_and(|kind| kind == "nic"))
        };
        let gone = before.expanded_devices.keys().filter(|d| is_nic(before, d) && !is_nic(after, d));
        let keys: Config = gone
            .flat_map(|device| ["name", "hwaddr", "host_name"].map(|what| nic::volatile(device, what)))
            .filter(|key| self.record.config.contains_key(key))
            .map(|key| (key, String::new()))
            .collect();
        if keys.is_empty() { Ok(()) } else { self.save_keys(keys).await }
    }
}
