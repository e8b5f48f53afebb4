//! Why a container could not be started or entered.

use model::runtime::protocol::Failure;
use rustix::io::Errno;
use std::borrow::Cow;

/// A step that failed.
///
/// It is made on both sides of a clone, so it is plain data: a phrase that names the step, and the
/// system's error number if a system call said no.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{step}: {reason}")]
pub struct Error {
    /// What was being done, as a phrase: `mount /proc`, `write uid_map`.
    pub step: Cow<'static, str>,
    /// Why, without the step.
    pub reason: String,
    /// The system's error number, if it was a system call.
    pub errno: Option<i32>,
}

impl Error {
    /// A system call that failed while doing `step`.
    pub fn system(step: impl Into<Cow<'static, str>>, errno: Errno) -> Self {
        let reason = std::io::Error::from(errno).to_string();
        // The number is kept beside the text, so it is not repeated in it.
        let reason = reason.split(" (os error").next().unwrap_or_default().to_owned();
        Self { step: step.into(), reason, errno: Some(errno.raw_os_error()) }
    }

    /// An error of the standard library.
    pub(crate) fn input_output(step: impl Into<Cow<'static, str>>, error: &std::io::Error) -> Self {
        match Errno::from_io_error(error) {
            Some(errno) => Self::system(step, errno),
            None => Self::refused(step, error.to_string()),
        }
    }

    /// Something that is wrong without a system call having said so.
    pub fn refused(step: impl Into<Cow<'static, str>>, reason: impl Into<String>) -> Self {
        Self { step: step.into(), reason: reason.into(), errno: None }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { step: error.step.into_owned(), reason: error.reason, errno: error.errno }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_stays_beside_the_text() {
        let error = Error::system("mount /proc", Errno::PERM);
        assert_eq!(error.to_string(), "mount /proc: Operation not permitted");
        let failure = Failure::from(error);
        assert_eq!(failure.errno, Some(1));
        assert_eq!(failure.step, "mount /proc");
    }
}
