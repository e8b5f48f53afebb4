//! `lxc exec`.

use crate::args::{ExecArgs, ExecMode};
use crate::session::{Session, Target};
use crate::signals::{Arrived, Signals};
use crate::terminal::{self, RawMode};
use crate::transfer::{self, End};
use anyhow::Context as _;
use api::exec::ExecPost;
use client::{ControlStream, ExecSession};
use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

pub(crate) async fn run(session: &Session, args: ExecArgs) -> anyhow::Result<ExitCode> {
    let (client, Target { name, .. }) = session.named(&args.container, "container")?;
    let interactive = is_interactive(&args, io::stdin().is_terminal() && io::stdout().is_terminal());
    let mut signals = Signals::catch().context("cannot catch signals")?;
    let (width, height) = if interactive { terminal::size() } else { (0, 0) };
    let request = ExecPost {
        environment: environment(&args, std::env::var("TERM").ok()),
        command: args.command,
        interactive,
        width,
        height,
        user: args.user,
        group: args.group,
        cwd: args.cwd,
        ..ExecPost::default()
    };
    let ExecSession { mut control, mut stdin, stdout, stderr, exit } = client.exec(&name, &request).await?;
    let raw = if interactive { RawMode::enter().context("cannot prepare the terminal")? } else { None };

    let end = if interactive { End::HangUp } else { End::Wait };
    let out = transfer::output(stdout, io::stdout(), end);
    let err = async {
        match stderr {
            Some(stderr) => transfer::output(stderr, io::stderr(), End::Wait).await.map(Some),
            None => Ok(None),
        }
    };
    // Both keep the input's connection open until the command has ended.
    let (_quiet, _kept);
    if args.disable_stdin {
        // A command that ended at once does not care.
        let _ = stdin.finish();
        _quiet = stdin;
    } else {
        _kept = transfer::input(io::stdin(), stdin, transfer::unfiltered);
    }

    let ended = async {
        let out = async { out.await.context("cannot write to standard output") };
        let err = async { err.await.context("cannot write to standard error") };
        let exit = async { exit.wait().await.map_err(anyhow::Error::from) };
        let (_out, _err, status) = tokio::try_join!(out, err, exit)?;
        Ok::<i32, anyhow::Error>(status)
    };
    tokio::pin!(ended);
    let status = loop {
        tokio::select! {
            // Its failure drops the control stream unclosed: the server then ends the command.
            status = &mut ended => break status?,
            arrived = signals.next() => pass_on(&mut control, arrived, interactive).await,
        }
    };
    control.close("").await;
    drop(raw);
    Ok(ExitCode::from((status & 0xff) as u8))
}

/// Sends a signal or the new size to the command. A control stream that is closed already means
/// that the command has ended, which is noticed elsewhere.
async fn pass_on(control: &mut ControlStream, arrived: Arrived, interactive: bool) {
    let _ = match arrived {
        Arrived::Signal(number) => control.signal(number).await,
        Arrived::Resize if interactive => {
            let (width, height) = terminal::size();
            control.resize(width, height).await
        }
        Arrived::Resize => Ok(()),
    };
}

fn is_interactive(args: &ExecArgs, terminals: bool) -> bool {
    if args.force_interactive {
        return true;
    }
    if args.force_noninteractive || args.disable_stdin {
        return false;
    }
    match args.mode {
        ExecMode::Interactive => true,
        ExecMode::NonInteractive => false,
        ExecMode::Auto => terminals,
    }
}

fn environment(args: &ExecArgs, term: Option<String>) -> api::Config {
    let given = args.env.iter().map(|text| text.split_once('=').unwrap_or((text, "")));
    let given = given.map(|(key, value)| (key.to_owned(), value.to_owned()));
    term.map(|term| ("TERM".to_owned(), term)).into_iter().chain(given).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use clap::Parser as _;

    fn args(line: &str) -> ExecArgs {
        match Cli::try_parse_from(line.split(' ')).unwrap().command {
            Command::Exec(args) => args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn flags_end_where_the_command_begins() {
        assert_eq!(args("lxc exec c ls -la").command, ["ls", "-la"]);
        assert_eq!(args("lxc exec c -- ls -la").command, ["ls", "-la"]);
        assert_eq!(args("lxc exec c -T -- ls -- -x").command, ["ls", "--", "-x"]);
        let given = args("lxc exec c --env A=b --cwd /srv env -t --user 3");
        assert_eq!(given.command, ["env", "-t", "--user", "3"]);
        assert_eq!((given.env, given.cwd.as_str(), given.user), (vec!["A=b".to_owned()], "/srv", 0));
        let given = args("lxc exec --user 1000 --group=100 c -n id");
        assert_eq!((given.user, given.group, given.disable_stdin), (1000, 100, true));
        assert!(Cli::try_parse_from("lxc exec c -t -T ls".split(' ')).is_err());
        assert!(Cli::try_parse_from("lxc exec c -t --mode auto ls".split(' ')).is_err());
        assert!(Cli::try_parse_from("lxc exec c".split(' ')).is_err());
    }

    #[test]
    fn terminals_decide_unless_told() {
        let wants = |line: &str, terminals| is_interactive(&args(line), terminals);
        assert!(wants("lxc exec c sh", true) && !wants("lxc exec c sh", false));
        assert!(wants("lxc exec c -t sh", false) && !wants("lxc exec c -T sh", true));
        assert!(!wants("lxc exec c -n sh", true));
        assert!(wants("lxc exec c --mode interactive sh", false));
        assert!(!wants("lxc exec c --mode=non-interactive sh", true));
    }

    #[test]
    fn the_environment_has_our_terminal_and_what_is_given() {
        let found = environment(&args("lxc exec c --env A=1=2 --env B sh"), Some("xterm".into()));
        let expected = [("A", "1=2"), ("B", ""), ("TERM", "xterm")];
        assert_eq!(found, expected.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
    }
}
