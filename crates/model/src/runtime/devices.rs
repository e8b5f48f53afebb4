//! Which device nodes the processes of a container may open and make.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Devices that may be used. As text it is a line of `devices.allow`, see
/// `admin-guide/cgroup-v1/devices` of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DeviceRule {
    /// Character or block devices.
    pub kind: NodeKind,
    /// Major number; `None`: any.
    pub major: Option<u32>,
    /// Minor number; `None`: any.
    pub minor: Option<u32>,
    /// Opening as well as making nodes; false: making nodes only, which opens nothing.
    pub open: bool,
}

/// The two kinds of device nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum NodeKind {
    /// A character device.
    Char,
    /// A block device.
    Block,
}

impl DeviceRule {
    /// Everything with one device.
    #[must_use]
    pub const fn node(kind: NodeKind, major: u32, minor: u32) -> Self {
        Self { kind, major: Some(major), minor: Some(minor), open: true }
    }
}

impl fmt::Display for DeviceRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |n: Option<u32>| n.map_or_else(|| "*".to_owned(), |n| n.to_string());
        let kind = match self.kind {
            NodeKind::Char => 'c',
            NodeKind::Block => 'b',
        };
        let access = if self.open { "rwm" } else { "m" };
        write!(f, "{kind} {}:{} {access}", number(self.major), number(self.minor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_read_as_the_kernel_wants_them() {
        assert_eq!(DeviceRule::node(NodeKind::Char, 1, 3).to_string(), "c 1:3 rwm");
        let made = DeviceRule { kind: NodeKind::Block, major: None, minor: None, open: false };
        assert_eq!(made.to_string(), "b *:* m");
    }
}
