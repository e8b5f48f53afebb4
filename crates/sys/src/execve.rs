//! `execve(2)` with arguments that were made before the clone.

use rustix::io::Errno;
use std::ffi::{CStr, CString, NulError};

/// Strings as `execve` takes them: made by the parent, used by a child that does not allocate.
#[derive(Debug)]
pub struct Strings {
    pointers: Vec<*const libc::c_char>,
    owned: Vec<CString>,
}

impl Strings {
    /// Copy strings.
    ///
    /// # Errors
    /// When one has a zero byte in it.
    pub fn new<S: AsRef<str>>(strings: &[S]) -> Result<Self, NulError> {
        let owned =
            strings.iter().map(|string| CString::new(string.as_ref())).collect::<Result<Vec<_>, _>>()?;
        let mut pointers: Vec<_> = owned.iter().map(|string| string.as_ptr()).collect();
        pointers.push(std::ptr::null());
        Ok(Self { pointers, owned })
    }

    /// The strings.
    #[must_use]
    pub fn all(&self) -> &[CString] {
        &self.owned
    }
}

/// Execute a program in place of the caller. Returns only when that fails.
#[must_use]
pub fn execve(path: &CStr, arguments: &Strings, environment: &Strings) -> Errno {
    // SAFETY: both arrays end with a null pointer and point at C strings owned by the objects that
    // are borrowed here.
    unsafe {
        libc::execve(path.as_ptr(), arguments.pointers.as_ptr(), environment.pointers.as_ptr());
    }
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clone3::{Namespaces, clone3};
    use crate::waitid::{Ended, wait};
    use std::os::fd::AsFd;

    #[test]
    fn arguments_and_environment_arrive() {
        let arguments = Strings::new(&["sh", "-c", "exit $CODE"]).unwrap();
        let environment = Strings::new(&["CODE=17"]).unwrap();
        let child =
            clone3(Namespaces::NONE, None, || execve(c"/bin/sh", &arguments, &environment).raw_os_error())
                .unwrap();
        assert_eq!(wait(child.pidfd.as_fd()), Ok(Ended::Code(17)));
    }

    #[test]
    fn failure_is_told() {
        let none = Strings::new::<&str>(&[]).unwrap();
        assert_eq!(execve(c"/nowhere/at/all", &none, &none), Errno::NOENT);
        assert!(Strings::new(&["a\0b"]).is_err());
    }
}
