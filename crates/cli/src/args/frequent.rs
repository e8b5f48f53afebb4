//! The commands that are typed most, without the others: to put together what can be said about all forty
//! takes longer than a short command needs for its own work.

use super::{Cli, Command, CreateArgs, ExecArgs, Global, ListArgs, StartArgs, StopArgs};
use clap::{Parser, Subcommand};
use std::ffi::OsString;

/// As in [`Command`].
const NAMES: [&str; 5] = ["exec", "launch", "list", "start", "stop"];

#[derive(Parser)]
#[command(name = "lxc")]
struct Frequently {
    #[command(flatten)]
    global: Global,

    #[command(subcommand)]
    command: Frequent,
}

#[derive(Subcommand)]
#[command(defer = true)]
enum Frequent {
    Exec(ExecArgs),
    Launch(CreateArgs),
    List(ListArgs),
    Start(StartArgs),
    Stop(StopArgs),
}

impl Cli {
    /// What a command line says.
    ///
    /// # Errors
    /// Help was asked for, or it says nothing.
    pub(crate) fn read(words: &[OsString]) -> Result<Self, clap::Error> {
        let frequent = words.get(1).is_some_and(|word| NAMES.iter().any(|name| word == name));
        // What is wrong, and help, is told by the one who knows all commands.
        match frequent.then(|| Frequently::try_parse_from(words)) {
            Some(Ok(Frequently { global, command })) => Ok(Self { global, command: command.into() }),
            _ => Self::try_parse_from(words),
        }
    }
}

impl From<Frequent> for Command {
    fn from(frequent: Frequent) -> Self {
        match frequent {
            Frequent::Exec(args) => Self::Exec(args),
            Frequent::Launch(args) => Self::Launch(args),
            Frequent::List(args) => Self::List(args),
            Frequent::Start(args) => Self::Start(args),
            Frequent::Stop(args) => Self::Stop(args),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_read_the_same() {
        for line in [
            "exec c -T -- ls -la",
            "exec --user 3 c env -t --quiet",
            "exec c",
            "exec --help",
            "exec c -q --debug true",
            "launch debian/12 first -c a=b -p web --verbose",
            "launch",
            "list",
            "list --format json --fast web --force-local",
            "list --nonsense",
            "start --all",
            "start first second --stateless",
            "stop",
            "stop first --timeout -1 -f",
            "pause first",
            "",
        ] {
            let words: Vec<OsString> =
                ["lxc"].into_iter().chain(line.split_whitespace()).map(OsString::from).collect();
            let told = |result: Result<Cli, clap::Error>| match result {
                Ok(cli) => format!("{cli:?}"),
                Err(error) => error.render().to_string(),
            };
            assert_eq!(told(Cli::read(&words)), told(Cli::try_parse_from(&words)), "{line}");
        }
    }
}
