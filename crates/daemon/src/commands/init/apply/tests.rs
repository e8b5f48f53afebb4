//! A daemon that remembers what it was asked, and refuses what it is told to.

use super::*;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use http_body_util::BodyExt as _;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

type Asked = Arc<Mutex<Vec<String>>>;

/// Serves `objects` by path; refuses requests that begin with `refuse`.
fn daemon(objects: Value, refuse: &'static str) -> (tempfile::TempDir, Daemon, Asked) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("unix.socket");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let asked = Asked::default();
    let log = Arc::clone(&asked);
    let router = Router::new().fallback(move |request: Request| {
        let (log, objects) = (Arc::clone(&log), objects.clone());
        async move { answer(request, &log, &objects, refuse).await }
    });
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let router = router.clone();
            let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                let router = router.clone();
                async move {
                    Ok::<_, Infallible>(tower::ServiceExt::oneshot(router, request).await.into_response())
                }
            });
            tokio::spawn(
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
            );
        }
    });
    (directory, Daemon::at(path), asked)
}

async fn answer(request: Request, log: &Asked, objects: &Value, refuse: &str) -> Response {
    let (parts, body) = request.into_parts();
    let line = format!("{} {}", parts.method, parts.uri.path());
    let body = body.collect().await.unwrap().to_bytes();
    if parts.method != Method::GET {
        log.lock().unwrap().push(format!("{line} {}", String::from_utf8_lossy(&body)).trim().to_owned());
    }
    let error = |code: u16, text: &str| json!({"type": "error", "error": text, "error_code": code});
    let reply = if !refuse.is_empty() && line.starts_with(refuse) {
        error(400, "no")
    } else if parts.method == Method::GET {
        match objects.get(parts.uri.path()) {
            Some(object) => json!({"type": "sync", "metadata": object}),
            None => error(404, "not found"),
        }
    } else {
        json!({"type": "sync", "metadata": {}})
    };
    Response::new(Body::from(reply.to_string()))
}

fn everything() -> Preseed {
    Preseed::parse(
        "networks: [{name: br0, type: bridge}]\nstorage_pools: [{name: data, driver: dir}]\n\
         profiles: [{name: default, devices: {root: {type: disk, path: /, pool: data}}}]",
    )
    .unwrap()
}

fn methods(asked: &Asked) -> Vec<String> {
    let words = |line: &String| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    asked.lock().unwrap().iter().map(words).collect()
}

#[tokio::test]
async fn things_are_made_in_order_and_profiles_merged() {
    let profile = json!({"name": "default", "config": {"user.a": "1"}, "devices": {}, "description": ""});
    let (_directory, daemon, asked) = daemon(json!({"/1.0/profiles/default": profile}), "");
    apply(&everything(), &daemon).await.unwrap();
    assert_eq!(
        methods(&asked),
        ["POST /1.0/networks", "POST /1.0/storage-pools", "PUT /1.0/profiles/default"]
    );
    let last = asked.lock().unwrap().pop().unwrap();
    assert!(last.contains("user.a") && last.contains("\"pool\":\"data\""), "{last}");
}

#[tokio::test]
async fn a_refusal_takes_everything_back_in_reverse() {
    let (_directory, daemon, asked) = daemon(json!({}), "POST /1.0/profiles");
    let error = apply(&everything(), &daemon).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot set up the profile 'default'");
    assert_eq!(
        methods(&asked),
        [
            "POST /1.0/networks",
            "POST /1.0/storage-pools",
            "POST /1.0/profiles",
            "DELETE /1.0/storage-pools/data",
            "DELETE /1.0/networks/br0",
        ]
    );
}

#[tokio::test]
async fn a_pool_that_is_there_must_be_the_one_that_is_meant() {
    let pool = json!({"name": "data", "driver": "zfs", "config": {}});
    let (_directory, daemon, _) = daemon(json!({"/1.0/storage-pools/data": pool}), "");
    assert!(matches!(apply(&everything(), &daemon).await, Err(ApplyError::Driver { .. })));
}
