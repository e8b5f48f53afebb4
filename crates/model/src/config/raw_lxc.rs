//! `raw.lxc`: lines of LXC's configuration, of which only some may be said here.

/// A line of `raw.lxc` that is not allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RawLxcError {
    /// No `=` in it.
    #[error("invalid raw.lxc line {line:?}: write key = value")]
    NoValue {
        /// The line.
        line: String,
    },
    /// A key that is the server's own business.
    #[error("setting {key} is not allowed in raw.lxc")]
    Forbidden {
        /// The key.
        key: String,
    },
    /// A network key other than addresses and gateways.
    #[error(
        "only ipv4.address, ipv4.gateway, ipv6.address and ipv6.gateway of an interface are allowed in raw.lxc, not {key}"
    )]
    Network {
        /// The key.
        key: String,
    },
}

/// Splits `raw.lxc` into keys and values, in order. Comments and empty lines are dropped.
///
/// # Errors
/// For the first line that is not `key = value` or whose key is not allowed.
pub fn parse(text: &str) -> Result<Vec<(String, String)>, RawLxcError> {
    let mut pairs = Vec::new();
    for line in text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')) {
        let (key, value) =
            line.split_once('=').ok_or_else(|| RawLxcError::NoValue { line: line.to_owned() })?;
        let key = key.trim().to_ascii_lowercase();
        check(&key)?;
        pairs.push((key, value.trim().to_owned()));
    }
    Ok(pairs)
}

fn check(key: &str) -> Result<(), RawLxcError> {
    const FORBIDDEN: [&str; 5] =
        ["lxc.logfile", "lxc.log.file", "lxc.syslog", "lxc.log.syslog", "lxc.ephemeral"];
    if FORBIDDEN.contains(&key) || key.starts_with("lxc.prlimit.") {
        return Err(RawLxcError::Forbidden { key: key.to_owned() });
    }
    let network = key.strip_prefix("lxc.net.").or_else(|| key.strip_prefix("lxc.network."));
    let Some(rest) = network else { return Ok(()) };
    const ALLOWED: [&str; 4] = ["ipv4.address", "ipv6.address", "ipv4.gateway", "ipv6.gateway"];
    let property = rest.split_once('.').map_or("", |(_, property)| property);
    if ALLOWED.contains(&property) {
        return Ok(());
    }
    Err(RawLxcError::Network { key: key.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_pairs() {
        let pairs = parse("# a comment\n\n lxc.signal.halt = SIGRTMIN+3\nlxc.environment=A=b\n").unwrap();
        assert_eq!(
            pairs,
            [
                ("lxc.signal.halt".to_owned(), "SIGRTMIN+3".to_owned()),
                ("lxc.environment".to_owned(), "A=b".to_owned())
            ]
        );
        assert!(parse("lxc.net.0.ipv4.address = 10.0.0.2/24").is_ok());
    }

    #[test]
    fn other_lines_are_refused() {
        assert!(matches!(parse("lxc.cap.drop"), Err(RawLxcError::NoValue { .. })));
        for line in
            ["lxc.logfile=/x", "LXC.LOG.FILE = /x", "lxc.log.syslog=x", "lxc.ephemeral=1", "lxc.prlimit.as=1"]
        {
            assert!(matches!(parse(line), Err(RawLxcError::Forbidden { .. })), "{line}");
        }
        for line in
            ["lxc.net.0.script.up=/x", "lxc.net.0.link = eth0", "lxc.net.0=x", "lxc.network.0.type = phys"]
        {
            assert!(matches!(parse(line), Err(RawLxcError::Network { .. })), "{line}");
        }
    }
}
