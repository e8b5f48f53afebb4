//! A boot id of the container's own: journals and tools take it for what tells one boot from the
//! next, and the host's does not change when a container restarts.

use super::dev::Dev;
use crate::Error;
use crate::fault::{At, Fault};
use crate::place::attach;
use crate::tree::Tree;
use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags, openat, openat2, unlinkat};
use rustix::rand::{GetRandomFlags, getrandom};
use std::fmt::Write as _;
use std::os::fd::{AsFd, OwnedFd};
use sys::mount_setattr::Change;

const STEP: &str = "give the container a boot id";

/// A new one, as the kernel writes them: a random UUID and a line end.
pub(super) fn new() -> Result<String, Error> {
    let mut bytes = [0_u8; 16];
    getrandom(&mut bytes, GetRandomFlags::empty()).map_err(|errno| Error::system(STEP, errno))?;
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let mut text = String::with_capacity(37);
    for (n, byte) in bytes.iter().enumerate() {
        if [4, 6, 8, 10].contains(&n) {
            text.push('-');
        }
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text.push('\n');
    Ok(text)
}

/// Cover the host's. `sysctls` is `/proc/sys`.
pub(super) fn cover(text: &str, dev: &Dev, sysctls: Option<&OwnedFd>) -> Result<(), Fault<'static>> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let place = sysctls.map(|dir| openat2(dir, c"kernel/random/boot_id", flags, Mode::empty(), resolve));
    // A kernel without it has nothing to cover.
    let Some(Ok(place)) = place else { return Ok(()) };
    let name = c".boot-id";
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let file = openat(&dev.dir, name, flags, Mode::from(0o444)).at(STEP)?;
    rustix::io::write(&file, text.as_bytes()).at(STEP)?;
    let tree = Tree::copy(file.as_fd(), false).at(STEP)?;
    tree.change(Change { read_only: true, ..Change::default() }).at(STEP)?;
    attach(tree.as_fd(), place.as_fd()).at(STEP)?;
    unlinkat(&dev.dir, name, AtFlags::empty()).at(STEP)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_form_of_the_kernels() {
        let (own, kernels) =
            (super::new().unwrap(), std::fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap());
        let form =
            |id: &str| id.chars().map(|c| if c.is_ascii_hexdigit() { 'x' } else { c }).collect::<String>();
        assert_eq!(form(&own), form(&kernels));
        assert_eq!(own.as_bytes()[14], b'4');
        assert_ne!(own, super::new().unwrap());
    }
}
