//! Where a daemon listens, and where the local one does by default.

use std::fmt;
use std::path::{Path, PathBuf};

/// A daemon's address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// A unix socket.
    Unix(PathBuf),
    /// A server across the network, as `https://host:port`.
    Https(String),
}

/// A text that is not an address.
#[derive(Debug, thiserror::Error)]
#[error("\"{text}\" is not an address: use unix:///path/to/unix.socket or https://host:port")]
pub struct AddressError {
    /// What was given.
    pub text: String,
}

impl Address {
    /// The local daemon's socket: `LXD_SOCKET`, else `unix.socket` in `LXD_DIR`, else in
    /// `/var/lib/lxd`.
    #[must_use]
    pub fn local() -> Self {
        Self::Unix(local_socket(std::env::var_os("LXD_SOCKET"), std::env::var_os("LXD_DIR")))
    }

    /// Reads `unix://`, `unix:/path`, `unix:///path`, `/path` or `https://…`.
    ///
    /// # Errors
    /// Any other text.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if let Some(rest) = text.strip_prefix("unix:") {
            let path = rest.strip_prefix("//").unwrap_or(rest);
            if path.is_empty() {
                return Ok(Self::local());
            }
            return if path.starts_with('/') {
                Ok(Self::Unix(PathBuf::from(path)))
            } else {
                Err(AddressError { text: text.to_owned() })
            };
        }
        if text.starts_with('/') {
            return Ok(Self::Unix(PathBuf::from(text)));
        }
        match text.strip_prefix("https://") {
            Some(rest) if !rest.is_empty() => Ok(Self::Https(text.trim_end_matches('/').to_owned())),
            _ => Err(AddressError { text: text.to_owned() }),
        }
    }

    /// The socket's path, if it is a unix socket.
    #[must_use]
    pub fn socket(&self) -> Option<&Path> {
        match self {
            Self::Unix(path) => Some(path),
            Self::Https(_) => None,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "{}", path.display()),
            Self::Https(url) => f.write_str(url),
        }
    }
}

fn local_socket(socket: Option<std::ffi::OsString>, dir: Option<std::ffi::OsString>) -> PathBuf {
    match (socket.filter(|path| !path.is_empty()), dir.filter(|path| !path.is_empty())) {
        (Some(path), _) => PathBuf::from(path),
        (None, Some(dir)) => Path::new(&dir).join("unix.socket"),
        (None, None) => PathBuf::from("/var/lib/lxd/unix.socket"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_is_looked_up_in_order() {
        let path = |s: Option<&str>, d: Option<&str>| local_socket(s.map(Into::into), d.map(Into::into));
        assert_eq!(path(Some("/a"), Some("/d")), Path::new("/a"));
        assert_eq!(path(None, Some("/d")), Path::new("/d/unix.socket"));
        assert_eq!(path(Some(""), Some("")), Path::new("/var/lib/lxd/unix.socket"));
    }

    #[test]
    fn unix_and_https_forms() {
        for text in ["unix:///run/x", "unix:/run/x", "/run/x"] {
            assert_eq!(Address::parse(text).unwrap(), Address::Unix("/run/x".into()), "{text}");
        }
        assert_eq!(Address::parse("https://h:8443/").unwrap(), Address::Https("https://h:8443".into()));
        for text in ["unix:relative", "http://h", "https://", "host"] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
    }
}
