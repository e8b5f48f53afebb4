//! A terminal and its one websocket.

use super::Connection;
use super::input::forward;
use super::output::{Output, Source};
use super::reader::End;
use std::os::fd::OwnedFd;
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio_util::sync::CancellationToken;

/// How a terminal's stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TerminalEnd {
    /// The program ended and its output was delivered.
    Ended,
    /// The client is gone, in whatever way; dropping the master hangs the terminal up.
    ClientGone,
}

/// Carries bytes both ways until the program has ended or the client is gone.
pub(crate) async fn run_terminal(
    master: OwnedFd,
    connection: Connection,
    ended: CancellationToken,
) -> TerminalEnd {
    let Connection { mut reader, mut writer } = connection;
    let Ok((from, to)) = split(master) else {
        return TerminalEnd::ClientGone;
    };
    let mut output = Output::new(&from, Source::Terminal);
    let output = async {
        output.send(&mut writer, &ended).await?;
        // Nobody has the terminal open any more, but the program may do something else still.
        ended.cancelled().await;
        Ok::<(), std::io::Error>(())
    };
    let input = async {
        loop {
            match forward(&mut reader, &to).await {
                Ok(true) => {}
                // After the end of input only the end of the connection can follow.
                Ok(false) => break reader.discard().await,
                Err(end) => break end,
            }
        }
    };
    tokio::select! {
        result = output => if result.is_err() { return TerminalEnd::ClientGone },
        end = input => {
            if !matches!(end, End::Closed | End::Cut) {
                tracing::debug!(reason = %end, "a terminal's client was disconnected");
            }
            return TerminalEnd::ClientGone;
        }
    }
    if writer.barrier().await.is_ok() {
        // The client has everything; whether it hears the goodbye does not matter.
        let _ = writer.close().await;
    }
    TerminalEnd::Ended
}

/// Both directions of a terminal. It is no pipe, but read, written and waited for like one.
fn split(master: OwnedFd) -> std::io::Result<(Receiver, Sender)> {
    rustix::io::ioctl_fionbio(&master, true)?;
    let from = Receiver::from_owned_fd_unchecked(master.try_clone()?)?;
    Ok((from, Sender::from_owned_fd_unchecked(master)?))
}
