//! Who asks, and what they may.

/// What a request needs to be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Permission {
    /// See and change everything.
    Manage,
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
}

impl Caller {
    /// Whether they may. Who can open the socket could make root do anything, so all may everything.
    pub(crate) fn may(&self, permission: Permission) -> bool {
        match (self, permission) {
            (Self::Local { .. }, Permission::Manage) => true,
        }
    }
}
