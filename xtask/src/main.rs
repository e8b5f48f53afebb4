//! Checks and generators for people who work on the sources. `cargo xtask` lists them.

mod borders;
mod licences;
mod metadata;
mod reference;
mod sources;
mod totals;

use anyhow::{Result, bail};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask COMMAND

  borders        who uses whom, what only `sys` may do, sizes of files, words that must not be there
  licences       licences of all dependencies, and dependencies that must not be there
  reference      write the reference of keys and properties in docs/ anew
  test [--unit]  run the tests and print totals; with --unit only those beside the code
";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["borders"] => borders::check(&root()),
        ["licences"] => licences::check(&root()),
        ["reference"] => reference::write(&root()),
        ["test"] => totals::test(&root(), totals::Scope::Everything),
        ["test", "--unit"] => totals::test(&root(), totals::Scope::Unit),
        _ => bail!("{USAGE}"),
    }
}

/// The repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(PathBuf::new, Path::to_owned)
}
