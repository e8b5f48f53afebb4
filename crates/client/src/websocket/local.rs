//! The handshake with a daemon on this host, which a short command does several times.
//!
//! It is the one of RFC 6455 section 4.1 without the HTTP library: a request of fixed words, and the
//! head of an answer. The key is a fixed one as well. It is to be random so that no cache on the way can
//! answer in the server's place, and there is none on the way through a unix socket.

use super::Upgraded;
use std::io;
use tokio::net::UnixStream;
use transport::Stream;

/// The key of RFC 6455 section 1.3, and what a server makes of it.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/// The longest head of an answer that is read, in bytes.
const HEAD: usize = 8 * 1024;
/// What is made room for at first, in bytes.
const USUAL: usize = 512;

/// Turns a fresh connection into a websocket; none when that is not plainly what came of it.
pub(super) async fn upgrade(stream: UnixStream, path: &str) -> Option<Upgraded> {
    // Whatever would need care is left to the library.
    if !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: unix.socket\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
    );
    send(&stream, request.as_bytes()).await.ok()?;
    let mut answer = Vec::with_capacity(USUAL);
    loop {
        stream.readable().await.ok()?;
        answer.reserve(USUAL);
        match stream.try_read_buf(&mut answer) {
            Ok(0) => return None,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(_) => return None,
        }
        if let Some(end) = end_of_head(&answer) {
            let early = answer.split_off(end);
            return accepted(&answer).then_some(Upgraded { stream: Stream::Unix(stream), early });
        }
        if answer.len() > HEAD {
            return None;
        }
    }
}

async fn send(stream: &UnixStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.writable().await?;
        match stream.try_write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Where the head's empty line ends.
fn end_of_head(answer: &[u8]) -> Option<usize> {
    answer.windows(4).position(|window| window == b"\r\n\r\n").map(|start| start + 4)
}

/// Whether a head says that the connection is a websocket now.
fn accepted(head: &[u8]) -> bool {
    let Ok(head) = std::str::from_utf8(head) else { return false };
    let mut lines = head.split("\r\n");
    lines.next().is_some_and(|status| status.starts_with("HTTP/1.1 101"))
        && lines.any(|line| {
            line.split_once(':').is_some_and(|(name, value)| {
                name.eq_ignore_ascii_case("sec-websocket-accept") && value.trim() == ACCEPT
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

    /// What becomes of a handshake that is answered with these pieces.
    async fn answered(pieces: &'static [&'static [u8]]) -> Option<Upgraded> {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let server = tokio::spawn(async move {
            let mut request = Vec::new();
            while end_of_head(&request).is_none() {
                theirs.read_buf(&mut request).await.unwrap();
            }
            for piece in pieces {
                theirs.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
            String::from_utf8(request).unwrap()
        });
        let upgraded = upgrade(ours, "/1.0/events?type=operation").await;
        let request = server.await.unwrap();
        assert!(request.starts_with("GET /1.0/events?type=operation HTTP/1.1\r\n"), "{request}");
        upgraded
    }

    #[test]
    fn the_answer_belongs_to_the_key() {
        assert_eq!(derive_accept_key(KEY.as_bytes()), ACCEPT);
    }

    #[tokio::test]
    async fn what_follows_the_head_belongs_to_the_websocket() {
        let upgraded = answered(&[
            b"HTTP/1.1 101 Switching Protocols\r\nsec-websocket-",
            b"accept:s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nupgrade: websocket\r\n\r",
            b"\n\x82\x01x",
        ])
        .await;
        assert_eq!(upgraded.unwrap().early, b"\x82\x01x");
    }

    #[tokio::test]
    async fn anything_else_is_none() {
        let refused: &[&[&[u8]]] = &[
            &[b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"],
            &[b"HTTP/1.1 101 Switching Protocols\r\nsec-websocket-accept: other\r\n\r\n"],
            &[b"HTTP/1.1 101 Switching Protocols\r\n\r\n"],
            &[b"HTTP/1.1 101 Switching"],
            &[],
            &[&[b'x'; 20_000]],
            &[b"\xff\xff\r\n\r\n"],
        ];
        for pieces in refused {
            assert!(answered(pieces).await.is_none(), "{pieces:?}");
        }
        let (ours, _theirs) = UnixStream::pair().unwrap();
        assert!(upgrade(ours, "/1.0/a b").await.is_none());
    }
}
