//! `lxc completion`.

use crate::args::{Cli, CompletionArgs, CompletionShell};
use crate::output;
use clap::CommandFactory as _;
use clap_complete::Shell;

pub(crate) fn run(args: &CompletionArgs) -> anyhow::Result<()> {
    let shell = match args.shell {
        CompletionShell::Bash => Shell::Bash,
        CompletionShell::Zsh => Shell::Zsh,
        CompletionShell::Fish => Shell::Fish,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "lxc", &mut script);
    Ok(output::print(&String::from_utf8_lossy(&script))?)
}
