//! `lxc completion`: clap's script for the words that never change, and around it a question to
//! `lxc complete` for those that the server knows.

use crate::args::{Cli, CompletionArgs, CompletionShell};
use crate::output;
use clap::CommandFactory as _;
use clap_complete::Shell;

const BASH: &str = r#"
_lxc_words() {
    local found
    # Bash cuts words at = and :, which keys and pairs have in them.
    found=$(lxc complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
    if [[ -n $found ]]; then
        mapfile -t COMPREPLY <<< "$found"
        [[ ${COMPREPLY[0]} == *[=.] ]] && compopt -o nospace 2>/dev/null
    else
        _lxc "$@"
    fi
}
complete -F _lxc_words -o bashdefault -o default lxc
"#;

const ZSH: &str = r#"
_lxc_words() {
    local -a found
    found=(${(f)"$(lxc complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)"})
    if (( $#found )); then
        compadd -a found
    else
        _lxc "$@"
    fi
}
compdef _lxc_words lxc
"#;

const FISH: &str =
    "\ncomplete -c lxc -a \"(lxc complete -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)\"\n";

pub(crate) fn run(args: &CompletionArgs) -> anyhow::Result<()> {
    let (shell, words) = match args.shell {
        CompletionShell::Bash => (Shell::Bash, BASH),
        CompletionShell::Zsh => (Shell::Zsh, ZSH),
        CompletionShell::Fish => (Shell::Fish, FISH),
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "lxc", &mut script);
    let mut script = String::from_utf8_lossy(&script).into_owned();
    script.push_str(words);
    Ok(output::print(&script)?)
}
