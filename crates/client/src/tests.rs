//! Everything over TLS, against a small server: requests that share connections, files, message
//! streams and sessions.

use crate::{Client, DialError, Error, Keys, shown_certificate};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, header};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role as Side;
use transport::identity::Role;
use transport::{Certificate, Identity};

/// A server that tells who asks, sends back what it gets, and has one container.
struct Lxd {
    url: String,
    certificate: Certificate,
    connections: Arc<AtomicUsize>,
}

impl Lxd {
    async fn start() -> Self {
        Self::with(Identity::generate(Role::Server, "root@s", &["s".to_owned()]).unwrap()).await
    }

    async fn with(identity: Identity) -> Self {
        let acceptor = TlsAcceptor::from(Arc::new(transport::server::config(&identity).unwrap()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let Ok(stream) = acceptor.accept(tcp).await else { continue };
                count.fetch_add(1, Ordering::SeqCst);
                let shown = stream.get_ref().1.peer_certificates().and_then(|all| all.first()).cloned();
                let who = shown.map(|der| Certificate::from_der(der.to_vec()).unwrap().fingerprint());
                let serve = service_fn(move |request| answer(request, who.clone()));
                let connection =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), serve);
                tokio::spawn(connection.with_upgrades());
            }
        });
        Self { url, certificate: identity.certificate().clone(), connections }
    }

    fn client(&self, keys: &Keys) -> Client {
        keys.client_of(&self.certificate, self.url.clone(), false).unwrap()
    }
}

type Answer = Response<Full<Bytes>>;

async fn answer(
    mut request: Request<Incoming>,
    who: Option<String>,
) -> Result<Answer, std::convert::Infallible> {
    let path = request.uri().path().to_owned();
    if path.ends_with("/websocket") || path == "/1.0/events" {
        let key = request.headers()[header::SEC_WEBSOCKET_KEY].as_bytes().to_vec();
        let stream = request.uri().query().unwrap_or_default().to_owned();
        tokio::spawn(async move {
            let io = TokioIo::new(hyper::upgrade::on(&mut request).await.unwrap());
            talk(WebSocketStream::from_raw_socket(io, Side::Server, None).await, &stream).await;
        });
        let answer = Response::builder()
            .status(101)
            .header(header::CONNECTION, "upgrade")
            .header(header::UPGRADE, "websocket")
            .header(header::SEC_WEBSOCKET_ACCEPT, derive_accept_key(&key));
        return Ok(answer.body(Full::default()).unwrap());
    }
    let host = request.headers()[header::HOST].to_str().unwrap().to_owned();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let sync = |metadata: Value| json!({"type": "sync", "metadata": metadata});
    let operation = |code: u16, metadata: Value| {
        json!({"id": "op", "class": "task", "description": "", "created_at": "2016-02-20T20:01:00Z",
            "updated_at": "2016-02-20T20:01:00Z", "status": "x", "status_code": code, "resources": null,
            "metadata": metadata, "may_cancel": false, "err": ""})
    };
    let started = |metadata| json!({"type": "async", "metadata": operation(103, metadata)});
    let value = match path.as_str() {
        "/1.0" => {
            let auth = if who.is_some() { "trusted" } else { "untrusted" };
            let addresses = ["10.0.0.1:8443", &host];
            sync(json!({"auth": auth, "environment": {"addresses": addresses, "certificate": "x"}}))
        }
        "/1.0/containers/c1/exec" => {
            started(json!({"fds": {"0": "in", "1": "out", "2": "err", "control": "control"}}))
        }
        "/1.0/operations/op/wait" => sync(operation(200, json!({"return": 7}))),
        "/1.0/images/abc/secret" => started(json!({"secret": "s3"})),
        _ => return Ok(Response::new(Full::new(body))),
    };
    let status = if value["type"] == "async" { 202 } else { 200 };
    Ok(Response::builder().status(status).body(Full::new(Bytes::from(value.to_string()))).unwrap())
}

/// Standard output is as much as standard input will be; events are one.
async fn talk<S>(mut socket: WebSocketStream<S>, stream: &str)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    use futures_util::{SinkExt as _, StreamExt as _};
    match stream {
        "secret=out" => {
            for _ in 0..40 {
                socket.send(Message::binary(vec![7; 100_000])).await.unwrap();
            }
            socket.send(Message::text("")).await.unwrap();
        }
        "secret=err" => socket.send(Message::text("")).await.unwrap(),
        "secret=in" => {
            let mut total = 0;
            while let Some(Ok(Message::Binary(data))) = socket.next().await {
                total += data.len();
            }
            assert_eq!(total, 3_000_000);
        }
        "secret=control" => while let Some(Ok(_)) = socket.next().await {},
        _ => {
            let event = r#"{"type":"operation","metadata":{"id":"x"}}"#;
            socket.send(Message::text(event)).await.unwrap();
        }
    }
    let _ = socket.close(None).await;
}

fn keys() -> (tempfile::TempDir, Keys) {
    let dir = tempfile::tempdir().unwrap();
    let keys = Keys::new(dir.path().join("lxc"));
    (dir, keys)
}

#[tokio::test]
async fn requests_share_a_connection_and_tell_who_we_are() {
    let (lxd, (_dir, keys)) = (Lxd::start().await, keys());
    let client = lxd.client(&keys);
    for _ in 0..3 {
        assert_eq!(client.server().await.unwrap().value.auth, "trusted");
    }
    let big = vec![5; 3_000_000];
    let answer = client.query(http::Method::POST, "/echo", Some(big.clone())).await.unwrap();
    assert!(answer.body == big);
    assert_eq!(lxd.connections.load(Ordering::SeqCst), 1);
    let guest = keys.client_of(&lxd.certificate, lxd.url.clone(), true).unwrap();
    assert_eq!(guest.server().await.unwrap().value.auth, "untrusted");
}

#[tokio::test]
async fn kept_and_changed_certificates() {
    let (lxd, (_dir, keys)) = (Lxd::start().await, keys());
    let shown = shown_certificate(&lxd.url).await.unwrap();
    assert_eq!(shown, lxd.certificate);
    keys.keep("foo", &shown).unwrap();
    let client = keys.client("foo", lxd.url.clone(), false).unwrap();
    assert_eq!(client.server().await.unwrap().value.auth, "trusted");
    let other = Lxd::start().await;
    let client = keys.client("foo", other.url.clone(), false).unwrap();
    let error = client.server().await.unwrap_err();
    let Error::Dial(DialError::Changed { changed, .. }) = error else { panic!("{error:?}") };
    assert_eq!((changed.expected, changed.found), (shown.fingerprint(), other.certificate.fingerprint()));
}

#[tokio::test]
async fn other_servers_are_told_how_to_reach_it() {
    let (lxd, (_dir, keys)) = (Lxd::start().await, keys());
    let client = lxd.client(&keys);
    let image = api::images::Image { fingerprint: "abc".into(), ..Default::default() };
    let (origin, source) = client.image_origin(&image, Some("x")).await.unwrap();
    assert_eq!(origin.addresses, [lxd.url.clone(), "https://10.0.0.1:8443".to_owned()]);
    assert_eq!(origin.certificate, lxd.certificate.pem());
    assert_eq!((source.fingerprint.as_str(), source.secret.as_str()), ("abc", "s3"));
    let alias = api::images::ImageAlias { name: "x".into(), ..Default::default() };
    let image = api::images::Image { public: true, aliases: vec![alias], ..image };
    let (_, source) = client.image_origin(&image, Some("x")).await.unwrap();
    assert_eq!((source.alias.as_str(), source.fingerprint.as_str(), source.secret.as_str()), ("x", "", ""));
}

#[tokio::test]
async fn sessions_and_events() {
    let (lxd, (_dir, keys)) = (Lxd::start().await, keys());
    let client = lxd.client(&keys);
    let mut events = client.events(&[]).await.unwrap();
    assert_eq!(events.next().await.unwrap().unwrap().metadata["id"], "x");
    assert!(events.next().await.unwrap().is_none());

    let mut session = client.exec("c1", &Default::default()).await.unwrap();
    let writing = std::thread::spawn(move || {
        session.stdin.send(&vec![3; 3_000_000]).unwrap();
        session.stdin.finish().unwrap();
        session.stdin
    });
    let mut stdout = session.stdout;
    let received = tokio::task::spawn_blocking(move || {
        let mut total = 0;
        while let Some(piece) = stdout.next_piece().unwrap() {
            assert!(piece.iter().all(|byte| *byte == 7));
            total += piece.len();
        }
        total
    });
    assert_eq!(received.await.unwrap(), 4_000_000);
    session.control.signal(15).await.unwrap();
    assert_eq!(session.exit.wait().await.unwrap(), 7);
    writing.join().unwrap();
    session.control.close("").await;
}

#[tokio::test]
async fn an_authority_of_ones_own_vouches_for_servers() {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    let issuer = || {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    };
    let (ours, other) = (issuer(), issuer());
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &ours).unwrap();
    let lxd = Lxd::with(Identity::from_pem(&certificate.pem(), &key.serialize_pem()).unwrap()).await;
    let (dir, keys) = keys();
    let authority = dir.path().join("lxc/client.ca");
    std::fs::create_dir(dir.path().join("lxc")).unwrap();
    std::fs::write(&authority, ours.pem()).unwrap();
    let client = keys.client("foo", lxd.url.clone(), false).unwrap();
    assert_eq!(client.server().await.unwrap().value.auth, "trusted");
    let client = keys.stranger(lxd.url.clone(), true).unwrap().unwrap();
    assert_eq!(client.server().await.unwrap().value.auth, "untrusted");
    std::fs::write(&authority, other.pem()).unwrap();
    let client = keys.client("foo", lxd.url.clone(), false).unwrap();
    assert!(matches!(client.server().await, Err(Error::Dial(DialError::Tls { .. }))));
}
