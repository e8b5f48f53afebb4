//! What to try when a server cannot be reached or does not let us in.

use crate::session::Session;
use client::{DialError, Error};
use std::io;

/// A sentence about a failure, if there is something to try.
pub(crate) fn hint(session: &Session, error: &anyhow::Error) -> Option<String> {
    let error = error.chain().find_map(|cause| cause.downcast_ref::<Error>())?;
    match error {
        Error::Dial(DialError::Changed { target, .. }) => {
            let (name, address) = remote_at(session, target)?;
            Some(format!(
                "Either the server was installed anew, or somebody stands between you and it. Compare the new \
                 fingerprint with what `lxc info` shows on the server itself as certificate_fingerprint; if they are \
                 the same:\n  lxc remote remove {name}\n  lxc remote add {name} {address}"
            ))
        }
        Error::Dial(DialError::Tls { target, source }) if is_unvouched(source) => {
            let (name, address) = remote_at(session, target)?;
            Some(format!(
                "Nobody vouches for the server's certificate and none is kept for it. To look at it and accept it:\n  \
                 lxc remote remove {name}\n  lxc remote add {name} {address}"
            ))
        }
        Error::Dial(DialError::Connect { target, .. } | DialError::Silent { target }) => Some(format!(
            "Is the server up, and does it listen at {target}? On it, `lxc config get core.https_address` tells; \
             `lxc config set core.https_address :8443` lets it listen."
        )),
        Error::Api { code: 403, .. } => {
            let (name, public) = session.remotes_across()?;
            Some(if public {
                format!("{name} was added with --public: it shows its public images, and nothing else.")
            } else {
                format!(
                    "{name} does not trust this client. With its password or a token (`lxc config trust add` on it):\n  \
                     lxc remote remove {name}\n  lxc remote add {name} ADDRESS"
                )
            })
        }
        _ => None,
    }
}

/// Name and address of the server that was dialled.
fn remote_at(session: &Session, target: &str) -> Option<(String, String)> {
    let url = format!("https://{target}");
    let found = session.settings.remotes.iter().find(|(_, remote)| remote.addr.trim_end_matches('/') == url);
    found.map(|(name, remote)| (name.clone(), remote.addr.clone()))
}

fn is_unvouched(source: &io::Error) -> bool {
    source.to_string().contains("certificate")
}
