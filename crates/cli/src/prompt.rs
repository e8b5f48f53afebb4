//! Questions to whoever sits at the terminal. Without one, answers are lines of standard input.

use crate::output;
use anyhow::{Context as _, bail};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::io::{self, IsTerminal as _};

/// Asks for a line.
pub(crate) async fn line(question: &str) -> anyhow::Result<String> {
    output::print(question)?;
    read().await
}

/// Asks for what should not be seen on the screen.
pub(crate) async fn secret(question: &str) -> anyhow::Result<String> {
    output::print(question)?;
    let hidden = Hidden::enter().context("cannot prepare the terminal")?;
    let answer = read().await;
    if hidden.is_some() {
        // The line feed that was typed is not seen either.
        output::print("\n")?;
    }
    answer
}

async fn read() -> anyhow::Result<String> {
    let reading = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        io::stdin().read_line(&mut line).map(|count| (count, line))
    });
    // Caught, so that the terminal shows again what is typed.
    let (count, line) = tokio::select! {
        line = reading => line.context("cannot read the answer")?.context("cannot read the answer")?,
        _ = tokio::signal::ctrl_c() => bail!("Interrupted"),
    };
    if count == 0 {
        bail!("No answer: standard input is at its end");
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// A terminal that does not show what is typed, until dropped. See termios(3), `ECHO`.
struct Hidden {
    before: Termios,
}

impl Hidden {
    fn enter() -> io::Result<Option<Self>> {
        let stdin = io::stdin();
        if !stdin.is_terminal() {
            return Ok(None);
        }
        let before = tcgetattr(&stdin)?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&stdin, OptionalActions::Flush, &hidden)?;
        Ok(Some(Self { before }))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // The terminal may be gone, and then nobody needs it restored.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}
