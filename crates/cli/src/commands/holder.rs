//! Containers and profiles: both hold configuration and devices, changed as a whole with an ETag.

use crate::session::{Session, Target};
use api::instances::{Instance, InstancePut};
use api::profiles::{Profile, ProfilePut};
use api::{Config, Devices};
use client::Client;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HolderKind {
    Container,
    Profile,
}

/// One of the two, as it was read.
#[derive(Debug)]
pub(crate) struct Holder {
    pub(crate) name: String,
    client: Client,
    etag: Option<String>,
    body: Body,
}

#[derive(Debug)]
enum Body {
    Container { put: InstancePut, expanded: Devices },
    Profile(ProfilePut),
}

impl Holder {
    /// Reads it.
    pub(crate) async fn load(session: &Session, kind: HolderKind, text: &str) -> anyhow::Result<Self> {
        match kind {
            HolderKind::Container => {
                let (client, Target { name, .. }) = session.named(text, "container")?;
                let found = client.container(&name).await?;
                let expanded = found.value.expanded_devices.clone();
                let body = Body::Container { put: changeable(found.value), expanded };
                Ok(Self { name, client, etag: found.etag, body })
            }
            HolderKind::Profile => {
                let (client, Target { name, .. }) = session.named(text, "profile")?;
                let found = client.profile(&name).await?;
                Ok(Self { name, client, etag: found.etag, body: Body::Profile(profile_put(found.value)) })
            }
        }
    }

    /// Its own configuration.
    pub(crate) fn config(&mut self) -> &mut Config {
        match &mut self.body {
            Body::Container { put, .. } => &mut put.config,
            Body::Profile(put) => &mut put.config,
        }
    }

    /// Its own devices.
    pub(crate) fn devices(&mut self) -> &mut Devices {
        match &mut self.body {
            Body::Container { put, .. } => &mut put.devices,
            Body::Profile(put) => &mut put.devices,
        }
    }

    /// Devices with those of a container's profiles.
    pub(crate) fn expanded_devices(&self) -> &Devices {
        match &self.body {
            Body::Container { expanded, .. } => expanded,
            Body::Profile(put) => &put.devices,
        }
    }

    /// Profiles of a container.
    pub(crate) fn profiles(&mut self) -> Option<&mut Vec<String>> {
        match &mut self.body {
            Body::Container { put, .. } => Some(put.profiles.get_or_insert_default()),
            Body::Profile(_) => None,
        }
    }

    /// Writes it back, unless somebody else did meanwhile.
    pub(crate) async fn save(self, session: &Session) -> anyhow::Result<()> {
        let etag = self.etag.as_deref();
        match &self.body {
            Body::Container { put, .. } => {
                let pending = self.client.put_container(&self.name, put, etag).await?;
                super::wait(session, &pending, "Updating").await?;
            }
            Body::Profile(put) => self.client.put_profile(&self.name, put, etag).await?,
        }
        Ok(())
    }
}

/// What of a container can be changed.
pub(crate) fn changeable(container: Instance) -> InstancePut {
    InstancePut {
        architecture: container.architecture,
        config: container.config,
        devices: container.devices,
        ephemeral: container.ephemeral,
        profiles: Some(container.profiles),
        restore: String::new(),
        stateful: container.stateful,
        description: container.description,
    }
}

/// What of a profile can be changed.
pub(crate) fn profile_put(profile: Profile) -> ProfilePut {
    ProfilePut {
        name: String::new(),
        config: profile.config,
        description: profile.description,
        devices: profile.devices,
    }
}

/// Sets keys; an empty value removes one.
pub(crate) fn set(config: &mut Config, pairs: Config) {
    for (key, value) in pairs {
        if value.is_empty() {
            config.remove(&key);
        } else {
            config.insert(key, value);
        }
    }
}

/// Removes a key that must be there.
pub(crate) fn unset(config: &mut Config, key: &str) -> anyhow::Result<()> {
    anyhow::ensure!(config.remove(key).is_some(), "Can't unset key '{key}', it's not currently set");
    Ok(())
}
