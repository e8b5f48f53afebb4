//! Filters of `lxc list`.

use api::instances::Instance;
use regex_lite::Regex;

/// What a container must be like to be listed.
#[derive(Debug)]
pub(crate) enum Filter {
    Name { prefix: String, pattern: Option<Regex> },
    Shorthand { field: fn(&Instance) -> &str, values: Vec<String> },
    Key { key: String, value: Pattern },
}

/// A regular expression, or the text itself when it is none.
#[derive(Debug)]
pub(crate) struct Pattern {
    text: String,
    regex: Option<Regex>,
}

impl Pattern {
    pub(crate) fn new(text: &str) -> Self {
        Self { text: text.to_owned(), regex: anchored(text) }
    }

    pub(crate) fn matches(&self, value: &str) -> bool {
        self.text == value || self.regex.as_ref().is_some_and(|regex| regex.is_match(value))
    }
}

impl Filter {
    pub(crate) fn new(text: &str) -> Self {
        let Some((key, value)) = text.split_once('=') else {
            return Self::Name { prefix: text.to_owned(), pattern: anchored(text) };
        };
        let values = || value.split(',').map(str::to_lowercase).collect();
        match key {
            "status" => Self::Shorthand { field: |c| &c.status, values: values() },
            "architecture" => Self::Shorthand { field: |c| &c.architecture, values: values() },
            // Servers of level 3.0 tell no type: there everything is a container.
            "type" => Self::Shorthand {
                field: |c| if c.kind.is_empty() { "container" } else { &c.kind },
                values: values(),
            },
            _ => Self::Key { key: key.to_owned(), value: Pattern::new(value) },
        }
    }

    pub(crate) fn matches(&self, container: &Instance) -> bool {
        match self {
            Self::Name { prefix, pattern } => {
                container.name.starts_with(prefix)
                    || pattern.as_ref().is_some_and(|pattern| pattern.is_match(&container.name))
            }
            Self::Shorthand { field, values } => values.contains(&field(container).to_lowercase()),
            Self::Key { key, value } => container
                .expanded_config
                .iter()
                .chain(&container.config)
                .any(|(candidate, found)| abbreviates(key, candidate) && value.matches(found)),
        }
    }
}

/// Anchored at both ends, unless the expression says itself where it begins or ends.
fn anchored(text: &str) -> Option<Regex> {
    if text.contains(['^', '$']) { Regex::new(text) } else { Regex::new(&format!("^(?:{text})$")) }.ok()
}

/// Whether each segment of `short` begins the one of `key` at its place: `s.p` stands for
/// `security.privileged`.
pub(crate) fn abbreviates(short: &str, key: &str) -> bool {
    let mut segments = key.split('.');
    let fits = short.split('.').all(|part| segments.next().is_some_and(|segment| segment.starts_with(part)));
    fits && segments.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container() -> Instance {
        serde_json::from_value(serde_json::json!({
            "name": "web01", "status": "Running", "status_code": 103,
            "expanded_config": {"security.privileged": "true", "user.blah": "abc", "volatile.eth0.hwaddr": "00:16:3e:aa"}
        }))
        .unwrap()
    }

    #[test]
    fn names() {
        for text in ["web", "web01", ".*01", "we.01", "^w", "01$", "(web|db)01"] {
            assert!(Filter::new(text).matches(&container()), "{text}");
        }
        for text in ["eb01", "web02", "db", "(", "1"] {
            assert!(!Filter::new(text).matches(&container()), "{text}");
        }
    }

    #[test]
    fn keys_and_shorthands() {
        for text in [
            "security.privileged=true",
            "s.privileged=true",
            "u.blah=abc",
            "u.b=a.c",
            "volatile.eth0.hwaddr=00:16:3e:.*",
            "status=running",
            "status=stopped,RUNNING",
            "type=container",
        ] {
            assert!(Filter::new(text).matches(&container()), "{text}");
        }
        for text in ["security=true", "s.privileged=tru", "u.blah=ab", "status=stopped", "user.blah.x=abc"] {
            assert!(!Filter::new(text).matches(&container()), "{text}");
        }
    }
}
