//! A program and the websockets of its client, from the first connection to the last byte.

use super::Connection;
use super::control::{kill, obey_for_program};
use super::input::receive_pipe;
use super::output::{OutputEnd, send_pipe};
use super::terminal::{TerminalEnd, run_terminal};
use crate::operations::Sockets;
use futures_util::future::join;
use instance::exec::{ExecPlan, Running, Streams};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Streams of a program without a terminal.
pub(crate) const STREAM_NAMES: &[&str] = &["0", "1", "2", "control"];
/// Streams of a program on a terminal.
pub(crate) const TERMINAL_NAMES: &[&str] = &["0", "control"];
/// How long a client may take to connect its streams.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a control stream may outlive its terminal's stream.
const HANG_UP: Duration = Duration::from_millis(500);
/// What clients are told when the exit status is not known.
const STATUS_LOST: i32 = -1;

/// Why a program was not run, or not to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExecError {
    /// The client asked for streams and did not come.
    #[error("No client connected to the streams of the command within {} seconds", PATIENCE.as_secs())]
    NobodyCame,
    /// A stream broke before the start.
    #[error("The client left before the command could start")]
    ClientLeft,
    /// It could not be started.
    #[error(transparent)]
    Start(#[from] instance::Error),
    /// Recorded output could not be kept.
    #[error("Cannot record the output of the command")]
    Record(#[source] std::io::Error),
}

/// Waits for the client, runs the program, and carries its streams. Returns its exit status.
///
/// # Errors
/// Nobody came; the program could not be started.
pub(crate) async fn attend_exec(plan: ExecPlan, mut sockets: Sockets) -> Result<i32, ExecError> {
    let control = sockets.take("control");
    let prepared = plan.prepare()?;
    let data = tokio::time::timeout(PATIENCE, sockets.all())
        .await
        .map_err(|_| ExecError::NobodyCame)?
        .ok_or(ExecError::ClientLeft)?;
    let running = prepared.start().await?;
    let ended = CancellationToken::new();
    let obeying = control.map(|receiver| {
        let (ended, control) = (ended.clone(), running.control.clone());
        tokio::spawn(async move {
            let connection = tokio::select! {
                () = ended.cancelled() => return,
                connection = receiver => connection,
            };
            if let Ok(connection) = connection {
                obey_for_program(connection, ended, control).await;
            }
        })
    });
    Ok(carry(running, data, &ended, obeying).await)
}

/// Carries the data streams until the program has ended and all its output is delivered.
async fn carry(
    running: Running,
    data: Vec<Connection>,
    ended: &CancellationToken,
    obeying: Option<JoinHandle<()>>,
) -> i32 {
    let Running { streams, control, status } = running;
    let mut data = data.into_iter();
    match (streams, data.next(), data.next(), data.next()) {
        (Streams::Terminal(master), Some(connection), None, None) => {
            let terminal = tokio::spawn(run_terminal(master, connection, ended.clone()));
            carry_terminal(terminal, control, status, ended, obeying).await
        }
        (Streams::Pipes { stdin, stdout, stderr }, Some(zero), Some(one), Some(two)) => {
            let input = tokio::spawn(receive_pipe(stdin, zero, ended.clone()));
            let outputs = tokio::spawn(join(
                send_pipe(stdout, one, ended.clone()),
                send_pipe(stderr, two, ended.clone()),
            ));
            let code = carry_pipes(outputs, control, status, ended).await;
            // Only a panic can be reported here, and that has been logged.
            let _ = input.await;
            code
        }
        _ => {
            // Plans make the streams that were asked for; without them nothing can be carried.
            let code = status.await.unwrap_or(STATUS_LOST);
            ended.cancel();
            code
        }
    }
}

async fn carry_terminal(
    mut terminal: JoinHandle<TerminalEnd>,
    control: instance::exec::Control,
    mut status: tokio::sync::oneshot::Receiver<i32>,
    ended: &CancellationToken,
    obeying: Option<JoinHandle<()>>,
) -> i32 {
    tokio::select! {
        code = &mut status => {
            ended.cancel();
            // Only a panic can be reported here, and that has been logged.
            let _ = terminal.await;
            code.unwrap_or(STATUS_LOST)
        }
        _ = &mut terminal => {
            drop(control);
            hang_up(obeying).await;
            let code = status.await.unwrap_or(STATUS_LOST);
            ended.cancel();
            code
        }
    }
}

/// Ends the control stream of a client whose terminal is gone: it may hold the terminal, which
/// must hang up. A client that vanished altogether is given the time to be noticed as such.
async fn hang_up(obeying: Option<JoinHandle<()>>) {
    if let Some(mut task) = obeying
        && tokio::time::timeout(HANG_UP, &mut task).await.is_err()
    {
        task.abort();
    }
}

async fn carry_pipes(
    mut outputs: JoinHandle<(OutputEnd, OutputEnd)>,
    control: instance::exec::Control,
    mut status: tokio::sync::oneshot::Receiver<i32>,
    ended: &CancellationToken,
) -> i32 {
    tokio::select! {
        code = &mut status => {
            ended.cancel();
            // Only a panic can be reported here, and that has been logged.
            let _ = outputs.await;
            code.unwrap_or(STATUS_LOST)
        }
        ends = &mut outputs => {
            if matches!(ends, Ok((OutputEnd::Cut, OutputEnd::Cut))) {
                kill(&control);
            }
            let code = status.await.unwrap_or(STATUS_LOST);
            ended.cancel();
            code
        }
    }
}
