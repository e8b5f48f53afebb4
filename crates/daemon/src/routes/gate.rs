//! What every request passes before the table of URLs, and every answer after it.

use super::cors::Cors;
use crate::app::{Life, Phase};
use crate::listen::Caller;
use crate::operations::panic_text;
use crate::wire::{Refusal, collect};
use axum::Router;
use axum::body::Body;
use axum::extract::{Query, Request};
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use http::{Method, Uri, header};
use http_body::Body as _;
use instance::settings::Settings;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::runtime::Handle;
use tower::ServiceExt as _;

/// Bodies that are read at once, in bytes.
const SMALL: u64 = 16 * 1024;
/// How long such a body may take.
const BODY: Duration = Duration::from_secs(60);

/// Serves requests. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Gate {
    router: Router,
    life: Life,
    settings: Settings,
}

impl Gate {
    /// Passes requests on to `router`.
    pub(crate) fn new(router: Router, life: Life, settings: Settings) -> Self {
        Self { router, life, settings }
    }

    /// Serves one request. What changes something runs to its end even if the client goes away.
    pub(crate) async fn serve(self, request: Request) -> Response {
        let settings = self.settings.clone();
        let cors = Cors(&settings);
        let origin = request.headers().get(header::ORIGIN).cloned();
        // Callers of this host are no browsers.
        let local = matches!(request.extensions().get::<Caller>(), Some(Caller::Local { .. }));
        let mut response = if !local && cors.refuses(request.method(), request.headers()) {
            tracing::debug!(?origin, "a page of another origin is refused");
            Refusal::forbidden().into_response()
        } else {
            self.pass(request).await
        };
        cors.tell(origin.as_ref(), response.headers_mut());
        response
    }

    async fn pass(self, request: Request) -> Response {
        let request = match whole(request).await {
            Ok(request) => request,
            Err(refusal) => return refusal.into_response(),
        };
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

/// Reads small bodies before anything else. Some clients send one with every request; one that nobody
/// reads, because the request needs none or is refused, would end the connection.
async fn whole(request: Request) -> Result<Request, Refusal> {
    let size = request.body().size_hint().exact();
    if !size.is_some_and(|size| (1..=SMALL).contains(&size)) {
        return Ok(request);
    }
    let (head, body) = request.into_parts();
    match tokio::time::timeout(BODY, collect(body)).await {
        Ok(bytes) => Ok(Request::from_parts(head, Body::from(bytes?))),
        Err(_) => Err(Refusal::bad_request("The request's body did not arrive in time")),
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
        Gate::new(router, Life::new(), Settings::of(api::Config::new()))
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

    /// A body of which it is known whether it was read.
    struct Watched(Option<bytes::Bytes>, tokio::sync::mpsc::Sender<()>);

    impl http_body::Body for Watched {
        type Data = bytes::Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<http_body::Frame<bytes::Bytes>, Self::Error>>> {
            let data = self.0.take();
            self.1.try_send(()).unwrap_or_default();
            Poll::Ready(data.map(|data| Ok(http_body::Frame::data(data))))
        }

        fn size_hint(&self) -> http_body::SizeHint {
            http_body::SizeHint::with_exact(self.0.as_ref().map_or(0, |data| data.len() as u64))
        }
    }

    #[tokio::test]
    async fn a_small_body_is_read_even_if_nobody_wants_it() {
        let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
        let body = Watched(Some(bytes::Bytes::from_static(b"null")), sender);
        let request = http::Request::builder().uri("/nothing").body(Body::new(body)).unwrap();
        assert_eq!(gate().serve(request).await.status(), 404);
        assert!(receiver.recv().await.is_some());
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
        let gate = Gate::new(router, Life::new(), Settings::of(api::Config::new()));
        let request = http::Request::builder().method("PUT").uri("/slow").body(Body::empty()).unwrap();
        tokio::select! {
            _ = gate.serve(request) => panic!("it was too fast"),
            _ = has_started.recv() => {}
        }
        assert!(has_ended.recv().await.is_some());
    }
}
