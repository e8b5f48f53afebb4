//! House rules about the text of the sources.

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Longest Rust source, in lines.
const LONGEST: usize = 600;

/// A tracked text file.
pub(crate) struct Source {
    /// From the repository's root.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Every text file that git tracks or would track.
pub(crate) fn tracked(root: &Path) -> Result<Vec<Source>> {
    let output = Command::new("git")
        .current_dir(root)
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
        .output()
        .context("cannot run git ls-files")?;
    let names = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut sources = Vec::new();
    for path in names.split('\0').filter(|name| !name.is_empty()) {
        // Files that are no text, or were just deleted, have nothing to check.
        if let Ok(text) = std::fs::read_to_string(root.join(PathBuf::from(path))) {
            sources.push(Source { path: path.to_owned(), text });
        }
    }
    Ok(sources)
}

/// What breaks a rule, one line each.
pub(crate) fn rules(sources: &[Source], root: &Path) -> Vec<String> {
    let mut wrong = Vec::new();
    let checkout = root.to_string_lossy().into_owned();
    for source in sources {
        if source.text.contains(&checkout) {
            wrong.push(format!("{}: names the directory of this checkout", source.path));
        }
        if !source.path.ends_with(".rs") {
            continue;
        }
        let lines = source.text.lines().count();
        if lines > LONGEST {
            wrong.push(format!("{}: {lines} lines, at most {LONGEST} are allowed", source.path));
        }
        let name = source.path.rsplit('/').next().unwrap_or_default();
        // `tests.rs` beside a file says with its name all that there is to say.
        if !source.text.starts_with("//!") && name != "tests.rs" {
            wrong.push(format!("{}: the first line does not say what the file is", source.path));
        }
        if ["util.rs", "utils.rs", "common.rs", "helpers.rs", "misc.rs", "shared.rs"].contains(&name) {
            wrong.push(format!("{}: the name says nothing; put things where they are owned", source.path));
        }
        wrong.extend(lines_that_break_rules(source));
    }
    wrong
}

fn lines_that_break_rules(source: &Source) -> Vec<String> {
    let unsafe_is_allowed = source.path.starts_with("crates/sys/");
    // Put together here, so that this file does not have them.
    let unfinished = ["FIX", "XX", "HA"].iter().zip(["ME", "X", "CK"]).map(|(a, b)| format!("{a}{b}"));
    let mut forbidden: Vec<String> = unfinished.collect();
    forbidden.extend(["todo", "unimplemented", "dbg"].map(|word| format!("{word}!(")));
    forbidden.push(format!("#[{}", "ignore"));
    let mut wrong = Vec::new();
    for (number, line) in source.text.lines().enumerate() {
        let place = format!("{}:{}", source.path, number + 1);
        let code = line.split("//").next().unwrap_or_default();
        if !unsafe_is_allowed && has_unsafe(code) {
            wrong.push(format!("{place}: unsafe code belongs into the crate sys"));
        }
        if !unsafe_is_allowed && code.contains("allow(un\u{73}afe_code)") {
            wrong.push(format!("{place}: only the crate sys may allow unsafe code"));
        }
        if let Some(word) = forbidden.iter().find(|word| line.contains(word.as_str())) {
            wrong.push(format!("{place}: `{word}` has no place in finished work"));
        }
    }
    wrong
}

/// Is the keyword there, as code and not within a string or a longer word?
fn has_unsafe(code: &str) -> bool {
    let outside: String = code.split('"').step_by(2).collect::<Vec<_>>().join(" ");
    let mut words = outside.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|w| !w.is_empty());
    words.any(|word| word == "unsafe")
}

/// The ten longest Rust sources, to keep an eye on.
pub(crate) fn print_largest(sources: &[Source]) {
    let mut sizes: Vec<_> = sources
        .iter()
        .filter(|s| s.path.ends_with(".rs"))
        .map(|s| (s.text.lines().count(), s.path.as_str()))
        .collect();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    let list: Vec<_> = sizes.iter().take(10).map(|(lines, path)| format!("{lines} {path}")).collect();
    eprintln!("borders: all kept; longest files: {}", list.join(", "));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(path: &str, text: &str) -> usize {
        rules(&[Source { path: path.to_owned(), text: text.to_owned() }], Path::new("/nowhere/at/all")).len()
    }

    #[test]
    fn rules_find_what_they_are_for() {
        assert_eq!(broken("a.rs", "//! A.\nfn f() {}\n"), 0);
        assert_eq!(broken("a.rs", "fn f() {}\n"), 1);
        assert_eq!(broken("a.rs", "//! A.\nunsafe fn f() {}\n"), 1);
        assert_eq!(broken("crates/sys/src/a.rs", "//! A.\nunsafe fn f() {}\n"), 0);
        assert_eq!(
            broken("a.rs", "//! A.\n// unsafe in words\nlet s = \"unsafe\"; let unsafe_code = 1;\n"),
            0
        );
        assert_eq!(broken("a.rs", &format!("//! A.\n{}();\n", ["to", "do!"].concat())), 1);
        assert_eq!(broken("a/utils.rs", "//! A.\n"), 1);
        assert_eq!(broken("a.md", "see /nowhere/at/all/x"), 1);
        assert_eq!(broken("a.rs", &format!("//! A.\n{}", "\n".repeat(600))), 1);
    }
}
