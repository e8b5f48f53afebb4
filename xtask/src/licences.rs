//! The licences of all dependencies against a list, and dependencies that must not come in. Says
//! the same as `cargo deny check licenses bans` with `deny.toml`, for machines without it.

use crate::metadata::{Package, packages};
use anyhow::{Result, bail};
use std::path::Path;

/// Licences that a dependency may be used under.
const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
    "bzip2-1.0.6",
];

/// Crates that must not be in the tree, and why.
const BANNED: &[(&str, &str)] = &[
    ("aws-lc-rs", "needs cmake and a C++ compiler; TLS uses ring"),
    ("aws-lc-sys", "needs cmake and a C++ compiler; TLS uses ring"),
    ("openssl-sys", "a second TLS library, linked to the system's"),
    ("sqlx", "brings a second SQLite; SQL goes through rusqlite"),
];

/// Crates that link or bundle something that may exist only once.
const ONLY_ONCE: &[&str] = &["libsqlite3-sys", "rusqlite", "rustix", "tokio", "hyper", "serde_json"];

/// Check all; the error lists what is wrong.
pub(crate) fn check(root: &Path) -> Result<()> {
    let all = packages(root, true)?;
    let wrong = findings(&all);
    if !wrong.is_empty() {
        bail!("{} dependencies must not be as they are:\n  {}", wrong.len(), wrong.join("\n  "));
    }
    eprintln!("licences: {} packages, all allowed", all.len());
    Ok(())
}

fn findings(all: &[Package]) -> Vec<String> {
    let mut wrong = Vec::new();
    for package in all {
        let name = format!("{} {}", package.name, package.version);
        match &package.licence {
            None => wrong.push(format!("{name}: names no licence")),
            Some(expression) if !acceptable(expression) => {
                wrong.push(format!("{name}: `{expression}` is not on the list"));
            }
            Some(_) => {}
        }
        if let Some((_, why)) = BANNED.iter().find(|(banned, _)| *banned == package.name) {
            wrong.push(format!("{name}: banned, because it {why}"));
        }
    }
    for name in ONLY_ONCE {
        let versions: Vec<_> = all.iter().filter(|p| p.name == *name).map(|p| p.version.as_str()).collect();
        if versions.len() > 1 {
            wrong.push(format!("{name}: {} versions at once ({})", versions.len(), versions.join(", ")));
        }
    }
    wrong
}

/// Can a package with this SPDX expression be used? `/` is the old way to write `OR`.
fn acceptable(expression: &str) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    either(&words, &mut at) == Some(true) && at == words.len()
}

/// `None`: not an expression.
fn either(words: &[&str], at: &mut usize) -> Option<bool> {
    let mut good = both(words, at)?;
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        good |= both(words, at)?;
    }
    Some(good)
}

fn both(words: &[&str], at: &mut usize) -> Option<bool> {
    let mut good = one(words, at)?;
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        good &= one(words, at)?;
    }
    Some(good)
}

fn one(words: &[&str], at: &mut usize) -> Option<bool> {
    let word = *words.get(*at)?;
    *at += 1;
    if word == "(" {
        let good = either(words, at)?;
        let closed = words.get(*at) == Some(&")");
        *at += 1;
        return closed.then_some(good);
    }
    if words.get(*at) == Some(&"WITH") {
        let name = format!("{word} WITH {}", words.get(*at + 1)?);
        *at += 2;
        return Some(ALLOWED.contains(&name.as_str()));
    }
    Some(ALLOWED.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_understood() {
        for good in [
            "MIT",
            "MIT OR Apache-2.0",
            "MIT/Apache-2.0",
            "GPL-3.0 OR MIT",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR Apache-2.0",
        ] {
            assert!(acceptable(good), "{good}");
        }
        for bad in ["LGPL-2.1", "MIT AND GPL-3.0", "(MIT OR ISC) AND AGPL-3.0", "", "MIT OR", "(MIT"] {
            assert!(!acceptable(bad), "{bad}");
        }
    }

    #[test]
    fn two_versions_of_what_may_be_there_once_are_found() {
        let package = |version: &str| Package {
            name: "rusqlite".to_owned(),
            version: version.to_owned(),
            licence: Some("MIT".to_owned()),
            manifest: String::new(),
            dependencies: Vec::new(),
        };
        assert_eq!(findings(&[package("1"), package("2")]).len(), 1);
        assert!(findings(&[package("1")]).is_empty());
    }
}
