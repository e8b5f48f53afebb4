//! Names of things, checked once when they come in.
//!
//! Every name is its own type, so that a pool's name cannot be passed where a container's is
//! wanted, and every value of such a type obeys its rule: code that holds one never checks again.
//! Cloning is cheap (shared text).

mod generate;
mod rules;
#[cfg(test)]
mod tests;

use std::sync::Arc;

/// Why a text is not a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// A container's name with a slash in it.
    #[error("Invalid {what} name: '/' is reserved for snapshots")]
    ReservedForSnapshots {
        /// What was to be named: `container`.
        what: &'static str,
    },
    /// Breaks the rule for names of its kind.
    #[error("Invalid {what} {name:?}: use {rule}")]
    Invalid {
        /// What was to be named: `container name`, `fingerprint`, …
        what: &'static str,
        /// The text as it came.
        name: String,
        /// What is allowed, to follow "use".
        rule: &'static str,
    },
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $check:path) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks a text and makes a name of it.
            ///
            /// # Errors
            /// When the text breaks the rule; the error says what is allowed.
            pub fn parse(text: &str) -> Result<Self, NameError> {
                $check(text)?;
                Ok(Self(text.into()))
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(&self.0)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<std::path::Path> for $name {
            fn as_ref(&self) -> &std::path::Path {
                std::path::Path::new(&*self.0)
            }
        }

        // So that maps with such keys can be asked with plain text.
        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                &*self.0 == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                &*self.0 == *other
            }
        }

        impl std::str::FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.as_ref().to_owned()
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

name! {
    /// A container: 1 to 63 letters, digits and dashes, a letter first, no dash last. It is the
    /// host name inside as well.
    InstanceName, rules::instance
}
name! {
    /// A snapshot, without the container's name in front.
    SnapshotName, rules::snapshot
}
name! {
    /// A profile.
    ProfileName, rules::profile
}
name! {
    /// A storage pool. It is a directory's name too.
    PoolName, rules::pool
}
name! {
    /// A custom storage volume. It is a directory's name too.
    VolumeName, rules::volume
}
name! {
    /// A managed network, which is the name of its bridge on the host.
    NetworkName, rules::network
}
name! {
    /// An image's alias; may contain slashes (`debian/12`).
    AliasName, rules::alias
}
name! {
    /// A device of a container or profile.
    DeviceName, rules::device
}
name! {
    /// An image's fingerprint: SHA-256 as 64 lower-case hexadecimal digits.
    Fingerprint, rules::fingerprint
}
name! {
    /// The beginning of a fingerprint, as people type it: 1 to 64 lower-case hexadecimal digits.
    FingerprintPrefix, rules::fingerprint_prefix
}

impl ProfileName {
    /// The profile that every container gets unless it says otherwise.
    #[must_use]
    pub fn default_profile() -> Self {
        Self("default".into())
    }
}

impl DeviceName {
    /// The name as it appears in names of files: slashes become dashes.
    #[must_use]
    pub fn in_file_names(&self) -> String {
        self.0.replace('/', "-")
    }
}

impl Fingerprint {
    /// The first twelve digits, as listings show them.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

impl From<&Fingerprint> for FingerprintPrefix {
    fn from(fingerprint: &Fingerprint) -> Self {
        Self(fingerprint.0.clone())
    }
}
