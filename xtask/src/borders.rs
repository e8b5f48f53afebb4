//! The borders between crates, as `ARCHITECTURE.md` draws them, and the house rules that a program
//! can check. Nothing else keeps the shape of the code in the long run.

use crate::metadata::{Package, packages};
use crate::sources;
use anyhow::{Result, bail};
use std::collections::BTreeSet;
use std::path::Path;

/// A crate, the crates of ours that it may use, and the foreign ones that it must not.
struct Rule {
    name: &'static str,
    may_use: &'static [&'static str],
    never: &'static [&'static str],
}

const ASYNC: &[&str] = &["tokio", "hyper", "axum", "rusqlite", "tokio-tungstenite", "tokio-util"];
const PURE: &[&str] =
    &["tokio", "hyper", "axum", "rusqlite", "rustix", "libc", "tokio-tungstenite", "tempfile"];
const NO_WEB: &[&str] = &["hyper", "axum", "rusqlite", "tokio-tungstenite", "libc"];

/// The table. An edge that is not here does not exist.
const RULES: &[Rule] = &[
    Rule { name: "api", may_use: &[], never: PURE },
    Rule { name: "model", may_use: &["api"], never: PURE },
    Rule { name: "sys", may_use: &[], never: ASYNC },
    Rule { name: "container", may_use: &["model", "sys"], never: ASYNC },
    Rule { name: "forwarder", may_use: &["model", "sys"], never: ASYNC },
    Rule { name: "keeper", may_use: &["container", "forwarder", "model", "sys"], never: ASYNC },
    Rule { name: "tools", may_use: &["model"], never: NO_WEB },
    Rule { name: "storage", may_use: &["model", "tools", "sys"], never: NO_WEB },
    Rule { name: "network", may_use: &["model", "tools", "sys"], never: NO_WEB },
    Rule { name: "transport", may_use: &[], never: &["axum", "rusqlite", "libc"] },
    Rule { name: "simplestreams", may_use: &["api", "model", "transport"], never: NO_WEB },
    Rule {
        name: "migration",
        may_use: &["model", "sys", "tools", "transport"],
        never: &["axum", "rusqlite", "libc"],
    },
    Rule {
        name: "image",
        may_use: &["api", "model", "simplestreams", "sys", "tools", "transport"],
        never: NO_WEB,
    },
    Rule { name: "store", may_use: &["api", "model"], never: &["hyper", "axum", "rustix", "libc"] },
    Rule {
        name: "instance",
        may_use: &[
            "api",
            "container",
            "image",
            "migration",
            "model",
            "network",
            "simplestreams",
            "storage",
            "store",
            "sys",
            "tools",
            "transport",
        ],
        never: NO_WEB,
    },
    Rule {
        name: "daemon",
        may_use: &["api", "instance", "migration", "model", "store", "transport"],
        never: &["rusqlite", "libc"],
    },
    Rule {
        name: "client",
        may_use: &["api", "simplestreams", "transport"],
        never: &["axum", "rusqlite", "libc"],
    },
    Rule { name: "cli", may_use: &["api", "client"], never: &["axum", "rusqlite", "libc", "hyper"] },
    Rule { name: "testkit", may_use: &[], never: &["tokio", "axum", "rusqlite", "libc"] },
    Rule { name: "e2e", may_use: &["testkit"], never: &["tokio", "libc"] },
    Rule { name: "xtask", may_use: &[], never: PURE },
];

/// Check everything; the error lists all that is wrong.
pub(crate) fn check(root: &Path) -> Result<()> {
    let members = packages(root, false)?;
    let mut wrong = edges(&members);
    for package in &members {
        let manifest = std::fs::read_to_string(&package.manifest)?;
        if !manifest.contains("[lints]\nworkspace = true") {
            wrong.push(format!("{}: the manifest lacks `[lints]` with `workspace = true`", package.name));
        }
    }
    let sources = sources::tracked(root)?;
    wrong.extend(sources::rules(&sources, root));
    if !wrong.is_empty() {
        wrong.sort();
        bail!("{} things are not as they must be:\n  {}", wrong.len(), wrong.join("\n  "));
    }
    sources::print_largest(&sources);
    Ok(())
}

/// Every edge between crates that the table does not have.
fn edges(members: &[Package]) -> Vec<String> {
    let ours: BTreeSet<&str> = members.iter().map(|p| p.name.as_str()).collect();
    let mut wrong = Vec::new();
    for package in members {
        let Some(rule) = RULES.iter().find(|rule| rule.name == package.name) else {
            wrong.push(format!(
                "{}: a crate that the table in xtask/src/borders.rs does not have",
                package.name
            ));
            continue;
        };
        for dependency in &package.dependencies {
            let name = dependency.name.as_str();
            let edge = || format!("{} -> {name}", package.name);
            if ours.contains(name) {
                // Tests may be written with the kit; it uses none of ours, so no circle comes of it.
                if !(rule.may_use.contains(&name) || dependency.dev && name == "testkit") {
                    wrong.push(format!("{}: this edge is not allowed", edge()));
                }
            } else if rule.never.contains(&name) && !dependency.dev {
                wrong.push(format!("{}: this crate must never see it", edge()));
            }
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::Dependency;

    fn package(name: &str, dependencies: &[(&str, bool)]) -> Package {
        let dependency = |&(name, dev): &(&str, bool)| Dependency { name: name.to_owned(), dev };
        Package {
            name: name.to_owned(),
            version: String::new(),
            licence: None,
            manifest: String::new(),
            dependencies: dependencies.iter().map(dependency).collect(),
        }
    }

    #[test]
    fn an_edge_that_is_not_in_the_table_is_named() {
        let members = [
            package("storage", &[("store", false), ("sys", false), ("serde", false)]),
            package("store", &[("model", false), ("testkit", true)]),
            package("model", &[("tokio", false)]),
            package("sys", &[]),
            package("testkit", &[]),
            package("shed", &[]),
        ];
        let wrong = edges(&members);
        assert_eq!(wrong.len(), 3, "{wrong:?}");
        assert!(wrong[0].starts_with("storage -> store"), "{wrong:?}");
        assert!(wrong[1].starts_with("model -> tokio"), "{wrong:?}");
        assert!(wrong[2].starts_with("shed:"), "{wrong:?}");
    }

    #[test]
    fn the_table_has_no_circle() {
        let mut done: BTreeSet<&str> = BTreeSet::new();
        while done.len() < RULES.len() {
            let ready: Vec<_> = RULES
                .iter()
                .filter(|r| !done.contains(r.name) && r.may_use.iter().all(|d| done.contains(d)))
                .map(|r| r.name)
                .collect();
            assert!(!ready.is_empty(), "a circle among what is not in {done:?}");
            done.extend(ready);
        }
    }
}
