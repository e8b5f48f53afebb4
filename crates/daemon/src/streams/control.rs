//! The control stream: window size and signals, as text messages.

use super::Connection;
use super::reader::End;
use api::exec::Control as Message;
use tokio_util::sync::CancellationToken;

/// The longest message, in bytes.
const MESSAGE: usize = 64 * 1024;
/// Real-time signals end here (`signal(7)`).
const LAST_SIGNAL: i32 = 64;
/// `SIGKILL`.
const KILL: i32 = 9;

/// What a message asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// The client's window has a new size.
    Resize {
        /// Columns.
        width: u16,
        /// Rows.
        height: u16,
    },
    /// A signal for the program.
    Signal(i32),
}

impl Command {
    /// What a message says; `None` for what is not understood, which is ignored.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let message: Message = serde_json::from_slice(text).ok()?;
        match message.command.as_str() {
            "window-resize" => {
                let number = |key: &str| message.args.get(key)?.parse::<u16>().ok().filter(|n| *n > 0);
                Some(Self::Resize { width: number("width")?, height: number("height")? })
            }
            "signal" => (1..=LAST_SIGNAL).contains(&message.signal).then_some(Self::Signal(message.signal)),
            _ => None,
        }
    }
}

/// How a control stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ControlEnd {
    /// The program ended.
    Ended,
    /// The client wants to say nothing more.
    Closed,
    /// The client vanished.
    Cut,
}

/// Obeys a control stream until it ends or the program does, which closes it.
pub(crate) async fn obey(
    connection: Connection,
    ended: &CancellationToken,
    act: impl Fn(Command),
) -> ControlEnd {
    let Connection { mut reader, mut writer } = connection;
    loop {
        tokio::select! {
            biased;
            () = ended.cancelled() => {
                // The program has ended, so nobody waits for what follows.
                let _ = writer.close().await;
                return ControlEnd::Ended;
            }
            message = reader.text(MESSAGE) => match message {
                Ok(text) => {
                    if let Some(command) = Command::parse(&text) {
                        act(command);
                    }
                }
                Err(End::Cut) => return ControlEnd::Cut,
                Err(_) => return ControlEnd::Closed,
            },
            pong = writer.ping() => if writer.pong(&pong).await.is_err() {
                return ControlEnd::Cut;
            },
        }
    }
}

/// Obeys the control stream of a program: a client that vanishes takes the program with it.
pub(crate) async fn obey_for_program(
    connection: Connection,
    ended: CancellationToken,
    control: instance::exec::Control,
) {
    let end = obey(connection, &ended, |command| match command {
        Command::Resize { width, height } => control.resize(width, height),
        Command::Signal(number) => control.signal(number),
    })
    .await;
    if end == ControlEnd::Cut {
        control.signal(KILL);
    }
}

/// Ends a program whose client vanished.
pub(crate) fn kill(control: &instance::exec::Control) {
    control.signal(KILL);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_as_clients_write_them() {
        let resize = br#"{"command":"window-resize","args":{"width":"80","height":"50"},"signal":0}"#;
        assert_eq!(Command::parse(resize), Some(Command::Resize { width: 80, height: 50 }));
        let signal = br#"{"command":"signal","args":null,"signal":15}"#;
        assert_eq!(Command::parse(signal), Some(Command::Signal(15)));
    }

    #[test]
    fn nonsense_is_ignored() {
        for text in [
            "",
            "{",
            "[]",
            r#"{"command":"signal","signal":0}"#,
            r#"{"command":"signal","signal":65}"#,
            r#"{"command":"signal","signal":"15"}"#,
            r#"{"command":"window-resize","args":{"width":"80"}}"#,
            r#"{"command":"window-resize","args":{"width":"80","height":"0"}}"#,
            r#"{"command":"window-resize","args":{"width":"80000","height":"20"}}"#,
            r#"{"command":"reboot"}"#,
        ] {
            assert_eq!(Command::parse(text.as_bytes()), None, "{text}");
        }
    }
}
