//! Running a command in a container.

use crate::websocket::{self, control::ControlStream, data};
use crate::{Client, DataReader, DataWriter, Error, Pending, containers::at, encode_segment};
use api::exec::ExecPost;
use http::Method;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A command whose streams are attached.
///
/// The data streams block and want a thread each; dropping the control stream without closing it
/// makes the daemon kill the command.
#[derive(Debug)]
pub struct ExecSession {
    /// Window size and signals.
    pub control: ControlStream,
    /// Standard input, or the keyboard's side of the terminal.
    pub stdin: DataWriter,
    /// Standard output, or everything the terminal shows.
    pub stdout: DataReader,
    /// Standard error, unless there is a terminal.
    pub stderr: Option<DataReader>,
    /// The command itself.
    pub exit: ExecExit,
}

/// A running command's end.
#[derive(Clone, Debug)]
pub struct ExecExit(Pending);

impl Client {
    /// Runs a command and attaches to its streams; `wait_for_websocket` is set here.
    ///
    /// # Errors
    /// 404 unknown container, 400 when it does not run.
    pub async fn exec(&self, container: &str, request: &ExecPost) -> Result<ExecSession, Error> {
        let request = ExecPost { wait_for_websocket: true, ..request.clone() };
        let path = format!("{}/exec", at(container));
        let pending = self.begin(Method::POST, &path, &request, None).await?;
        let secrets = secrets(&path, &pending)?;
        let open = |key: &'static str| {
            let url = stream_url(&path, &pending, &secrets, key);
            async move { websocket::open(&self.pool, &url?).await }
        };
        // The command starts when the others are there, and a short one is over before this is needed.
        let url = stream_url(&path, &pending, &secrets, "control")?;
        let pool = Arc::clone(&self.pool);
        let control =
            ControlStream::opening(
                async move { Ok(websocket::open(&pool, &url).await?.into_messages().await) },
            );
        if request.interactive {
            let (stdout, stdin) = split(open("0").await?)?;
            return Ok(ExecSession { control, stdin, stdout, stderr: None, exit: ExecExit(pending) });
        }
        let (stdin, stdout, stderr) = tokio::try_join!(open("0"), open("1"), open("2"))?;
        Ok(ExecSession {
            control,
            stdin: split(stdin)?.1,
            stdout: receive(stdout)?,
            stderr: Some(receive(stderr)?),
            exit: ExecExit(pending),
        })
    }
}

impl ExecExit {
    /// Waits for the command's end and returns its exit status: 128+n after signal n.
    ///
    /// # Errors
    /// The command could not be run, or the daemon is gone.
    pub async fn wait(&self) -> Result<i32, Error> {
        let operation = self.0.wait().await?;
        let status = operation.metadata.as_ref().and_then(|metadata| metadata.get("return"));
        status.and_then(serde_json::Value::as_i64).and_then(|status| i32::try_from(status).ok()).ok_or(
            Error::Unexpected {
                path: format!("/1.0/operations/{}", operation.id),
                expected: "an exit status",
            },
        )
    }
}

pub(crate) fn split(upgraded: websocket::Upgraded) -> Result<(DataReader, DataWriter), Error> {
    data::split(upgraded).map_err(unprepared)
}

fn receive(upgraded: websocket::Upgraded) -> Result<DataReader, Error> {
    data::receive(upgraded).map_err(unprepared)
}

fn unprepared(source: std::io::Error) -> Error {
    Error::Transfer { what: "cannot prepare the session's streams", source }
}

/// The secrets of a session's streams.
pub(crate) fn secrets(path: &str, pending: &Pending) -> Result<BTreeMap<String, String>, Error> {
    let fds = pending.operation.metadata.as_ref().and_then(|metadata| metadata.get("fds"));
    let unexpected = || Error::Unexpected { path: path.to_owned(), expected: "stream secrets" };
    let fds = fds.and_then(serde_json::Value::as_object).ok_or_else(unexpected)?;
    Ok(fds.iter().filter_map(|(key, secret)| Some((key.clone(), secret.as_str()?.to_owned()))).collect())
}

/// The URL of one stream.
pub(crate) fn stream_url(
    path: &str,
    pending: &Pending,
    secrets: &BTreeMap<String, String>,
    key: &str,
) -> Result<String, Error> {
    let secret = secrets
        .get(key)
        .ok_or_else(|| Error::Unexpected { path: path.to_owned(), expected: "a secret for each stream" })?;
    let id = encode_segment(&pending.operation.id);
    Ok(format!("/1.0/operations/{id}/websocket?secret={}", encode_segment(secret)))
}
