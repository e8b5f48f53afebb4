//! `…/exec`: run a program.

use super::instances::prefix;
use crate::operations::{Operations, Reporter, Task, container};
use crate::streams::{ExecError, STREAM_NAMES, TERMINAL_NAMES, attend_exec, run_detached};
use crate::wire::{Answer, Json, Path, accepted};
use api::exec::ExecPost;
use axum::extract::State;
use http::Uri;
use instance::instances::Instances;
use serde_json::{Map, Value};

/// `POST …/exec`.
pub(crate) async fn post(
    State(instances): State<Instances>,
    State(operations): State<Operations>,
    Path(name): Path<String>,
    uri: Uri,
    Json(post): Json<ExecPost>,
) -> Answer {
    let plan = instances.exec(&name, &post).await?;
    let task = Task { description: "Executing command", resources: container(&name), may_cancel: false };
    if post.wait_for_websocket {
        let names = if post.interactive { TERMINAL_NAMES } else { STREAM_NAMES };
        let operation = operations.run_streaming(task, names, async move |sockets| {
            let code = attend_exec(plan, sockets).await?;
            Ok::<_, ExecError>(Some(Map::from_iter([("return".to_owned(), code.into())])))
        })?;
        return accepted(&operation);
    }
    let logs = if post.record_output { Some(instances.log_dir(&name)?) } else { None };
    let prefix = prefix(&uri);
    accepted(&operations.run_reporting(task, &Reporter::default(), |operation| {
        let id = operation.id();
        let file = |stream: &str| format!("exec_{id}.{stream}");
        let files = logs.map(|logs| (logs.join(file("stdout")), logs.join(file("stderr"))));
        let output = files.is_some().then(|| {
            let url = |stream| Value::from(format!("/1.0/{prefix}/{name}/logs/{}", file(stream)));
            Map::from_iter([("1".to_owned(), url("stdout")), ("2".to_owned(), url("stderr"))])
        });
        async move {
            let code = run_detached(plan, files).await?;
            let mut metadata = Map::from_iter([("return".to_owned(), Value::from(code))]);
            if let Some(output) = output {
                metadata.insert("output".to_owned(), output.into());
            }
            Ok::<_, ExecError>(Some(metadata))
        }
    }))
}
