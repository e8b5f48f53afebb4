//! The server's certificate: `server.crt` and `server.key`, made at the first start.

use instance::server::host_addresses;
use std::path::Path;
use transport::Identity;
use transport::identity::{IdentityError, Role};

/// The files' name without its end.
const NAME: &str = "server";

/// The identity that is there, or a new one, or why there is none. Blocks for some milliseconds.
pub(crate) fn load_or_make(var: &Path) -> Result<Identity, String> {
    let there = Identity::load(var, NAME).and_then(|there| match there {
        Some(identity) => Ok(identity),
        None => make(var),
    });
    there.map_err(|error| {
        let reason = model::story(&error);
        tracing::error!(reason, "the server has no certificate, and clients of the network cannot be served");
        reason
    })
}

fn make(var: &Path) -> Result<Identity, IdentityError> {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let mut names: Vec<String> = host_addresses().iter().map(ToString::to_string).collect();
    names.extend(["127.0.0.1".to_owned(), "::1".to_owned()]);
    let with_host: Vec<String> = std::iter::once(host.clone()).chain(names.iter().cloned()).collect();
    let common_name = format!("root@{host}");
    let identity = Identity::generate(Role::Server, &common_name, &with_host).or_else(|_| {
        // A host's name may have bytes that a certificate's may not; clients need some name.
        let names: Vec<String> = std::iter::once("localhost".to_owned()).chain(names).collect();
        Identity::generate(Role::Server, "root@localhost", &names)
    })?;
    identity.save(var, NAME)?;
    Ok(identity)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_once_and_names_the_host() {
        let directory = tempfile::tempdir().unwrap();
        let made = load_or_make(directory.path()).unwrap();
        assert!(made.certificate().host_name().is_some());
        let again = load_or_make(directory.path()).unwrap();
        assert_eq!(again.certificate(), made.certificate());
        std::fs::write(directory.path().join("server.crt"), "nonsense").unwrap();
        assert!(load_or_make(directory.path()).unwrap_err().contains("not a certificate"));
    }
}
