//! What every request passes before the table of URLs, and every answer after it.

use crate::app::{Life, Phase};
use crate::operations::panic_text;
use crate::wire::Refusal;
use axum::Router;
use axum::body::Body;
use axum::extract::{Query, Request};
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use http::{Method, Uri};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::runtime::Handle;
use tower::ServiceExt as _;

/// Serves requests. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Gate {
    router: Router,
    life: Life,
}

impl Gate {
    /// Passes requests on to `router`.
    pub(crate) fn new(router: Router, life: Life) -> Self {
        Self { router, life }
    }

    /// Serves one request. What changes something runs to its end even if the client goes away.
    pub(crate) async fn serve(self, request: Request) -> Response {
        let reading = matches!(*request.method(), Method::GET | Method::HEAD);
        if *request.method() == Method::OPTIONS {
            return Response::new(Body::empty());
        }
        if let Err(refusal) = self.admit(request.uri(), reading) {
            return refusal.into_response();
        }
        tracing::debug!(method = %request.method(), path = request.uri().path(), "request");
        let serving = AssertUnwindSafe(self.router.oneshot(request)).catch_unwind();
        let result = if reading { serving.await } else { ToItsEnd::new(serving).await };
        match result {
            Ok(Ok(response)) => response,
            Ok(Err(never)) => match never {},
            Err(panic) => {
                let reason = panic_text(panic.as_ref());
                tracing::error!(reason, "serving a request panicked");
                Refusal::internal(format!("Internal error, please report it: {reason}")).into_response()
            }
        }
    }

    fn admit(&self, uri: &Uri, reading: bool) -> Result<(), Refusal> {
        if !reading && matches!(self.life.phase(), Phase::Stopping(_)) {
            return Err(Refusal::stopping());
        }
        // There are no projects but the one that clients name when they know of none.
        if uri.query().is_some_and(|query| query.contains("project=")) {
            #[derive(serde::Deserialize)]
            struct Project {
                #[serde(default)]
                project: String,
            }
            if let Ok(Query(Project { project })) = Query::try_from_uri(uri)
                && !matches!(project.as_str(), "" | "default")
            {
                return Err(Refusal::missing("Project not found"));
            }
        }
        Ok(())
    }
}

/// A future that goes on in the background when nobody waits for it any more.
struct ToItsEnd<F: Future<Output: Send> + Send + 'static>(Option<Pin<Box<F>>>);

impl<F: Future<Output: Send> + Send + 'static> ToItsEnd<F> {
    fn new(future: F) -> Self {
        Self(Some(Box::pin(future)))
    }
}

impl<F: Future<Output: Send> + Send + 'static> Future for ToItsEnd<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let Some(future) = &mut self.0 else { return Poll::Pending };
        let poll = future.as_mut().poll(context);
        if poll.is_ready() {
            self.0 = None;
        }
        poll
    }
}

impl<F: Future<Output: Send> + Send + 'static> Drop for ToItsEnd<F> {
    fn drop(&mut self) {
        // Without a runtime the daemon has ended, and the next start repairs what is half done.
        if let (Some(future), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(future);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Ending;
    use axum::routing::get;

    fn gate() -> Gate {
        let router = Router::new()
            .route("/ok", get(async || "fine").put(async || "changed"))
            .route("/panic", get(async || -> &'static str { panic!("broken") }))
            .fallback(async || Refusal::not_found())
            .method_not_allowed_fallback(async || Refusal::method());
        Gate::new(router, Life::new())
    }

    async fn code(gate: &Gate, method: &str, uri: &str) -> u16 {
        let request = http::Request::builder().method(method).uri(uri).body(Body::empty()).unwrap();
        gate.clone().serve(request).await.status().as_u16()
    }

    #[tokio::test]
    async fn every_request_gets_the_code_of_the_specification() {
        let gate = gate();
        assert_eq!(code(&gate, "GET", "/ok").await, 200);
        assert_eq!(code(&gate, "GET", "/ok?project=default").await, 200);
        assert_eq!(code(&gate, "GET", "/ok?project=").await, 200);
        assert_eq!(code(&gate, "GET", "/ok?project=other").await, 404);
        assert_eq!(code(&gate, "GET", "/nothing").await, 404);
        assert_eq!(code(&gate, "DELETE", "/ok").await, 501);
        assert_eq!(code(&gate, "OPTIONS", "/nothing").await, 200);
        assert_eq!(code(&gate, "PUT", "/ok").await, 200);
    }

    #[tokio::test]
    async fn a_panic_is_an_answer() {
        assert_eq!(code(&gate(), "GET", "/panic").await, 500);
    }

    #[tokio::test]
    async fn a_daemon_that_stops_can_be_read_but_not_changed() {
        let gate = gate();
        gate.life.end(Ending::LeaveContainers);
        assert_eq!(code(&gate, "GET", "/ok").await, 200);
        assert_eq!(code(&gate, "PUT", "/ok").await, 503);
    }

    #[tokio::test]
    async fn what_changes_something_goes_on_without_its_client() {
        let (started, mut has_started) = tokio::sync::mpsc::channel(1);
        let (ended, mut has_ended) = tokio::sync::mpsc::channel(1);
        let handler = move || {
            let (started, ended) = (started.clone(), ended.clone());
            async move {
                started.send(()).await.unwrap();
                tokio::task::yield_now().await;
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                ended.send(()).await.unwrap();
            }
        };
        let router = Router::new().route("/slow", axum::routing::put(handler));
        let gate = Gate::new(router, Life::new());
        let request = http::Request::builder().method("PUT").uri("/slow").body(Body::empty()).unwrap();
        tokio::select! {
            _ = gate.serve(request) => panic!("it was too fast"),
            _ = has_started.recv() => {}
        }
        assert!(has_ended.recv().await.is_some());
    }
}
