//! `getcwd(2)` as the kernel answers it: a directory outside the root says `(unreachable)`.

use crate::errno;
use rustix::io::Result;

/// The working directory, without the zero byte at its end.
///
/// # Errors
/// `ENOENT` when it was removed, `ERANGE` when the buffer is too small.
pub fn getcwd(buffer: &mut [u8]) -> Result<&[u8]> {
    // SAFETY: the kernel writes at most as many bytes as the buffer has.
    let len = errno(unsafe { libc::syscall(libc::SYS_getcwd, buffer.as_mut_ptr(), buffer.len()) })?;
    let len = usize::try_from(len).unwrap_or(0).saturating_sub(1);
    Ok(buffer.get(..len).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_the_library_says() {
        let mut buffer = [0; 4096];
        let here = std::env::current_dir().unwrap();
        assert_eq!(getcwd(&mut buffer).unwrap(), here.as_os_str().as_encoded_bytes());
        assert!(getcwd(&mut [0; 1]).is_err());
    }
}
