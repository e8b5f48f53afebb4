//! Frames against tungstenite and against hand-made ones.

use super::*;
use tokio_tungstenite::tungstenite::{Message, WebSocket, protocol::Role};

use std::io::Write as _;
use std::os::unix::net::UnixStream;

fn pair() -> (DataReader, DataWriter, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let stream = Arc::new(Blocking::Unix(ours));
    (
        DataReader::new(Source::Blocking(Arc::clone(&stream)), Vec::new()),
        DataWriter { stream, wide: false },
        theirs,
    )
}

fn collect(reader: &mut DataReader) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(piece) = reader.next_piece().unwrap() {
        all.extend_from_slice(piece);
    }
    all
}

#[test]
fn what_we_send_is_read_by_a_websocket_library() {
    let (_, mut writer, theirs) = pair();
    let sizes = [0_usize, 1, 125, 126, 65_535, 65_536, 3 * FRAME + 1];
    let sender = std::thread::spawn(move || {
        for size in sizes {
            writer.send(&vec![7; size]).unwrap();
        }
        writer.finish().unwrap();
    });
    let mut socket = WebSocket::from_raw_socket(theirs, Role::Server, None);
    let mut total = 0;
    loop {
        match socket.read().unwrap() {
            Message::Binary(data) => {
                assert!(data.iter().all(|&byte| byte == 7));
                total += data.len();
            }
            Message::Text(text) => {
                assert!(text.is_empty());
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    sender.join().unwrap();
    assert_eq!(total, sizes.iter().sum::<usize>());
}

#[test]
fn what_a_websocket_library_sends_is_read_until_the_text_frame() {
    let (mut reader, _, theirs) = pair();
    let sender = std::thread::spawn(move || {
        let mut socket = WebSocket::from_raw_socket(theirs, Role::Server, None);
        for size in [1, 200, 70_000] {
            socket.send(Message::binary(vec![9; size])).unwrap();
            socket.send(Message::Ping(vec![1, 2, 3].into())).unwrap();
        }
        socket.send(Message::text("")).unwrap();
        socket.send(Message::binary(vec![1; 10])).unwrap();
    });
    let all = collect(&mut reader);
    sender.join().unwrap();
    assert_eq!(all, vec![9; 70_201]);
    assert!(reader.next_piece().unwrap().is_none(), "the end stays the end");
}

#[test]
fn fragments_masks_and_byte_by_byte_delivery() {
    let (mut reader, _, mut theirs) = pair();
    // "ab" not final, "c" as continuation, then "de" masked with 1 2 3 4, then close.
    let wire = [0x02, 2, b'a', b'b', 0x80, 1, b'c', 0x82, 0x82, 1, 2, 3, 4, b'd' ^ 1, b'e' ^ 2, 0x88, 0];
    let sender = std::thread::spawn(move || {
        for byte in wire {
            theirs.write_all(&[byte]).unwrap();
            std::thread::yield_now();
        }
    });
    assert_eq!(collect(&mut reader), b"abcde");
    sender.join().unwrap();
}

#[test]
fn a_cut_connection_is_an_end_and_nonsense_an_error() {
    let (mut reader, _, mut theirs) = pair();
    theirs.write_all(&[0x82, 5, b'x']).unwrap();
    drop(theirs);
    assert_eq!(collect(&mut reader), b"x");

    let (mut reader, _, mut theirs) = pair();
    theirs.write_all(&[0x83, 0]).unwrap();
    assert_eq!(reader.next_piece().unwrap_err().kind(), io::ErrorKind::InvalidData);
}

#[tokio::test]
async fn a_stream_tells_whether_there_will_be_data() {
    let fresh = || {
        let (ours, theirs) = tokio::net::UnixStream::pair().unwrap();
        let theirs = theirs.into_std().unwrap();
        theirs.set_nonblocking(false).unwrap();
        (receive(Upgraded { stream: Stream::Unix(ours), early: Vec::new() }).unwrap(), theirs)
    };
    let (mut reader, mut theirs) = fresh();
    theirs.write_all(b"\x81\0\x88\x02\x03\xe8").unwrap();
    assert!(!reader.has_data().await.unwrap());
    assert_eq!(reader.next_piece().unwrap(), None);

    let (mut reader, mut theirs) = fresh();
    theirs.write_all(b"\x82\x02hi\x81\0").unwrap();
    assert!(reader.has_data().await.unwrap());
    assert_eq!(collect(&mut reader), b"hi");

    let (mut reader, theirs) = fresh();
    drop(theirs);
    assert!(!reader.has_data().await.unwrap());

    let (mut reader, _) = split_pair(b"\x82\x02hi\x81\0");
    assert!(reader.has_data().await.unwrap());
    assert_eq!(collect(&mut reader), b"hi");
}

fn split_pair(early: &[u8]) -> (DataReader, DataWriter) {
    let (ours, _) = tokio::net::UnixStream::pair().unwrap();
    split(Upgraded { stream: Stream::Unix(ours), early: early.to_vec() }).unwrap()
}
