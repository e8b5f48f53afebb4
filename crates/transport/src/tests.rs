//! Our server's TLS and our client's against each other, and answers of servers that misbehave.

use crate::dial::DialError;
use crate::get::{Get, GetError};
use crate::identity::Role;
use crate::proxy::Proxies;
use crate::{Dialer, Identity, Trust, server};
use http::Uri;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

fn identity(role: Role) -> Identity {
    Identity::generate(role, "root@host", &["host".to_owned()]).unwrap()
}

fn dialer(trust: &Trust, identity: Option<&Identity>) -> Dialer {
    Dialer::new(trust, identity, Proxies::default()).unwrap()
}

/// Accepts connections with TLS; writes the fingerprint of the client's certificate.
async fn greeter(identity: &Identity) -> Uri {
    let acceptor = TlsAcceptor::from(Arc::new(server::config(identity).unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(tcp).await else { continue };
            let shown = stream.get_ref().1.peer_certificates().and_then(|all| all.first()).cloned();
            let name = shown.map_or("nobody".to_owned(), |der| {
                crate::Certificate::from_der(der.to_vec()).unwrap().fingerprint()
            });
            let _ = stream.write_all(name.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    url
}

async fn greeting(dialer: &Dialer, url: &Uri) -> String {
    let mut stream = dialer.dial(url).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test]
async fn both_sides_see_each_others_certificates() {
    let (server, client) = (identity(Role::Server), identity(Role::Client));
    let url = greeter(&server).await;
    let pinned = Trust::Pinned(server.certificate().clone());
    assert_eq!(greeting(&dialer(&pinned, None), &url).await, "nobody");
    let known = greeting(&dialer(&pinned, Some(&client)), &url).await;
    assert_eq!(known, client.certificate().fingerprint());
    let stream = dialer(&Trust::Anybody, None).dial(&url).await.unwrap();
    assert_eq!(stream.server_certificate().as_ref(), Some(server.certificate()));
}

#[tokio::test]
async fn another_server_in_its_place_is_told_apart() {
    let (server, other) = (identity(Role::Server), identity(Role::Server));
    let url = greeter(&server).await;
    let error = dialer(&Trust::Pinned(other.certificate().clone()), None).dial(&url).await.unwrap_err();
    let DialError::Changed { changed, .. } = error else { panic!("{error:?}") };
    assert_eq!(changed.found, server.certificate().fingerprint());
    let authority = Trust::Authority(other.certificate().clone());
    let error = dialer(&authority, None).dial(&url).await.unwrap_err();
    assert!(matches!(error, DialError::Tls { .. }), "{error:?}");
}

/// Answers each connection with the next of these texts, then closes it.
async fn web(answers: Vec<String>) -> Uri {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/a/b", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        for answer in answers {
            let (mut tcp, _) = listener.accept().await.unwrap();
            let mut asked = [0; 1024];
            let _ = tcp.read(&mut asked).await;
            tcp.write_all(answer.as_bytes()).await.unwrap();
            if answer.ends_with("stall") {
                tokio::time::sleep(Duration::from_secs(60)).await;
            }
        }
    });
    url
}

#[tokio::test]
async fn redirects_and_broken_answers() {
    let dialer = dialer(&Trust::System, None);
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell".to_owned();
    let moved = "HTTP/1.1 302 Found\r\nLocation: ../c\r\nContent-Length: 0\r\n\r\n".to_owned();
    let url = web(vec![moved, ok]).await;
    let answer = Get::new(&dialer, url).send().await.unwrap();
    assert_eq!((answer.url.path(), answer.length()), ("/a/../c", Some(4)));
    assert_eq!(answer.text(4).await.unwrap().unwrap(), b"well");

    let short = web(vec!["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nill".to_owned()]).await;
    let error = Get::new(&dialer, short).send().await.unwrap().text(100).await.unwrap_err();
    assert!(matches!(error, GetError::Short { received: 3, expected: 9, .. }), "{error:?}");

    let none = web(vec!["HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned()]).await;
    let error = Get::new(&dialer, none).send().await.unwrap_err();
    assert!(matches!(error, GetError::Status { .. }), "{error:?}");

    let slow = web(vec!["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nstall".to_owned()]).await;
    let get = Get { silence: Duration::from_millis(100), ..Get::new(&dialer, slow) };
    let error = get.send().await.unwrap().text(100).await.unwrap_err();
    assert!(matches!(error, GetError::Stalled { .. }), "{error:?}");
}

/// Sends back what it gets, with TLS.
async fn echo(identity: &Identity) -> Uri {
    let acceptor = TlsAcceptor::from(Arc::new(server::config(identity).unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        let (mut reader, mut writer) = tokio::io::split(acceptor.accept(tcp).await.unwrap());
        tokio::io::copy(&mut reader, &mut writer).await.unwrap();
        writer.shutdown().await.unwrap();
    });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn two_threads_on_an_encrypted_stream() {
    let server = identity(Role::Server);
    let url = echo(&server).await;
    let stream = dialer(&Trust::Pinned(server.certificate().clone()), None).dial(&url).await.unwrap();
    let stream = Arc::new(stream.into_blocking().unwrap());
    let sent: Vec<u8> = (0..5_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let (writer, data) = (Arc::clone(&stream), sent.clone());
    let writing = std::thread::spawn(move || {
        let mut rest = &data[..];
        while !rest.is_empty() {
            let half = rest.len() / 2;
            let pieces = [std::io::IoSlice::new(&rest[..half]), std::io::IoSlice::new(&rest[half..])];
            let count = writer.write_vectored(&pieces).unwrap();
            rest = &rest[count..];
        }
        writer.end_writing().unwrap();
    });
    let received = tokio::task::spawn_blocking(move || {
        let (mut all, mut buffer) = (Vec::new(), vec![0; 100_000]);
        loop {
            match stream.read(&mut buffer).unwrap() {
                0 => return all,
                count => all.extend_from_slice(&buffer[..count]),
            }
        }
    });
    assert!(received.await.unwrap() == sent);
    writing.join().unwrap();
}
