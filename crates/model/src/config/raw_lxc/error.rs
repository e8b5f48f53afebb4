//! Why `raw.lxc` is refused.

/// A line that is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, {key:?}: {reason}")]
pub struct RawLxcError {
    /// Counted from 1.
    pub line: usize,
    /// Its key, or the line if it has none.
    pub key: String,
    /// What is wrong with it.
    pub reason: Reason,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// No `=`.
    #[error("write key = value")]
    NoValue,
    /// A key that is the server's own business.
    #[error("this key is not allowed in raw.lxc; {0}")]
    Forbidden(&'static str),
    /// A network key other than addresses and gateways.
    #[error(
        "only ipv4.address, ipv4.gateway, ipv6.address and ipv6.gateway of an interface are allowed in raw.lxc; use a nic device for the rest"
    )]
    Network,
    /// Hooks.
    #[error(
        "hooks are not run: they would be programs of the host, run as root with what a container controls; use devices, cloud-init or a lifecycle event instead"
    )]
    Hook,
    /// A key of LXC without effect here.
    #[error("this key has no effect here, so it is refused; {0}")]
    Unsupported(&'static str),
    /// A value that the key cannot have.
    #[error("{value:?} is not good; use {allowed}")]
    Value {
        /// The value.
        value: String,
        /// What is allowed.
        allowed: &'static str,
    },
}

impl Reason {
    /// A value that the key cannot have.
    pub(super) fn value(value: &str, allowed: &'static str) -> Self {
        Self::Value { value: value.to_owned(), allowed }
    }
}
