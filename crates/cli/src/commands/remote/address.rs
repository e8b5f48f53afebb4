//! What is typed as the address of a server, and what it means.

use anyhow::{Context as _, bail, ensure};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

/// Where servers listen when nothing else is said.
const PORT: u16 = 8443;

/// A server's URL, and what to call it when nobody says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) url: String,
    pub(crate) name: Option<String>,
}

/// Reads the address of a server of ours: `unix://…`, `/path`, or with or without `https://` a host, an
/// IPv4 address or an IPv6 address, in brackets or not, and a port.
pub(crate) fn read(text: &str) -> anyhow::Result<Place> {
    let is_socket = || std::fs::metadata(text).is_ok_and(|found| found.file_type().is_socket());
    if text.starts_with("unix:") || text.starts_with('/') {
        return unix(text);
    }
    if is_socket() {
        let path = std::path::absolute(text).with_context(|| format!("cannot find {text}"))?;
        return unix(&path.to_string_lossy());
    }
    let (host, port) = split(https(text)?.trim_end_matches('/'), text)?;
    let name = (!host.contains(':')).then(|| host.clone());
    Ok(Place { url: format!("https://{}:{}", bracketed(&host), port.unwrap_or(PORT)), name })
}

/// Reads the address of an image server: an `https` URL, of which a path may be part.
pub(crate) fn read_streams(text: &str) -> anyhow::Result<Place> {
    ensure!(!text.starts_with("http://"), "Only https URLs are supported for simplestreams, not \"{text}\"");
    let rest = https(text)?.trim_end_matches('/');
    let (authority, path) = rest.split_once('/').map_or((rest, ""), |(authority, path)| (authority, path));
    let (host, port) = split(authority, text)?;
    let printable = path.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#'));
    ensure!(printable, "\"{text}\" is not an address: the path of an image server has no blanks, ? and #");
    let mut url = format!("https://{}", bracketed(&host));
    if let Some(port) = port {
        url.push_str(&format!(":{port}"));
    }
    if !path.is_empty() {
        url.push_str(&format!("/{path}"));
    }
    let name = (!host.contains(':')).then_some(host);
    Ok(Place { url, name })
}

fn unix(text: &str) -> anyhow::Result<Place> {
    let path = text.strip_prefix("unix:").unwrap_or(text);
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() {
        return Ok(Place { url: "unix://".to_owned(), name: None });
    }
    ensure!(path.starts_with('/'), "\"{text}\" is not an address: the path of a socket begins with /");
    let name =
        Path::new(path).parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    Ok(Place { url: format!("unix://{path}"), name })
}

fn https(text: &str) -> anyhow::Result<&str> {
    match text.split_once("://") {
        None => Ok(text),
        Some(("https", rest)) => Ok(rest),
        Some((scheme, _)) => {
            bail!("\"{text}\" is not an address: {scheme}:// cannot be used, only https:// and unix://")
        }
    }
}

/// Host and port; a host without brackets.
fn split(authority: &str, text: &str) -> anyhow::Result<(String, Option<u16>)> {
    if let Ok(address) = authority.parse::<Ipv6Addr>() {
        return Ok((address.to_string(), None));
    }
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (host, rest) =
            rest.split_once(']').with_context(|| format!("\"{text}\" is not an address: a ] is missing"))?;
        let host: Ipv6Addr = host
            .parse()
            .with_context(|| format!("\"{text}\" is not an address: [{host}] is no IPv6 address"))?;
        let port = match rest {
            "" => None,
            rest => Some(rest.strip_prefix(':').unwrap_or("")),
        };
        (host.to_string(), port)
    } else {
        let (host, port) =
            authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
        ensure!(
            is_host(host),
            "\"{text}\" is not an address: use HOST, HOST:PORT, [IPV6]:PORT, https://… or unix://PATH"
        );
        (host.to_owned(), port)
    };
    let port = port.map(|port| {
        port.parse::<u16>()
            .ok()
            .filter(|port| *port != 0)
            .with_context(|| format!("\"{text}\" is not an address: \"{port}\" is no port"))
    });
    Ok((host, port.transpose()?))
}

/// A name of the DNS (RFC 1123) or an IPv4 address.
fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let numbers = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let named = text.len() <= 253 && text.strip_suffix('.').unwrap_or(text).split('.').all(label);
    if numbers { text.parse::<Ipv4Addr>().is_ok() } else { named }
}

fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> (String, Option<String>) {
        let place = read(text).unwrap();
        (place.url, place.name)
    }

    #[test]
    fn servers_of_ours() {
        let some = |text: &str| Some(text.to_owned());
        for (text, url, name) in [
            ("foo", "https://foo:8443", some("foo")),
            ("foo:443", "https://foo:443", some("foo")),
            ("https://foo.example.org", "https://foo.example.org:8443", some("foo.example.org")),
            ("https://foo:9443/", "https://foo:9443", some("foo")),
            ("1.2.3.4", "https://1.2.3.4:8443", some("1.2.3.4")),
            ("1.2.3.4:80", "https://1.2.3.4:80", some("1.2.3.4")),
            (
                "2607:f2c0:f00f:2770:216:3eff:fee1:bd67",
                "https://[2607:f2c0:f00f:2770:216:3eff:fee1:bd67]:8443",
                None,
            ),
            ("[::1]", "https://[::1]:8443", None),
            ("[fd00::2]:9000", "https://[fd00::2]:9000", None),
            ("https://[fd00::2]", "https://[fd00::2]:8443", None),
            ("unix://", "unix://", None),
            ("unix:/srv/lxd/unix.socket", "unix:///srv/lxd/unix.socket", some("lxd")),
            ("unix:///srv/lxd/unix.socket", "unix:///srv/lxd/unix.socket", some("lxd")),
            ("/srv/lxd/unix.socket", "unix:///srv/lxd/unix.socket", some("lxd")),
        ] {
            assert_eq!(place(text), (url.to_owned(), name), "{text}");
        }
    }

    #[test]
    fn a_socket_that_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("unix.socket");
        let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert_eq!(place(path.to_str().unwrap()).0, format!("unix://{}", path.display()));
    }

    #[test]
    fn what_is_no_address() {
        for text in [
            "",
            "http://foo",
            "ftp://foo",
            "foo:",
            "foo:x",
            "foo:0",
            "foo:70000",
            "a b",
            "foo/bar",
            "[::1",
            "[foo]",
            "[::1]x",
            "[::1]:",
            "1.2.3",
            "-foo",
            "foo..bar",
            "unix:relative",
            "https://",
            "user@foo",
            "1.2.3.400",
            "foo?x",
            "fe80::1%eth0",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn image_servers() {
        for (text, url) in [
            ("https://cloud-images.ubuntu.com/releases", "https://cloud-images.ubuntu.com/releases"),
            ("https://cloud-images.ubuntu.com/releases/", "https://cloud-images.ubuntu.com/releases"),
            ("images.example.org", "https://images.example.org"),
            ("https://images.example.org:8000", "https://images.example.org:8000"),
            ("https://[fd00::1]:8000/x", "https://[fd00::1]:8000/x"),
        ] {
            assert_eq!(read_streams(text).unwrap().url, url, "{text}");
        }
        assert!(read_streams("http://foo").unwrap_err().to_string().contains("Only https URLs"));
        assert!(read_streams("https://foo/a?b").is_err());
    }
}
