//! What browsers are told about pages of other origins (`core.https_allowed_*`), and what such pages
//! may not do.
//!
//! A browser sends the owner's certificate with every request, also with those that a strange page
//! makes it send. It says so in `Origin` and `Sec-Fetch-Site`, which no page can change.

use http::{HeaderMap, HeaderValue, Method, header};
use instance::settings::Settings;
use model::config::is_true;

const SITE: &str = "sec-fetch-site";

/// What the configuration allows pages of other origins.
pub(super) struct Cors<'s>(pub(super) &'s Settings);

impl Cors<'_> {
    fn get(&self, key: &str) -> Option<String> {
        self.0.get(&format!("core.https_allowed_{key}"))
    }

    /// Adds what a browser wants to know to an answer. `origin`: the request's.
    pub(super) fn tell(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        let mut add = |name, key: &str| {
            if let Some(value) = self.get(key).and_then(|value| HeaderValue::from_str(&value).ok()) {
                headers.insert(name, value);
            }
        };
        if origin.is_some() {
            add(header::ACCESS_CONTROL_ALLOW_ORIGIN, "origin");
            add(header::ACCESS_CONTROL_ALLOW_METHODS, "methods");
            add(header::ACCESS_CONTROL_ALLOW_HEADERS, "headers");
        }
        if self.get("credentials").is_some_and(|value| is_true(&value)) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }

    /// Whether a request comes from a page that may not make it: one that would change something or open
    /// a websocket, from another origin than ours and the allowed one.
    pub(super) fn refuses(&self, method: &Method, headers: &HeaderMap) -> bool {
        let text = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap_or("?"));
        let origin = text("origin");
        let allowed = self.get("origin");
        if origin.is_some_and(|origin| allowed.as_deref().is_some_and(|a| a == "*" || a == origin)) {
            return false;
        }
        let foreign_site = text(SITE).is_some_and(|site| !matches!(site, "same-origin" | "none"));
        let host = text("host").unwrap_or_default();
        let foreign_origin =
            origin.is_some_and(|origin| origin.split_once("://").is_none_or(|(_, o)| o != host));
        if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
            // Programs that are no browsers send odd origins with websockets.
            return foreign_site && headers.contains_key(header::UPGRADE);
        }
        foreign_site || foreign_origin
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        let key = |key: &str| format!("core.https_allowed_{key}");
        Settings::of(pairs.iter().map(|(name, value)| (key(name), (*value).to_owned())).collect())
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter().chain(&[("host", "lxd:8443")]);
        pairs
            .map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn answers_say_what_is_configured() {
        let settings = settings(&[
            ("origin", "https://ui"),
            ("methods", "GET, PUT"),
            ("headers", "Content-Type"),
            ("credentials", "true"),
        ]);
        let mut told = HeaderMap::new();
        Cors(&settings).tell(Some(&HeaderValue::from_static("https://ui")), &mut told);
        assert_eq!(told["access-control-allow-origin"], "https://ui");
        assert_eq!(told["access-control-allow-methods"], "GET, PUT");
        assert_eq!(told["access-control-allow-headers"], "Content-Type");
        assert_eq!(told["access-control-allow-credentials"], "true");
        let mut told = HeaderMap::new();
        Cors(&settings).tell(None, &mut told);
        assert_eq!(told.len(), 1, "nothing about origins to those who have none");
    }

    #[test]
    fn strange_pages_change_nothing() {
        let none = settings(&[]);
        let allowed = settings(&[("origin", "https://ui")]);
        let refuses = |settings: &Settings, method: Method, pairs: &[(&'static str, &'static str)]| {
            Cors(settings).refuses(&method, &headers(pairs))
        };
        assert!(!refuses(&none, Method::POST, &[]), "no browser");
        assert!(!refuses(&none, Method::POST, &[("origin", "https://lxd:8443")]), "our own page");
        assert!(!refuses(&none, Method::GET, &[("origin", "https://evil"), ("upgrade", "websocket")]));
        assert!(refuses(&none, Method::POST, &[("origin", "https://evil")]));
        assert!(refuses(&none, Method::DELETE, &[("origin", "null")]));
        assert!(refuses(&none, Method::PUT, &[("sec-fetch-site", "cross-site")]));
        assert!(refuses(&none, Method::GET, &[("sec-fetch-site", "same-site"), ("upgrade", "websocket")]));
        assert!(!refuses(&none, Method::GET, &[("sec-fetch-site", "cross-site")]));
        assert!(refuses(&allowed, Method::POST, &[("origin", "https://evil")]));
        let from_ui = [("origin", "https://ui"), ("sec-fetch-site", "cross-site")];
        assert!(!refuses(&allowed, Method::POST, &from_ui));
        assert!(refuses(&none, Method::POST, &from_ui));
    }
}
