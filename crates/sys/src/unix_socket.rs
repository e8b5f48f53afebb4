//! Addresses of unix sockets, see `unix(7)`: a path of at most 107 bytes.

use rustix::io::Errno;
use rustix::net::SocketAddrUnix;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::Path;

/// The address of the socket `name` in a directory, also where the path is too long for one: then
/// it goes through the descriptor, which must stay open as long as the address is used.
///
/// # Errors
/// `ENAMETOOLONG` when `name` alone is too long, `EINVAL` when there is a zero byte in it.
pub fn address(path: &Path, directory: BorrowedFd<'_>, name: &str) -> Result<SocketAddrUnix, Errno> {
    match SocketAddrUnix::new(path.join(name)) {
        Err(Errno::NAMETOOLONG) => {
            SocketAddrUnix::new(format!("/proc/self/fd/{}/{name}", directory.as_raw_fd()))
        }
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::address;
    use rustix::net::{AddressFamily, SocketType, bind, connect, listen, socket};
    use std::os::fd::AsFd;

    #[test]
    fn a_socket_in_a_deep_directory_is_reached() {
        let base = tempfile::tempdir().unwrap();
        for path in [base.path().to_path_buf(), base.path().join("d".repeat(200))] {
            std::fs::create_dir_all(&path).unwrap();
            let directory = std::fs::File::open(&path).unwrap();
            let server = socket(AddressFamily::UNIX, SocketType::SEQPACKET, None).unwrap();
            bind(&server, &address(&path, directory.as_fd(), "s").unwrap()).unwrap();
            listen(&server, 1).unwrap();
            assert!(path.join("s").exists());
            let client = socket(AddressFamily::UNIX, SocketType::SEQPACKET, None).unwrap();
            connect(&client, &address(&path, directory.as_fd(), "s").unwrap()).unwrap();
        }
    }
}
