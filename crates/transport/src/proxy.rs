//! Whether a proxy stands between us and a server.

use http::Uri;

/// Which proxies to use. Made from the configuration, else from the environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    /// For `http` URLs; empty: none. Itself an `http` URL or `host:port`.
    pub http: String,
    /// For `https` URLs; empty: none.
    pub https: String,
    /// Hosts that are reached without a proxy: names, `.domains`, addresses, `*`; separated by commas.
    pub ignore: String,
}

impl Proxies {
    /// What `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` say, in capital or small letters.
    #[must_use]
    pub fn from_environment() -> Self {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    fn from_lookup(look: impl Fn(&str) -> Option<String>) -> Self {
        let either = |name: &str| {
            look(name)
                .filter(|value| !value.is_empty())
                .or_else(|| look(&name.to_lowercase()))
                .unwrap_or_default()
        };
        Self { http: either("HTTP_PROXY"), https: either("HTTPS_PROXY"), ignore: either("NO_PROXY") }
    }

    /// These, and where one is not set the one of `other`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let first = |one: String, two: String| if one.is_empty() { two } else { one };
        Self {
            http: first(self.http, other.http),
            https: first(self.https, other.https),
            ignore: first(self.ignore, other.ignore),
        }
    }

    /// The proxy for a URL, as `host:port`.
    pub(crate) fn of(&self, url: &Uri) -> Option<String> {
        let host = url.host()?;
        let proxy = if url.scheme_str() == Some("https") { &self.https } else { &self.http };
        if proxy.is_empty()
            || is_loopback(host)
            || self.ignore.split(',').any(|entry| covers(entry.trim(), host))
        {
            return None;
        }
        let bare = proxy.strip_prefix("http://").unwrap_or(proxy).trim_end_matches('/');
        let bare = bare.rsplit_once('@').map_or(bare, |(_, host)| host);
        let has_port = bare.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        Some(if has_port { bare.to_owned() } else { format!("{bare}:80") })
    }
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

fn covers(entry: &str, host: &str) -> bool {
    let entry = entry.trim_start_matches('.');
    entry == "*"
        || (!entry.is_empty()
            && (host == entry || host.strip_suffix(entry).is_some_and(|rest| rest.ends_with('.'))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_proxy() {
        let proxies = Proxies {
            http: "http://p:3128/".into(),
            https: "user:word@q".into(),
            ignore: "example.org, .lab".into(),
        };
        let of = |url: &str| proxies.of(&url.parse().unwrap());
        assert_eq!(of("http://h/x").as_deref(), Some("p:3128"));
        assert_eq!(of("https://h:8443").as_deref(), Some("q:80"));
        for url in [
            "http://example.org/",
            "https://www.example.org",
            "http://a.lab",
            "http://127.0.0.1:80",
            "http://[::1]/",
        ] {
            assert_eq!(of(url), None, "{url}");
        }
        assert!(of("http://notexample.org").is_some());
        assert_eq!(Proxies::default().of(&"http://h".parse().unwrap()), None);
    }

    #[test]
    fn the_environment_comes_second() {
        let environment = Proxies::from_lookup(|name| (name == "http_proxy").then(|| "small".to_owned()));
        assert_eq!(environment.http, "small");
        let configured = Proxies { http: "mine".into(), ..Proxies::default() };
        assert_eq!(configured.or(environment).http, "mine");
    }
}
