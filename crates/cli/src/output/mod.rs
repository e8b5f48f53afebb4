//! What is printed: tables, sizes, dates, progress.

pub(crate) mod dates;
pub(crate) mod listing;
pub(crate) mod object;
pub(crate) mod progress;
pub(crate) mod sizes;
pub(crate) mod table;

use std::io::{self, Write as _};

/// Prints text on standard output, whole or not at all.
///
/// # Errors
/// The reader went away ([`io::ErrorKind::BrokenPipe`]), or the disk is full.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// Prints a line on standard output.
///
/// # Errors
/// As [`print`].
pub(crate) fn line(text: impl AsRef<str>) -> io::Result<()> {
    print(&format!("{}\n", text.as_ref()))
}
