//! A daemon that answers from a closure, on a unix socket in a temporary directory.

#![allow(dead_code, clippy::needless_pass_by_value)] // each test file uses another part of it

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, header};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use tokio::net::{UnixListener, UnixStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

/// A request as the daemon saw it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: hyper::HeaderMap,
    pub(crate) body: Bytes,
}

impl Seen {
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

pub(crate) type Socket = WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>;
type Served = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What the daemon says.
pub(crate) enum Say {
    Answer(Response<Full<Bytes>>),
    Websocket(Box<dyn FnOnce(Socket) -> Served + Send>),
    /// The answer comes when somebody sends something here.
    Later(tokio::sync::oneshot::Receiver<Response<Full<Bytes>>>),
}

pub(crate) fn raw(status: u16, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    Response::builder().status(status).body(Full::new(body.into())).unwrap()
}

pub(crate) fn sync_response(metadata: &Value) -> Response<Full<Bytes>> {
    raw(
        200,
        json!({"type": "sync", "status": "Success", "status_code": 200, "metadata": metadata}).to_string(),
    )
}

pub(crate) fn sync(metadata: Value) -> Say {
    Say::Answer(sync_response(&metadata))
}

pub(crate) fn tagged(metadata: &Value, etag: &str) -> Say {
    let mut response = sync_response(metadata);
    response.headers_mut().insert(header::ETAG, etag.parse().unwrap());
    Say::Answer(response)
}

pub(crate) fn error(status: u16, message: &str) -> Say {
    Say::Answer(raw(status, json!({"type": "error", "error": message, "error_code": status}).to_string()))
}

/// An operation object.
pub(crate) fn operation(code: u16, metadata: Value, resources: Value) -> Value {
    json!({"id": "op1", "class": "task", "status": "x", "status_code": code,
           "metadata": metadata, "resources": resources, "err": ""})
}

pub(crate) fn background(metadata: Value, resources: Value) -> Say {
    let operation = operation(103, metadata, resources);
    let body = json!({"type": "async", "status_code": 100, "operation": "/1.0/operations/op1", "metadata": operation});
    Say::Answer(raw(202, body.to_string()))
}

/// A daemon on a thread of its own.
pub(crate) struct Fake {
    dir: tempfile::TempDir,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Fake {
    pub(crate) fn start(answer: impl Fn(&Seen) -> Say + Send + Sync + 'static) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("conf")).unwrap();
        std::fs::write(dir.path().join("conf/config.yml"), "default-remote: local\n").unwrap();
        let listener = std::os::unix::net::UnixListener::bind(dir.path().join("unix.socket")).unwrap();
        listener.set_nonblocking(true).unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&seen);
        let answer = Arc::new(answer);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = UnixListener::from_std(listener).unwrap();
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, Arc::clone(&record), Arc::clone(&answer)));
                }
            });
        });
        Self { dir, seen }
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.seen().iter().map(Seen::line).collect()
    }

    /// The request of this line.
    pub(crate) fn find(&self, line: &str) -> Seen {
        let seen = self.seen();
        seen.iter()
            .find(|seen| seen.line() == line)
            .unwrap_or_else(|| panic!("no {line} in {:?}", self.lines()))
            .clone()
    }

    /// `lxc` that talks to this daemon.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lxc"));
        command
            .args(args)
            .env("LXD_SOCKET", self.path("unix.socket"))
            .env("LXD_CONF", self.path("conf"))
            .env("LXD_DIR", self.path("nothing"))
            .env_remove("VISUAL")
            .env_remove("EDITOR")
            .env_remove("TERM")
            .current_dir(self.dir())
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs a command that must succeed and returns what it printed.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command that must fail and returns what it complained about.
    pub(crate) fn fails(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(1), "{args:?} ended well");
        String::from_utf8(output.stderr).unwrap()
    }
}

async fn serve(
    stream: UnixStream,
    record: Arc<Mutex<Vec<Seen>>>,
    answer: Arc<impl Fn(&Seen) -> Say + Send + Sync + 'static>,
) {
    let service = service_fn(move |request| {
        let (record, answer) = (Arc::clone(&record), Arc::clone(&answer));
        async move { Ok::<_, std::convert::Infallible>(respond(request, &record, &*answer).await) }
    });
    let connection =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let _ = connection.with_upgrades().await;
}

async fn respond(
    mut request: Request<Incoming>,
    record: &Mutex<Vec<Seen>>,
    answer: &(impl Fn(&Seen) -> Say + Send + Sync),
) -> Response<Full<Bytes>> {
    let upgrade = hyper::upgrade::on(&mut request);
    let (head, body) = request.into_parts();
    let Ok(body) = body.collect().await else { return raw(400, "") };
    let seen = Seen {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers,
        body: body.to_bytes(),
    };
    record.lock().unwrap().push(seen.clone());
    match answer(&seen) {
        Say::Answer(response) => response,
        Say::Later(response) => response.await.unwrap_or_else(|_| raw(500, "")),
        Say::Websocket(serve) => {
            let accept = derive_accept_key(seen.header("sec-websocket-key").as_bytes());
            tokio::spawn(async move {
                let stream = TokioIo::new(upgrade.await.unwrap());
                serve(WebSocketStream::from_raw_socket(stream, Role::Server, None).await).await;
            });
            Response::builder()
                .status(101)
                .header(header::CONNECTION, "Upgrade")
                .header(header::UPGRADE, "websocket")
                .header(header::SEC_WEBSOCKET_ACCEPT, accept)
                .body(Full::default())
                .unwrap()
        }
    }
}
