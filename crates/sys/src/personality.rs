//! `personality(2)`: what `uname` says the machine is.

use crate::errno;
use rustix::io::Result;

/// Set the personality of the calling thread, such as `PER_LINUX32` (8).
///
/// # Errors
/// `EINVAL`.
pub fn personality(persona: u32) -> Result<()> {
    // SAFETY: no memory is involved.
    errno(unsafe { libc::syscall(libc::SYS_personality, libc::c_ulong::from(persona)) }).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clone3::{Namespaces, clone3};
    use crate::waitid::{Ended, wait};
    use std::os::fd::AsFd;

    #[test]
    fn thirty_two_bit_names() {
        if !cfg!(target_arch = "x86_64") {
            eprintln!("SKIP thirty_two_bit_names: another architecture");
            return;
        }
        let child = clone3(Namespaces::NONE, None, || {
            let set = personality(8);
            let uname = rustix::system::uname();
            i32::from(set.is_err() || uname.machine() != c"i686")
        })
        .unwrap();
        assert_eq!(wait(child.pidfd.as_fd()), Ok(Ended::Code(0)));
    }
}
