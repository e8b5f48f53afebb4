//! Random bytes from the kernel, `getrandom(2)`.

use rustix::rand::{GetRandomFlags, getrandom};

/// Random bytes. Waits, early in the host's boot, until the kernel has some.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    let mut filled = 0;
    while filled < N {
        // Small requests are whole or interrupted by a signal (EINTR).
        filled += getrandom(&mut bytes[filled..], GetRandomFlags::empty()).unwrap_or(0);
    }
    bytes
}
