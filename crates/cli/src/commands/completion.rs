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
        [[ ${COMPREPLY[0]} == *[=.:] ]] && compopt -o nospace 2>/dev/null
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
        # Something follows what ends with = or a dot.
        local -a whole=(${found:#*[=.]}) open=(${(M)found:#*[=.]})
        (( $#whole )) && compadd -a whole
        (( $#open )) && compadd -S '' -a open
        return 0
    fi
    _lxc "$@"
}
compdef _lxc_words lxc
# As a function of a site it is read when the first word is asked for.
if [ "$funcstack[1]" = "_lxc" ]; then
    _lxc_words "$@"
fi
"#;
/// Where clap's script for zsh begins to answer or to announce itself.
const ZSH_END: &str = "\nif [ \"$funcstack[1]\" = ";

const FISH: &str = r#"
# Where the server knows words, files are not among them.
function __fish_lxc_asked
    set -g __fish_lxc_words (lxc complete -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)
    test (count $__fish_lxc_words) -gt 0
end
complete -c lxc -n __fish_lxc_asked -f -a '$__fish_lxc_words'
"#;

pub(crate) fn run(args: &CompletionArgs) -> anyhow::Result<()> {
    let (shell, words) = match args.shell {
        CompletionShell::Bash => (Shell::Bash, BASH),
        CompletionShell::Zsh => (Shell::Zsh, ZSH),
        CompletionShell::Fish => (Shell::Fish, FISH),
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "lxc", &mut script);
    let mut script = String::from_utf8_lossy(&script).into_owned();
    if let (CompletionShell::Zsh, Some(end)) = (args.shell, script.rfind(ZSH_END)) {
        script.truncate(end);
    }
    script.push_str(words);
    Ok(output::print(&script)?)
}
