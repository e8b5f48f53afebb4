//! `lxc console`.

use crate::args::ConsoleArgs;
use crate::output;
use crate::session::{Session, Target};
use crate::signals::{Arrived, Signals};
use crate::terminal::{self, RawMode};
use crate::transfer::{self, End};
use anyhow::Context as _;
use client::Client;
use std::io;
use tokio::sync::mpsc;

pub(crate) async fn run(session: &Session, args: &ConsoleArgs) -> anyhow::Result<()> {
    let (client, Target { name, .. }) = session.named(&args.container, "container")?;
    if args.show_log {
        let log = client.console_log(&name).await?.bytes().await?;
        output::print(&format!("\nConsole log:\n\n{}", String::from_utf8_lossy(&log)))?;
        return Ok(());
    }
    attach(&client, &name).await
}

async fn attach(client: &Client, name: &str) -> anyhow::Result<()> {
    let mut signals = Signals::catch().context("cannot catch signals")?;
    let (width, height) = terminal::size();
    let console = client.console(name, width, height).await?;
    let raw = RawMode::enter().context("cannot prepare the terminal")?;
    output::print("To detach from the console, press: <ctrl>+a q\r\n")?;

    let mut control = console.control;
    let out = transfer::output(console.output, io::stdout(), End::HangUp);
    tokio::pin!(out);
    let (leave, mut left) = mpsc::unbounded_channel();
    let mut keys = Keys::default();
    let _kept = transfer::input(io::stdin(), console.input, move |data, to| {
        let detach = keys.feed(data);
        to.send(&keys.sent)?;
        if detach {
            let _ = leave.send(());
        }
        Ok(!detach)
    });
    let mut detached = false;
    loop {
        tokio::select! {
            outcome = &mut out => {
                outcome.context("cannot write to standard output")?;
                break;
            }
            Some(()) = left.recv() => {
                detached = true;
                break;
            }
            arrived = signals.next() => match arrived {
                Arrived::Resize => {
                    let (width, height) = terminal::size();
                    // A closed stream means that the console ended, which is noticed above.
                    let _ = control.resize(width, height).await;
                }
                // In raw mode the keyboard makes none of these: somebody wants us gone.
                Arrived::Signal(_) => {
                    detached = true;
                    break;
                }
            },
        }
    }
    control.close("Detaching from console").await;
    drop(raw);
    if !detached {
        console.pending.wait().await?;
    }
    output::line("")?;
    Ok(())
}

/// Looks for Ctrl-A and then `q` in what is typed.
#[derive(Debug, Default)]
struct Keys {
    after_prefix: bool,
    /// What goes to the container.
    sent: Vec<u8>,
}

/// Ctrl-A.
const PREFIX: u8 = 1;

impl Keys {
    /// Takes what was typed; true to detach. The prefix is swallowed, typed twice it is sent once.
    fn feed(&mut self, data: &[u8]) -> bool {
        self.sent.clear();
        for &byte in data {
            match (self.after_prefix, byte) {
                (true, b'q') => return true,
                (false, PREFIX) => self.after_prefix = true,
                (_, byte) => {
                    self.after_prefix = false;
                    self.sent.push(byte);
                }
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_out_is_found_across_reads() {
        let mut keys = Keys::default();
        assert!(!keys.feed(b"aq\x01"));
        assert_eq!(keys.sent, b"aq");
        assert!(keys.feed(b"qx"));
        let mut keys = Keys::default();
        assert!(!keys.feed(b"\x01x\x01\x01q"));
        assert_eq!(keys.sent, b"x\x01q");
    }
}
