//! An error and its causes in one line, for logs and for whoever asked.

use std::error::Error;
use std::fmt::Write as _;

/// What happened, `: ` why, and so on to the last cause.
#[must_use]
pub fn story(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing to a string cannot fail.
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read the file")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn every_cause_is_told_once() {
        let error = Outer(std::io::Error::other("the disk is broken"));
        assert_eq!(story(&error), "cannot read the file: the disk is broken");
        assert_eq!(story(&std::fmt::Error), std::fmt::Error.to_string());
    }
}
