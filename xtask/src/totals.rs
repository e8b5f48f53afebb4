//! Running the tests, and one line of totals at the end.
//!
//! A test that lacks something on the machine prints `SKIP <name>: <reason>` and returns; test
//! runners count that as passed. Here it is counted as skipped, with its reason.

use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

/// Which tests.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Those beside the code.
    Unit,
    /// Also end to end, and the examples in the documentation.
    Everything,
}

/// What came of them.
#[derive(Debug, Default, PartialEq, Eq)]
struct Totals {
    passed: u64,
    failed: u64,
    /// Test to reason.
    skipped: BTreeMap<String, String>,
}

impl Totals {
    fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped.extend(other.skipped);
    }

    /// The last lines of a run: reasons, then the totals alone on a line.
    fn print(&self) -> Result<()> {
        let mut out = std::io::stdout().lock();
        let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (test, reason) in &self.skipped {
            reasons.entry(reason).or_default().push(test);
        }
        if !reasons.is_empty() {
            writeln!(out, "\nskipped:")?;
        }
        for (reason, tests) in reasons {
            writeln!(out, "  {reason}: {}", few(&tests))?;
        }
        let skipped = self.skipped.len() as u64;
        let passed = self.passed.saturating_sub(skipped);
        writeln!(out, "\n{passed} passed, {} failed, {skipped} skipped", self.failed)?;
        Ok(())
    }
}

/// The first of many names.
fn few(names: &[&str]) -> String {
    const SHOWN: usize = 6;
    match names.len().checked_sub(SHOWN) {
        None | Some(0 | 1) => names.join(", "),
        Some(more) => format!("{} and {more} more", names[..SHOWN].join(", ")),
    }
}

/// Run them and print the totals; an error if one failed or none ran.
pub(crate) fn test(root: &Path, scope: Scope) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let nextest = Command::new(&cargo)
        .args(["nextest", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    let mut selection = vec!["--workspace", "--locked"];
    if scope == Scope::Unit {
        selection.extend(["--exclude", "e2e"]);
    }
    let mut totals = Totals::default();
    let mut good = true;
    if nextest {
        let report = target_dir(root).join("nextest/default/junit.xml");
        // A report of an earlier run must not be taken for this one's.
        let _ = std::fs::remove_file(&report);
        good &= Command::new(&cargo)
            .current_dir(root)
            .args(["nextest", "run", "--no-fail-fast"])
            .args(&selection)
            .status()
            .context("cannot run cargo nextest")?
            .success();
        match std::fs::read_to_string(&report) {
            Ok(text) => totals.add(from_junit(&text)),
            Err(_) => good = false,
        }
        if scope == Scope::Everything {
            good &= libtest(root, &["--workspace", "--locked", "--doc"], &mut totals)?;
        }
    } else {
        good &= libtest(root, &selection, &mut totals)?;
    }
    totals.print()?;
    if !good || totals.failed > 0 {
        bail!("not all tests passed");
    }
    if totals.passed == 0 {
        bail!("no test ran");
    }
    Ok(())
}

fn target_dir(root: &Path) -> std::path::PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), std::path::PathBuf::from)
}

/// `cargo test`: its output is shown as it comes and read along.
fn libtest(root: &Path, selection: &[&str], totals: &mut Totals) -> Result<bool> {
    let mut child = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .current_dir(root)
        .arg("test")
        .args(selection)
        .args(["--no-fail-fast", "--", "--show-output"])
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run cargo test")?;
    let mut lines = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let line = line?;
            if worth_showing(&line) {
                writeln!(std::io::stdout(), "{line}")?;
            }
            lines.push(line);
        }
    }
    totals.add(from_libtest(&lines));
    Ok(child.wait()?.success())
}

/// Everything but the long list of what passed.
fn worth_showing(line: &str) -> bool {
    let noise = ["running 0 tests", "successes:", "test result: ok. 0 passed;"];
    !(line.is_empty()
        || line.ends_with("... ok")
        || line.trim_start().starts_with("Doc-tests ")
        || noise.iter().any(|start| line.starts_with(start)))
}

/// Totals from the lines of `cargo test`.
fn from_libtest(lines: &[String]) -> Totals {
    let mut totals = Totals::default();
    for line in lines {
        if let Some(result) = line.strip_prefix("test result: ") {
            let count = |what: &str| {
                let mut words = result.split([' ', ';', '.']).filter(|w| !w.is_empty()).peekable();
                let mut last = "0";
                for word in words.by_ref() {
                    if word == what {
                        return last.parse().unwrap_or(0);
                    }
                    last = word;
                }
                0
            };
            totals.passed += count("passed");
            totals.failed += count("failed");
        }
        totals.skipped.extend(skip_in(line));
    }
    totals
}

/// Totals from the report of cargo-nextest.
fn from_junit(report: &str) -> Totals {
    let mut totals = Totals::default();
    for case in report.split("<testcase ").skip(1) {
        let case = case.split("</testcase>").next().unwrap_or(case);
        // A test that failed and passed when it was tried again is not a failure.
        if case.contains("<failure") || case.contains("<error") {
            totals.failed += 1;
        } else {
            totals.passed += 1;
        }
        for line in case.lines() {
            let line = line.split("</").next().unwrap_or(line);
            let line = line.rsplit('>').next().unwrap_or(line);
            let line = line.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
            let line = line.replace("&apos;", "'").replace("&amp;", "&");
            totals.skipped.extend(skip_in(&line));
        }
    }
    totals
}

/// Test and reason, if the line is a skip's.
fn skip_in(line: &str) -> Option<(String, String)> {
    let (test, reason) = line.trim().strip_prefix("SKIP ")?.split_once(": ")?;
    Some((test.to_owned(), reason.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_names_a_few_are_shown() {
        assert_eq!(few(&["a"; 7]), "a, a, a, a, a, a, a");
        assert_eq!(few(&["a"; 8]), "a, a, a, a, a, a and 2 more");
    }

    #[test]
    fn reads_what_cargo_test_prints() {
        let text = "running 2 tests\ntest a ... ok\n---- a stdout ----\nSKIP m::a: no xfs: none\n\
            test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.1s\n\
            test result: FAILED. 1 passed; 3 failed; 0 ignored; 0 measured\n";
        let totals = from_libtest(&text.lines().map(str::to_owned).collect::<Vec<_>>());
        assert_eq!((totals.passed, totals.failed), (3, 3));
        assert_eq!(totals.skipped.get("m::a").map(String::as_str), Some("no xfs: none"));
    }

    #[test]
    fn reads_the_report_of_nextest() {
        let text = "<testsuites><testsuite name=\"a\">\n<testcase name=\"x\" time=\"1\">\n\
            <system-out>running 1 test\n</system-out>\n<system-err>SKIP m::x: no &lt;tool&gt;\n</system-err>\n</testcase>\n\
            <testcase name=\"y\"><failure type=\"f\">SKIP of nothing</failure></testcase>\n\
            <testcase name=\"z\">\n<system-err>SKIP z: why</system-err></testcase>\n</testsuite></testsuites>";
        let totals = from_junit(text);
        assert_eq!((totals.passed, totals.failed), (2, 1));
        assert_eq!(totals.skipped.get("m::x").map(String::as_str), Some("no <tool>"));
        assert_eq!(totals.skipped.get("z").map(String::as_str), Some("why"));
    }
}
