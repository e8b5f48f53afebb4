//! Who asks, and what they may.

use super::pki::Standing;
use std::net::SocketAddr;
use std::sync::Arc;
use transport::Certificate;

/// What a request needs to be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Permission {
    /// See and change everything.
    Manage,
}

/// Who is at the other end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Somebody on this host whom the socket's mode let in.
    ///
    /// Such callers are no browsers, so what they say about their content and origin is not looked at.
    Local {
        /// Their user id.
        uid: u32,
        /// Their process, when they connected.
        pid: Option<i32>,
    },
    /// Somebody on the network.
    Network {
        /// They.
        peer: Arc<Peer>,
        /// Whether their certificate is trusted, at the time of this request.
        trusted: bool,
    },
}

/// The other end of a connection over the network.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    /// Where it comes from.
    pub(crate) address: SocketAddr,
    /// The certificate whose key it holds, with its fingerprint.
    pub(crate) certificate: Option<(String, Certificate)>,
    /// How the owner's authority sees that one.
    pub(crate) standing: Standing,
}

impl Caller {
    /// Whether they may. Who can open the socket could make root do anything, and who is trusted may as
    /// much, so those may everything.
    pub(crate) fn may(&self, permission: Permission) -> bool {
        match (self, permission) {
            (Self::Local { .. }, Permission::Manage) => true,
            (Self::Network { trusted, .. }, Permission::Manage) => *trusted,
        }
    }
}
