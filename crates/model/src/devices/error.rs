//! Why a device is refused.

use super::table::{self, KINDS};
use crate::NameError;
use crate::nearest::nearest;

/// What was meant, or what there is.
fn hint(given: &str, known: &[&str]) -> String {
    match nearest(given, known.iter().copied()) {
        Some(meant) => format!(" (did you mean {meant}?)"),
        None if known.is_empty() => " (there are none)".to_owned(),
        None => format!(" (there are {})", known.join(", ")),
    }
}

fn properties(kind: &str) -> Vec<&'static str> {
    table::kind(kind).map_or_else(Vec::new, |kind| kind.properties.iter().map(|row| row.name).collect())
}

/// Why a device is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// The device's name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// No `type`.
    #[error(
        "Missing device type for device '{device}': use one of none, nic, disk, unix-char, unix-block, usb, gpu, infiniband, proxy"
    )]
    MissingType {
        /// Its name.
        device: String,
    },
    /// No such type.
    #[error(
        "Invalid device type for device '{device}': {value:?}{}",
        hint(.value, &KINDS.iter().map(|kind| kind.name).collect::<Vec<_>>())
    )]
    InvalidType {
        /// Its name.
        device: String,
        /// The type.
        value: String,
    },
    /// No such property.
    #[error("Invalid device configuration key for {kind}: {key}{}", hint(.key, &properties(.kind)))]
    UnknownProperty {
        /// The device's type.
        kind: &'static str,
        /// The property.
        key: String,
    },
    /// A property that must be there.
    #[error("Missing property \"{property}\" for {kind} device '{device}'")]
    Missing {
        /// Its name.
        device: String,
        /// Its type.
        kind: String,
        /// What is missing; several when one of them would do.
        property: &'static str,
    },
    /// A value that its property cannot have.
    #[error("Invalid value {value:?} for property \"{property}\" of device '{device}': use {allowed}")]
    InvalidValue {
        /// Its name.
        device: String,
        /// The property.
        property: &'static str,
        /// The value.
        value: String,
        /// What is allowed, to follow "use".
        allowed: String,
    },
    /// An interface without `nictype`.
    #[error("Missing nic type")]
    MissingNicType,
    /// No such `nictype`.
    #[error("Bad nic type: {nictype}")]
    BadNicType {
        /// The value.
        nictype: String,
    },
    /// An interface without `parent`.
    #[error("Missing parent for {nictype} type nic")]
    MissingParent {
        /// Its `nictype`.
        nictype: String,
    },
    /// The root comes from its pool and from nowhere else.
    #[error("Root disk entry '{device}' may not have a \"source\" property set")]
    RootWithSource {
        /// Its name.
        device: String,
    },
    /// A size for something that is not a root.
    #[error("Only the root disk may have a size quota.")]
    SizeOfNonRoot,
    /// A custom volume that is written as a path.
    #[error(
        "Storage volumes cannot be specified as absolute paths (device '{device}'): use the volume's name"
    )]
    AbsoluteVolume {
        /// The device's name.
        device: String,
    },
    /// Something that only paths of the host can have.
    #[error("Only disks that are paths of the host can have {property}=true (device '{device}'): {instead}")]
    NotForVolumes {
        /// The device's name.
        device: String,
        /// The property.
        property: &'static str,
        /// What to do.
        instead: &'static str,
    },
    /// Two disks at one place.
    #[error("More than one disk device uses the path {path:?}")]
    SamePath {
        /// The path.
        path: String,
    },
    /// No root.
    #[error(
        "No root device could be found: add a disk device with path=/ and a pool to the container or to one of its profiles"
    )]
    NoRoot,
    /// More than one root.
    #[error("More than one root device: '{first}' and '{second}' both have path=/")]
    TwoRoots {
        /// One of them.
        first: String,
        /// Another.
        second: String,
    },
}
