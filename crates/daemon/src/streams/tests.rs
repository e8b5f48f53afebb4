//! Real programs on real pipes and terminals, and a client that another library wrote.

use super::control::{Command as Message, ControlEnd, obey};
use super::input::receive_pipe;
use super::output::{OutputEnd, send_pipe};
use super::terminal::{TerminalEnd, run_terminal};
use super::{Connection, Reader};
use futures_util::{SinkExt as _, StreamExt as _};
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::sync::Mutex;
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_util::sync::CancellationToken;

type Client = WebSocketStream<UnixStream>;

/// Nothing here takes long; a test that hangs fails instead.
async fn bounded<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), work).await.expect("it hangs")
}

async fn pair() -> (Connection, Client) {
    let (server, client) = UnixStream::pair().unwrap();
    (Connection::unix(server, &[]), WebSocketStream::from_raw_socket(client, Role::Client, None).await)
}

/// Everything up to the end marker, and whether a close frame followed it.
async fn received(client: &mut Client) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    while let Some(Ok(frame)) = client.next().await {
        match frame {
            Frame::Binary(data) => bytes.extend_from_slice(&data),
            Frame::Text(text) => {
                assert!(text.is_empty());
                return (bytes, matches!(client.next().await, Some(Ok(Frame::Close(_)))));
            }
            other => panic!("unexpected {other:?}"),
        }
    }
    panic!("the stream ended without its marker after {} bytes", bytes.len());
}

/// Runs a shell script whose standard output is the pipe that comes back.
fn shell(script: &str) -> (Child, OwnedFd) {
    let (reader, writer) = std::io::pipe().unwrap();
    let child = Command::new("sh").args(["-c", script]).stdout(writer).stderr(Stdio::null()).spawn().unwrap();
    (child, reader.into())
}

fn pattern(size: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..size).map(|_| next()).collect()
}

#[tokio::test]
async fn output_arrives_whole_with_its_end() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let content = pattern(8 << 20);
    std::fs::write(file.path(), &content).unwrap();
    let (mut child, pipe) = shell(&format!("cat {}", file.path().display()));
    let (connection, mut client) = pair().await;
    let ended = CancellationToken::new();
    let sending = tokio::spawn(send_pipe(pipe, connection, ended.clone()));
    let receiving = tokio::spawn(async move { received(&mut client).await });
    bounded(child.wait()).await.unwrap();
    ended.cancel();
    let (bytes, closed) = bounded(receiving).await.unwrap();
    assert!(bytes == content, "{} bytes instead of {}", bytes.len(), content.len());
    assert!(closed);
    assert_eq!(bounded(sending).await.unwrap(), OutputEnd::Delivered);
}

#[tokio::test]
async fn what_a_program_wrote_before_its_end_is_never_lost() {
    // The client does not read before the program is long gone and its end known.
    for _ in 0..50 {
        let (mut child, pipe) = shell("seq 1 9000");
        let (connection, mut client) = pair().await;
        bounded(child.wait()).await.unwrap();
        let ended = CancellationToken::new();
        ended.cancel();
        let sending = tokio::spawn(send_pipe(pipe, connection, ended));
        let (bytes, _) = bounded(received(&mut client)).await;
        assert!(bytes.ends_with(b"\n9000\n"), "{} bytes", bytes.len());
        bounded(sending).await.unwrap();
    }
}

#[tokio::test]
async fn what_stays_in_the_background_does_not_keep_the_client() {
    for background in ["sleep 1000", "yes"] {
        let (mut child, pipe) = shell(&format!("echo $$; {background} & echo $!"));
        let (connection, mut client) = pair().await;
        let ended = CancellationToken::new();
        let sending = tokio::spawn(send_pipe(pipe, connection, ended.clone()));
        let receiving = tokio::spawn(async move { received(&mut client).await });
        bounded(child.wait()).await.unwrap();
        ended.cancel();
        let (bytes, closed) = bounded(receiving).await.unwrap();
        assert!(closed);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let left = text.lines().filter(|line| *line != "y").nth(1).unwrap();
        bounded(Command::new("kill").arg(left).status()).await.unwrap();
        assert_eq!(bounded(sending).await.unwrap(), OutputEnd::Delivered);
    }
}

#[tokio::test]
async fn a_client_that_goes_closes_the_pipe() {
    let (mut child, pipe) = shell("yes");
    let (connection, client) = pair().await;
    let sending = tokio::spawn(send_pipe(pipe, connection, CancellationToken::new()));
    drop(client);
    assert_eq!(bounded(sending).await.unwrap(), OutputEnd::Cut);
    assert!(!bounded(child.wait()).await.unwrap().success());
    // A silent program's client is noticed too, and told from one that says goodbye.
    let (mut child, pipe) = shell("exec sleep 1000");
    let (connection, mut client) = pair().await;
    let sending = tokio::spawn(send_pipe(pipe, connection, CancellationToken::new()));
    client.close(None).await.unwrap();
    assert_eq!(bounded(sending).await.unwrap(), OutputEnd::Closed);
    bounded(child.kill()).await.unwrap();
}

#[tokio::test]
async fn input_arrives_whole_with_its_end() {
    let content = pattern(8 << 20);
    let file = tempfile::NamedTempFile::new().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    let mut child = Command::new("cat").stdin(reader).stdout(file.reopen().unwrap()).spawn().unwrap();
    let (connection, mut client) = pair().await;
    let ended = CancellationToken::new();
    let receiving = tokio::spawn(receive_pipe(writer.into(), connection, ended.clone()));
    for (number, piece) in content.chunks(100_003).enumerate() {
        if number % 10 == 0 {
            client.feed(Frame::Ping(vec![1, 2, 3].into())).await.unwrap();
        }
        client.feed(Frame::Binary(piece.to_vec().into())).await.unwrap();
    }
    client.send(Frame::Text("".into())).await.unwrap();
    assert!(bounded(child.wait()).await.unwrap().success());
    assert!(std::fs::read(file.path()).unwrap() == content);
    ended.cancel();
    bounded(receiving).await.unwrap();
}

#[tokio::test]
async fn a_program_that_reads_nothing_holds_its_client_back() {
    let (reader, writer) = std::io::pipe().unwrap();
    let (connection, mut client) = pair().await;
    let ended = CancellationToken::new();
    let receiving = tokio::spawn(receive_pipe(writer.into(), connection, ended.clone()));
    let flooding = async { while client.send(Frame::Binary(vec![0; 1 << 20].into())).await.is_ok() {} };
    assert!(tokio::time::timeout(Duration::from_millis(200), flooding).await.is_err());
    ended.cancel();
    bounded(receiving).await.unwrap();
    drop(reader);
}

/// A terminal and a program on it that is the leader of its session.
fn on_terminal(script: &str) -> (Child, OwnedFd) {
    use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let peer =
        ioctl_tiocgptpeer(&master, OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    let end = || Stdio::from(peer.try_clone().unwrap());
    let child = Command::new("setsid")
        .args(["-c", "sh", "-c", script])
        .stdin(end())
        .stdout(end())
        .stderr(end())
        .spawn()
        .unwrap();
    (child, master)
}

#[tokio::test]
async fn a_terminal_carries_both_ways() {
    let (mut child, master) = on_terminal("stty -echo; echo ready; read line; echo got $line; seq 1 5000");
    let (connection, mut client) = pair().await;
    let ended = CancellationToken::new();
    let running = tokio::spawn(run_terminal(master, connection, ended.clone()));
    let first = bounded(client.next()).await.unwrap().unwrap();
    assert!(first.into_data().starts_with(b"ready"));
    client.send(Frame::Binary(b"hello\n".to_vec().into())).await.unwrap();
    let receiving = tokio::spawn(async move { received(&mut client).await });
    bounded(child.wait()).await.unwrap();
    ended.cancel();
    let (bytes, closed) = bounded(receiving).await.unwrap();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    assert!(text.contains("got hello\r\n") && text.ends_with("\r\n5000\r\n"), "{text}");
    assert!(closed);
    assert_eq!(bounded(running).await.unwrap(), TerminalEnd::Ended);
}

#[tokio::test]
async fn what_stays_on_the_terminal_does_not_keep_the_client() {
    let (mut child, master) = on_terminal("trap '' HUP; yes & echo done");
    let (connection, mut client) = pair().await;
    let ended = CancellationToken::new();
    let running = tokio::spawn(run_terminal(master, connection, ended.clone()));
    let receiving = tokio::spawn(async move { received(&mut client).await });
    bounded(child.wait()).await.unwrap();
    ended.cancel();
    assert!(bounded(receiving).await.unwrap().1);
    // The master is gone then, and what writes to the terminal gets an error.
    assert_eq!(bounded(running).await.unwrap(), TerminalEnd::Ended);
}

#[tokio::test]
async fn a_terminal_hangs_up_with_its_client() {
    let (mut child, master) = on_terminal("echo ready; exec sleep 1000");
    let (connection, mut client) = pair().await;
    let running = tokio::spawn(run_terminal(master, connection, CancellationToken::new()));
    assert!(bounded(client.next()).await.unwrap().unwrap().into_data().starts_with(b"ready"));
    drop(client);
    assert_eq!(bounded(running).await.unwrap(), TerminalEnd::ClientGone);
    use std::os::unix::process::ExitStatusExt as _;
    assert_eq!(bounded(child.wait()).await.unwrap().signal(), Some(1));
}

#[tokio::test]
async fn control_messages_are_obeyed_until_the_client_goes() {
    for (polite, end) in [(true, ControlEnd::Closed), (false, ControlEnd::Cut)] {
        let (connection, mut client) = pair().await;
        let seen = Mutex::new(Vec::new());
        let ended = CancellationToken::new();
        let obeying = obey(connection, &ended, |command| seen.lock().unwrap().push(command));
        let talking = async {
            for text in ["nonsense", r#"{"command":"signal","signal":2}"#] {
                client.send(Frame::Text(text.into())).await.unwrap();
            }
            if polite {
                client.close(None).await.unwrap();
            } else {
                drop(client);
            }
        };
        assert_eq!(bounded(futures_util::future::join(obeying, talking)).await.0, end);
        assert_eq!(*seen.lock().unwrap(), [Message::Signal(2)]);
    }
}

#[tokio::test]
async fn a_program_that_ends_closes_its_control_stream() {
    let (connection, mut client) = pair().await;
    let ended = CancellationToken::new();
    ended.cancel();
    assert_eq!(bounded(obey(connection, &ended, |_| {})).await, ControlEnd::Ended);
    assert!(matches!(bounded(client.next()).await, Some(Ok(Frame::Close(_)))));
}

#[tokio::test]
async fn messages_in_pieces_and_pings_between_them() {
    use tokio::io::AsyncWriteExt as _;
    let (server, mut client) = UnixStream::pair().unwrap();
    let Connection { mut reader, mut writer } = Connection::unix(server, &[]);
    // Text "ab" in two frames with a ping between, masked with zeros.
    let frames = [
        &[0x01, 0x81, 0, 0, 0, 0, b'a'][..],
        &[0x89, 0x81, 0, 0, 0, 0, b'p'],
        &[0x80, 0x81, 0, 0, 0, 0, b'b'],
    ];
    client.write_all(&frames.concat()).await.unwrap();
    assert_eq!(bounded(reader.text(10)).await.unwrap(), b"ab");
    assert_eq!(bounded(writer.ping()).await.0, b"p");
    client.write_all(&[0x81, 0x8b, 0, 0, 0, 0]).await.unwrap();
    client.write_all(&[b'x'; 11]).await.unwrap();
    assert!(bounded(reader.text(10)).await.is_err());
}

#[tokio::test]
async fn bytes_that_came_with_the_handshake_are_read_first() {
    let (server, client) = UnixStream::pair().unwrap();
    drop(client);
    let (sender, _pongs) = tokio::sync::mpsc::channel(1);
    let early = [0x82, 0x82, 0, 0, 0, 0, 7, 8];
    let mut reader = Reader::new(Box::new(server), &early, sender);
    assert_eq!(bounded(reader.next()).await.unwrap(), super::reader::Piece::Binary(&[7, 8]));
    assert!(bounded(reader.next()).await.is_err());
}
