//! `unix(7)`: sockets that carry packets, `SOCK_SEQPACKET`.

use rustix::io::Result;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect as connect_to, listen as listen_on,
    socket_with, socketpair, sockopt,
};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 64;

/// Make room for packets of `packet` bytes. The kernel counts its own overhead as well and doubles
/// what it is told; the limits of the host do not bind root.
fn size(socket: impl AsFd, packet: usize) -> Result<()> {
    let wanted = packet.saturating_add(4096);
    if sockopt::set_socket_send_buffer_size_force(&socket, wanted).is_err() {
        sockopt::set_socket_send_buffer_size(&socket, wanted)?;
    }
    if sockopt::set_socket_recv_buffer_size_force(&socket, wanted).is_err() {
        sockopt::set_socket_recv_buffer_size(&socket, wanted)?;
    }
    Ok(())
}

fn socket(packet: usize) -> Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    size(&socket, packet)?;
    Ok(socket)
}

/// Two ends of a connection, for packets of up to `packet` bytes, closed on exec.
///
/// # Errors
/// `EMFILE`, `ENFILE`, `ENOBUFS`.
pub fn pair(packet: usize) -> Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC;
    let (a, b) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    size(&a, packet)?;
    size(&b, packet)?;
    Ok((a, b))
}

/// Listen at a path, which must not exist. Its mode comes from the umask.
///
/// # Errors
/// `EADDRINUSE` when the path exists; `ENAMETOOLONG` for paths above 107 bytes.
pub fn listen(path: &Path, packet: usize) -> Result<OwnedFd> {
    let socket = socket(packet)?;
    bind(&socket, &SocketAddrUnix::new(path)?)?;
    listen_on(&socket, BACKLOG)?;
    Ok(socket)
}

/// Take a connection; its buffers are those of the listening socket's `packet` size.
///
/// # Errors
/// `EAGAIN` on a socket that does not block.
pub fn accept(listener: impl AsFd, packet: usize) -> Result<OwnedFd> {
    let socket = rustix::io::retry_on_intr(|| rustix::net::accept_with(&listener, SocketFlags::CLOEXEC))?;
    size(&socket, packet)?;
    Ok(socket)
}

/// Connect to a path.
///
/// # Errors
/// `ENOENT`, `ECONNREFUSED` when nobody listens.
pub fn connect(path: &Path, packet: usize) -> Result<OwnedFd> {
    let socket = socket(packet)?;
    connect_to(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scm;

    #[test]
    fn a_big_packet_crosses_whole() {
        const BIG: usize = 256 * 1024;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let listener = listen(&path, BIG).unwrap();
        let client = connect(&path, BIG).unwrap();
        let server = accept(&listener, BIG).unwrap();
        let peer = sockopt::socket_peercred(&server).unwrap();
        assert_eq!(peer.pid, rustix::process::getpid());
        let packet: Vec<u8> = (0..BIG).map(|n| n.to_le_bytes()[0]).collect();
        scm::send(client.as_fd(), &packet, &[]).unwrap();
        let mut buffer = vec![0; BIG];
        assert_eq!(scm::recv(server.as_fd(), &mut buffer).unwrap().len, BIG);
        assert_eq!(buffer, packet);
        assert!(listen(&path, BIG).is_err());
    }
}
