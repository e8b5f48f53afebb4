//! What went wrong in a cloned child, which must not allocate to say so.

use rustix::io::Errno;

/// A step that failed on the child's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault<'a> {
    /// As in [`crate::Error`].
    pub(crate) step: &'a str,
    pub(crate) errno: Errno,
}

/// Name the step that a system call belongs to.
pub(crate) trait At<T> {
    fn at(self, step: &str) -> Result<T, Fault<'_>>;
}

impl<T> At<T> for rustix::io::Result<T> {
    fn at(self, step: &str) -> Result<T, Fault<'_>> {
        self.map_err(|errno| Fault { step, errno })
    }
}
