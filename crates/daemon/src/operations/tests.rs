//! Operations from their first word to their last.

use super::*;
use crate::events::{Hub, Topics};
use crate::streams::Connection;
use api::StatusCode;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::net::UnixStream;

#[derive(Debug, thiserror::Error)]
#[error("the mount failed")]
struct Failed(#[source] std::io::Error);

fn task(may_cancel: bool) -> Task {
    Task { description: "Testing", resources: container("c1"), may_cancel }
}

fn metadata(key: &str, value: impl Into<Value>) -> Map<String, Value> {
    Map::from_iter([(key.to_owned(), value.into())])
}

#[tokio::test]
async fn work_ends_with_success_and_its_outcome() {
    let operations = Operations::new(Hub::new());
    let operation = operations.run(task(false), async { Ok::<_, Failed>(Some(metadata("return", 0))) });
    let object = operation.wait().await;
    assert_eq!((object.status_code, object.status.as_str()), (StatusCode::Success, "Success"));
    assert_eq!(object.metadata, Some(metadata("return", 0)));
    assert_eq!(object.resources.as_ref().unwrap()["instances"], ["/1.0/instances/c1"]);
    // It can be asked about for a while.
    assert!(operations.get(&object.id).is_some());
    assert_eq!(operation.cancel(), Err(CancelError::NotRunning));
}

#[tokio::test]
async fn work_that_fails_tells_the_whole_story() {
    let operations = Operations::new(Hub::new());
    let source = std::io::Error::other("no such device");
    let operation = operations.run(task(false), async { Err(Failed(source)) });
    let object = operation.wait().await;
    assert_eq!(object.status_code, StatusCode::Failure);
    assert_eq!(object.err, "the mount failed: no such device");
}

#[tokio::test]
async fn a_panic_is_a_failure() {
    let operations = Operations::new(Hub::new());
    let broken = std::hint::black_box(true);
    let operation = operations.run(task(false), async move {
        assert!(!broken, "wires crossed");
        Ok::<_, Failed>(None)
    });
    let object = operation.wait().await;
    assert_eq!(object.status_code, StatusCode::Failure);
    assert!(object.err.contains("wires crossed"), "{}", object.err);
}

#[tokio::test]
async fn cancelling_drops_the_work_first() {
    struct Undo(Arc<AtomicBool>);
    impl Drop for Undo {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let undone = Arc::new(AtomicBool::new(false));
    let operations = Operations::new(Hub::new());
    let undo = Undo(Arc::clone(&undone));
    let operation = operations.run(task(true), async move {
        let _undo = undo;
        std::future::pending::<Result<_, Failed>>().await
    });
    operation.cancel().unwrap();
    assert_eq!(operation.wait().await.status_code, StatusCode::Cancelled);
    assert!(undone.load(Ordering::SeqCst));
}

#[tokio::test]
async fn what_cannot_be_cancelled_goes_on() {
    let operations = Operations::new(Hub::new());
    let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
    let operation = operations.run(task(false), async move {
        let _ = receiver.await;
        Ok::<_, Failed>(None)
    });
    assert_eq!(operation.cancel(), Err(CancelError::NotCancellable));
    assert_eq!(operation.view().status_code, StatusCode::Running);
    sender.send(()).unwrap();
    assert_eq!(operation.wait().await.status_code, StatusCode::Success);
}

#[tokio::test]
async fn everybody_is_told_of_every_change_in_order() {
    let hub = Hub::new();
    let mut listener = hub.subscribe(Topics::parse("operation").unwrap());
    let operations = Operations::new(hub);
    let reporter = Reporter::default();
    let progress = reporter.progress();
    let operation = operations.run_reporting(task(false), &reporter, |_| async move {
        progress.show("download_progress", "50%");
        Ok::<_, Failed>(None)
    });
    operation.wait().await;
    let mut frames = Vec::new();
    while !String::from_utf8_lossy(&frames).contains("Success") {
        let mut more = Vec::new();
        listener.frames(&mut more, 1 << 20).await.unwrap();
        frames.extend(more);
    }
    let text = String::from_utf8_lossy(&frames).into_owned();
    let places: Vec<_> = ["\"Pending\"", "\"Running\"", "50%", "\"Success\""]
        .iter()
        .map(|word| text.find(word).unwrap_or_else(|| panic!("{word} is missing in {text}")))
        .collect();
    assert!(places.is_sorted(), "{text}");
}

#[tokio::test]
async fn each_stream_is_taken_once_by_who_knows_its_secret() {
    let operations = Operations::new(Hub::new());
    let operation = operations
        .run_streaming(task(false), &["0", "control"], async move |mut sockets| {
            let _control = sockets.take("control").unwrap();
            let connections = sockets.all().await;
            Ok::<_, Failed>(Some(metadata("connections", connections.map_or(0, |all| all.len()))))
        })
        .unwrap();
    assert_eq!(operation.view().metadata, None);
    let object = operation.view_of_creator();
    assert_eq!(object.class, "websocket");
    let fds = object.metadata.as_ref().unwrap()["fds"].clone();
    let secret = fds["0"].as_str().unwrap();
    let seats = operation.seats().unwrap();
    assert!(seats.take(&"0".repeat(64)).is_none());
    let seat = seats.take(secret).unwrap();
    assert!(seats.take(secret).is_none());
    let (mine, _theirs) = UnixStream::pair().unwrap();
    assert!(seat.send(Connection::unix(mine, &[])).is_ok());
    assert_eq!(operation.wait().await.metadata, Some(metadata("connections", json!(1))));
}

#[tokio::test]
async fn a_token_opens_its_own_door_and_ends() {
    let operations = Operations::new(Hub::new());
    let operation = operations.issue("Image download token", image("abc"), metadata("a", "b")).unwrap();
    let told = operation.view_of_creator();
    assert_eq!((told.class.as_str(), &told.metadata.as_ref().unwrap()["a"]), ("token", &json!("b")));
    assert_eq!(operation.view().metadata, None, "others do not see the secret");
    let secret = told.metadata.as_ref().unwrap()["secret"].as_str().unwrap().to_owned();
    let about =
        |name: &'static str| move |object: &api::operations::Operation| object.resources == image(name);
    assert!(operations.redeem("", about("abc")).is_none());
    assert!(operations.redeem(&"0".repeat(64), about("abc")).is_none());
    assert!(operations.redeem(&secret, about("other")).is_none());
    assert_eq!(operation.view().status_code, StatusCode::Running, "wrong tries do not use it up");
    // Looking at the image, and fetching it.
    assert!(operations.redeem(&secret, about("abc")).is_some());
    assert_eq!(operation.wait().await.status_code, StatusCode::Cancelled);
    assert!(operations.redeem(&secret, about("abc")).is_some());
}

#[tokio::test]
async fn a_token_is_forgotten_after_its_use_and_worth_nothing_when_cancelled() {
    let operations = Operations::new(Hub::new());
    let issue = || {
        let operation = operations.issue("Image download token", image("abc"), Map::new()).unwrap();
        let metadata = operation.view_of_creator().metadata.clone().unwrap();
        (operation, metadata["secret"].as_str().unwrap().to_owned())
    };
    let (used, secret) = issue();
    assert!(operations.redeem(&secret, |_| true).is_some());
    used.wait().await;
    while operations.get(used.id()).is_some() {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(operations.redeem(&secret, |_| true).is_none());

    let (cancelled, secret) = issue();
    cancelled.cancel().unwrap();
    assert!(operations.redeem(&secret, |_| true).is_none());
    cancelled.wait().await;
    assert!(operations.redeem(&secret, |_| true).is_none());
}

#[tokio::test]
async fn a_token_that_lets_in_once_does_so_once() {
    let operations = Operations::new(Hub::new());
    let issue = || operations.issue_for("Join", None, metadata("name", "n"), None).unwrap();
    let secret = |operation: &super::Operation| {
        operation.view_of_creator().metadata.clone().unwrap()["secret"].as_str().unwrap().to_owned()
    };
    let operation = issue();
    assert_eq!(operations.redeem_once(&secret(&operation), |_| false), None, "another kind of token");
    let all: usize = (0..4)
        .map(|_| {
            usize::from(operations.redeem_once(&secret(&operation), |_| true) == Some(metadata("name", "n")))
        })
        .sum();
    assert_eq!(all, 1);
    let revoked = issue();
    revoked.cancel().unwrap();
    assert_eq!(operations.redeem_once(&secret(&revoked), |_| true), None);
}
