//! `…/console`: the first terminal of a container, and what was printed on it.

use crate::operations::{Operations, Task, container};
use crate::streams::{ConsoleError, TERMINAL_NAMES, attend_console};
use crate::wire::{Answer, Json, Path, Refusal, accepted, done};
use api::StatusCode;
use api::exec::ConsolePost;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderValue, header};
use instance::instances::Instances;

/// `POST …/console`: attach.
pub(crate) async fn attach(
    State(instances): State<Instances>,
    State(operations): State<Operations>,
    Path(name): Path<String>,
    Json(post): Json<ConsolePost>,
) -> Answer {
    if !matches!(post.kind.as_str(), "" | "console") {
        return Err(Refusal::bad_request(format!("Unknown console type '{}'", post.kind)));
    }
    match instances.get(&name)?.status_code {
        StatusCode::Running => {}
        StatusCode::Frozen => return Err(Refusal::bad_request("Container is frozen")),
        _ => return Err(Refusal::bad_request("Container is not running")),
    }
    let task = Task { description: "Showing console", resources: container(&name), may_cancel: false };
    let operation = operations.run_streaming(task, TERMINAL_NAMES, async move |sockets| {
        attend_console(instances, name, (post.width, post.height), sockets).await?;
        Ok::<_, ConsoleError>(None)
    })?;
    accepted(&operation)
}

/// `GET …/console`: what was printed.
pub(crate) async fn log(State(instances): State<Instances>, Path(name): Path<String>) -> Answer {
    let mut response = Response::new(instances.console_log(&name).await?.into());
    let octets = HeaderValue::from_static("application/octet-stream");
    response.headers_mut().insert(header::CONTENT_TYPE, octets);
    Ok(response)
}

/// `DELETE …/console`: forget what was printed.
pub(crate) async fn clear(State(instances): State<Instances>, Path(name): Path<String>) -> Answer {
    instances.clear_console_log(&name).await?;
    done()
}
