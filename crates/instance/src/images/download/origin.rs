//! What a request says about a source, as typed values.

use crate::Error;
use api::images::UpdateSource;
use api::instances::Source;
use simplestreams::Mirrors;

/// How a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// Another daemon.
    Lxd,
    /// A server of lists.
    SimpleStreams,
    /// One image at a URL.
    Direct,
}

impl Protocol {
    fn name(self) -> &'static str {
        match self {
            Self::Lxd => "lxd",
            Self::SimpleStreams => "simplestreams",
            Self::Direct => "direct",
        }
    }

    fn parse(text: &str) -> Result<Self, Error> {
        match text {
            "lxd" => Ok(Self::Lxd),
            "" | "simplestreams" => Ok(Self::SimpleStreams),
            "direct" => Ok(Self::Direct),
            other => Err(Error::Unknown {
                field: "protocol of an image server",
                value: other.to_owned(),
                allowed: "lxd, simplestreams, direct",
            }),
        }
    }
}

/// Where an image comes from, and what it is called there.
#[derive(Clone)]
pub struct Origin {
    /// One address, or several of the same server.
    pub(super) server: String,
    pub(super) protocol: Protocol,
    /// PEM; empty: the system's authorities vouch for the server.
    pub(super) certificate: String,
    /// Opens one private image once.
    pub(super) secret: String,
    /// An alias, or the beginning of a fingerprint.
    pub(super) name: String,
    /// `name` was given as a fingerprint.
    pub(super) by_fingerprint: bool,
}

impl Origin {
    /// Reads the source of a request for an image.
    ///
    /// # Errors
    /// It names no server or no image.
    pub(crate) fn of(source: &Source) -> Result<Self, Error> {
        if source.kind == "url" {
            let wrong = |_| Error::Unknown {
                field: "URL of an image",
                value: source.url.clone(),
                allowed: "https://host/path",
            };
            if source.url.is_empty() {
                return Err(Error::Missing { field: "url", hint: "give \"url\" in \"source\"" });
            }
            // A URL of an image may have a query, an address of a server has none.
            let bare = source.url.split('?').next().unwrap_or_default();
            Mirrors::parse(bare).map_err(wrong)?;
            return Ok(Self {
                server: source.url.clone(),
                protocol: Protocol::Direct,
                certificate: String::new(),
                secret: String::new(),
                name: source.url.clone(),
                by_fingerprint: false,
            });
        }
        if !matches!(source.mode.as_str(), "" | "pull") {
            return Err(Error::Unknown {
                field: "mode of an image source",
                value: source.mode.clone(),
                allowed: "pull",
            });
        }
        if source.server.is_empty() {
            return Err(Error::Missing { field: "server", hint: "give \"server\" in \"source\"" });
        }
        Mirrors::parse(&source.server).map_err(|_| Error::Unknown {
            field: "image server",
            value: source.server.clone(),
            allowed: "https://host:port, or several of them separated by commas",
        })?;
        let by_fingerprint = source.alias.is_empty();
        let name = if by_fingerprint { &source.fingerprint } else { &source.alias };
        if name.is_empty() {
            return Err(Error::Missing {
                field: "image",
                hint: "give an alias or a fingerprint in \"source\"",
            });
        }
        Ok(Self {
            server: source.server.clone(),
            protocol: Protocol::parse(&source.protocol)?,
            certificate: source.certificate.clone(),
            secret: source.secret.clone(),
            name: name.clone(),
            by_fingerprint,
        })
    }

    /// What was recorded when an image came.
    pub(super) fn of_record(source: &UpdateSource) -> Result<Self, Error> {
        Ok(Self {
            server: source.server.clone(),
            protocol: Protocol::parse(&source.protocol)?,
            certificate: source.certificate.clone(),
            secret: String::new(),
            name: source.alias.clone(),
            by_fingerprint: false,
        })
    }

    /// What is recorded of it.
    pub(super) fn recorded(&self) -> UpdateSource {
        UpdateSource {
            alias: self.name.clone(),
            certificate: self.certificate.clone(),
            protocol: self.protocol.name().to_owned(),
            server: self.server.clone(),
        }
    }

    /// Whether an image came from here under this name.
    pub(super) fn is_of(&self, source: Option<&UpdateSource>) -> bool {
        !self.by_fingerprint
            && source.is_some_and(|source| {
                source.server == self.server
                    && source.protocol == self.protocol.name()
                    && source.alias == self.name
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(json: serde_json::Value) -> Result<Origin, Error> {
        Origin::of(&serde_json::from_value(json).unwrap())
    }

    #[test]
    fn requests_become_origins() {
        let ubuntu = source(serde_json::json!({
            "type": "image", "server": "https://cloud-images.ubuntu.com/releases", "alias": "16.04"
        }));
        let ubuntu = ubuntu.unwrap();
        assert_eq!((ubuntu.protocol, ubuntu.by_fingerprint), (Protocol::SimpleStreams, false));
        assert!(ubuntu.is_of(Some(&ubuntu.recorded())));
        assert!(!ubuntu.is_of(None));
        for bad in [
            serde_json::json!({"type": "image", "alias": "x"}),
            serde_json::json!({"type": "image", "server": "https://x"}),
            serde_json::json!({"type": "image", "server": "x", "alias": "y"}),
            serde_json::json!({"type": "image", "server": "https://x", "alias": "y", "protocol": "ftp"}),
            serde_json::json!({"type": "image", "server": "https://x", "alias": "y", "mode": "push"}),
            serde_json::json!({"type": "url", "url": "file:///etc/shadow"}),
            serde_json::json!({"type": "url"}),
        ] {
            assert!(source(bad.clone()).is_err(), "{bad}");
        }
        assert!(source(serde_json::json!({"type": "url", "url": "https://dl.example.org/i?a=b"})).is_ok());
    }
}
