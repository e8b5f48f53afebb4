//! `key=value` arguments.

use anyhow::{Context as _, bail};
use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Read as _};

/// Reads `key=value` arguments.
pub(crate) fn parse(args: &[String]) -> anyhow::Result<BTreeMap<String, String>> {
    args.iter()
        .map(|arg| match arg.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
            _ => bail!("No value found in \"{arg}\""),
        })
        .collect()
}

/// Reads `key value` or `key=value…`; the value `-` is what standard input gives.
pub(crate) fn parse_set(args: &[String]) -> anyhow::Result<BTreeMap<String, String>> {
    let args = after_separator(args);
    let mut pairs = match args {
        [key, value] if !key.contains('=') => BTreeMap::from([(key.clone(), value.clone())]),
        [key] if !key.contains('=') => bail!("No value found in \"{key}\"; use KEY VALUE or KEY=VALUE"),
        _ => parse(args)?,
    };
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        for value in pairs.values_mut().filter(|value| *value == "-") {
            value.clear();
            stdin.lock().read_to_string(value).context("cannot read the value from standard input")?;
        }
    }
    Ok(pairs)
}

/// Values may begin with a dash, so a `--` before them means nothing, and is no word of theirs.
fn after_separator(args: &[String]) -> &[String] {
    match args {
        [first, rest @ ..] if first == "--" => rest,
        all => all,
    }
}

/// Splits the arguments of `config set` into an optional container and what to set.
///
/// `core.x=y` and `core.x y` are about the server, because no container's name has a dot or `=`.
pub(crate) fn split_target(args: &[String]) -> (Option<&str>, &[String]) {
    let is_key = |arg: &str| arg.contains('=') || (arg.contains('.') && !arg.contains(':'));
    match after_separator(args) {
        [first, rest @ ..] if !rest.is_empty() && !is_key(first) => (Some(first), rest),
        all => (None, all),
    }
}

/// Splits the arguments of `config get` and `config unset` likewise.
pub(crate) fn target_and_key(args: &[String]) -> (Option<&str>, &str) {
    match args {
        [target, key] => (Some(target), key),
        [key] => (None, key),
        _ => (None, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn both_ways_of_setting() {
        assert_eq!(parse_set(&words("limits.cpu 2")).unwrap()["limits.cpu"], "2");
        assert_eq!(parse_set(&words("-- limits.cpu -2")).unwrap()["limits.cpu"], "-2");
        let pairs = parse_set(&words("a.b=1 c.d=x=y")).unwrap();
        assert_eq!((pairs["a.b"].as_str(), pairs["c.d"].as_str()), ("1", "x=y"));
        assert_eq!(parse(&words("a.b")).unwrap_err().to_string(), "No value found in \"a.b\"");
        assert!(parse_set(&words("limits.cpu")).is_err());
        assert!(parse_set(&words("a b c")).is_err());
    }

    #[test]
    fn containers_are_told_from_keys() {
        let split = |text: &str| {
            let words = words(text);
            let (target, rest) = split_target(&words);
            (target.map(str::to_owned), rest.join(" "))
        };
        let some = |name: &str| Some(name.to_owned());
        assert_eq!(split("c1 limits.cpu 2"), (some("c1"), "limits.cpu 2".into()));
        assert_eq!(split("c1 limits.cpu=2"), (some("c1"), "limits.cpu=2".into()));
        assert_eq!(split("lab:c1 a.b=2"), (some("lab:c1"), "a.b=2".into()));
        assert_eq!(split("lab: core.x y"), (some("lab:"), "core.x y".into()));
        assert_eq!(split("core.https_address [::]:8443"), (None, "core.https_address [::]:8443".into()));
        assert_eq!(split("core.https_address=[::]:8443"), (None, "core.https_address=[::]:8443".into()));
        assert_eq!(split("core.a=1 core.b=2"), (None, "core.a=1 core.b=2".into()));
    }
}
