//! What a running container was given, in `devices/<container>/given.json`: by it devices are taken
//! away again, also by the next daemon.
//!
//! A part is written down before it is mounted, so that a daemon that is killed in between leaves
//! nothing that nobody knows of; what is written and not there is no harm.

use super::part::Part;
use crate::{Error, var};
use model::devices::Properties;
use model::runtime::devices::DeviceRule;
use model::runtime::mounting::MountIdentity;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const FILE: &str = "given.json";

/// Everything that a container was given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Given {
    /// Devices that it may use besides those below; `None`: it is not restricted.
    pub(crate) rules: Option<Vec<DeviceRule>>,
    /// By the device's name.
    pub(crate) devices: BTreeMap<String, GivenDevice>,
}

/// A device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GivenDevice {
    /// What it was made of.
    pub(crate) properties: Properties,
    /// What it came to.
    pub(crate) parts: Vec<GivenPart>,
    /// All of it is mounted; false while somebody is at it.
    pub(crate) whole: bool,
}

/// Something that appears inside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GivenPart {
    pub(crate) part: Part,
    /// By what the mount is known again.
    pub(crate) identity: MountIdentity,
    /// The mount point was made for it.
    pub(crate) made: bool,
    /// The file that was made for it on the host.
    pub(crate) file: Option<PathBuf>,
}

impl Given {
    /// Reads it; `None`: there is none, because the container was started by a daemon that kept
    /// none, or nothing that can be understood. Blocks.
    pub(crate) fn load(directory: &Path) -> Option<Self> {
        let text = std::fs::read(directory.join(FILE)).ok()?;
        match serde_json::from_slice(&text) {
            Ok(given) => Some(given),
            Err(error) => {
                let path = directory.join(FILE);
                tracing::error!(path = %path.display(), %error, "cannot be read: devices that were given before cannot be taken away");
                None
            }
        }
    }

    /// Writes it, whole or not at all. Blocks.
    pub(crate) fn save(&self, directory: &Path) -> Result<(), Error> {
        let path = directory.join(FILE);
        let failed = |source| Error::Path { doing: "write", path: path.clone(), source };
        var::directory(directory, 0o711)?;
        let text = serde_json::to_vec(self).map_err(|error| failed(error.into()))?;
        let new = directory.join(format!("{FILE}.new"));
        std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, &path)).map_err(failed)
    }

    /// All devices that the container may use; `None`: it is not restricted.
    pub(crate) fn all_rules(&self) -> Option<Vec<DeviceRule>> {
        let mut rules = self.rules.clone()?;
        for part in self.devices.values().flat_map(|device| &device.parts) {
            rules.extend(part.part.rule().filter(|rule| !rules.contains(rule)));
        }
        Some(rules)
    }
}

/// Removes all traces of a container that does not run. Blocks.
pub(crate) fn forget(directory: &Path) {
    if let Err(error) = std::fs::remove_dir_all(directory)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(directory = %directory.display(), %error, "cannot remove what devices have left");
    }
}

#[cfg(test)]
mod tests {
    use super::super::part::{Node, Source};
    use super::*;
    use model::runtime::devices::NodeKind;

    #[test]
    fn what_is_written_is_read_again_and_says_what_is_allowed() {
        let temp = tempfile::tempdir().unwrap();
        let directory = temp.path().join("c1");
        assert_eq!(Given::load(&directory), None);
        let node =
            Node { kind: NodeKind::Char, major: 10, minor: 232, uid: 0, gid: 0, mode: 0o660, host: None };
        let part = Part { target: "dev/kvm".to_owned(), source: Source::Node(node) };
        let identity = MountIdentity { dev: 1, ino: 2 };
        let parts = vec![GivenPart { part, identity, made: true, file: Some("/x".into()) }];
        let usual = DeviceRule::node(NodeKind::Char, 1, 3);
        let mut given = Given { rules: Some(vec![usual]), devices: BTreeMap::new() };
        given
            .devices
            .insert("kvm".to_owned(), GivenDevice { properties: Properties::new(), parts, whole: true });
        given.save(&directory).unwrap();
        assert_eq!(Given::load(&directory).unwrap(), given);
        let kvm = DeviceRule::node(NodeKind::Char, 10, 232);
        assert_eq!(given.all_rules().unwrap(), [usual, kvm]);
        given.rules = None;
        assert_eq!(given.all_rules(), None);
        std::fs::write(directory.join(FILE), "{").unwrap();
        assert_eq!(Given::load(&directory), None);
        forget(&directory);
        assert!(!directory.exists());
    }
}
