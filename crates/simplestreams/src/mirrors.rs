//! The addresses of a server, and where its files are.

use http::Uri;

/// The addresses of one server: one usually, or several with the same content, separated by commas or
/// blanks. The first that works is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirrors(Vec<Uri>);

/// A text that names no server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address of an image server; it should look like https://host/path")]
pub struct MirrorError(pub String);

impl Mirrors {
    /// The most addresses of one server.
    const MOST: usize = 16;

    /// Reads one or several addresses.
    ///
    /// # Errors
    /// There is none, or one is no `http` or `https` URL.
    pub fn parse(text: &str) -> Result<Self, MirrorError> {
        let wrong = |part: &str| MirrorError(part.to_owned());
        let parts = text.split([',', ' ']).filter(|part| !part.is_empty());
        let address = |part: &str| {
            let uri: Uri = part.trim_end_matches('/').parse().map_err(|_| wrong(part))?;
            let known = matches!(uri.scheme_str(), Some("http" | "https"));
            let plain = uri.host().is_some_and(|host| !host.is_empty()) && uri.query().is_none();
            if known && plain { Ok(uri) } else { Err(wrong(part)) }
        };
        let all: Vec<Uri> = parts.take(Self::MOST).map(address).collect::<Result<_, _>>()?;
        if all.is_empty() { Err(wrong(text)) } else { Ok(Self(all)) }
    }

    /// All of them, the preferred one first.
    #[must_use]
    pub fn all(&self) -> &[Uri] {
        &self.0
    }

    /// Where a file is on each of them. None when the path cannot be part of a URL.
    #[must_use]
    pub fn of(&self, path: &str) -> Vec<Uri> {
        self.0.iter().filter_map(|base| join(base, path)).collect()
    }
}

/// A path below an address; what a URL cannot hold is written in hexadecimal.
fn join(base: &Uri, path: &str) -> Option<Uri> {
    let mut url = base.to_string().trim_end_matches('/').to_owned() + "/";
    for byte in path.trim_start_matches('/').bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~:@+,=!".contains(&byte) {
            url.push(char::from(byte));
        } else {
            url.push_str(&format!("%{byte:02X}"));
        }
    }
    url.parse().ok()
}

/// A path that leads to a file below the server's address and nowhere else.
pub(crate) fn is_path(path: &str) -> bool {
    !path.is_empty()
        && !path.contains("://")
        && !path.starts_with("//")
        && !path.contains(['\\', '?', '#'])
        && path.split('/').all(|part| part != "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_or_several() {
        let one = Mirrors::parse("https://cloud-images.ubuntu.com/releases/").unwrap();
        let url = &one.of("/streams/v1/a b.json")[0];
        assert_eq!(url.to_string(), "https://cloud-images.ubuntu.com/releases/streams/v1/a%20b.json");
        let two = Mirrors::parse("https://a, http://b:8080/x").unwrap();
        let urls: Vec<String> = two.of("p/q.tar.xz").iter().map(Uri::to_string).collect();
        assert_eq!(urls, ["https://a/p/q.tar.xz", "http://b:8080/x/p/q.tar.xz"]);
        for text in ["", " , ", "ftp://x", "images", "https://", "https://a?b", "unix:///x"] {
            assert!(Mirrors::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn paths_stay_below() {
        assert!(is_path("/images/a/b:c/x.tar.xz"));
        for path in ["", "https://x/y", "//x/y", "a/../../b", "a?b", "a#b"] {
            assert!(!is_path(path), "{path:?}");
        }
    }
}
