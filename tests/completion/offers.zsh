# What zsh offers for a line: zsh -f offers.zsh SCRIPT LINE. SCRIPT is sourced, or, when its name is
# _lxc, found as functions of a site are.
zmodload zsh/zpty || exit 3
zpty shell zsh -f -i
() {
    zpty -w shell "source $1"
    repeat 8; do zpty -r -m shell line '*ready*' && return; done
    exit 2
} =( <<< "
    PROMPT=; stty -echo 2>/dev/null
    fpath=(${1:h} \$fpath)
    autoload compinit; compinit -u -D
    [[ ${1:t} = _lxc ]] || source $1
    bindkey '^I' complete-word
    zstyle ':completion:*' insert-tab false
    mark () { print -r -- \$'\\1' }
    compprefuncs=(mark)
    comppostfuncs=(mark exit)
    compadd () {
        case \"\${(j: :)\${@[1,(i)(-|--)]}}\" in *-[OAD]*) builtin compadd \"\$@\"; return ;; esac
        typeset -a hits
        builtin compadd -A hits \"\$@\"
        print -rl -- \$hits
        builtin compadd \"\$@\"
    }
    print ready
" )
zpty -w shell "$2"$'\t'
integer marks=0
while zpty -r shell line; do
    line=${line%$'\r\n'}
    if [[ $line = *$'\1'* ]]; then (( ++marks == 2 )) && break; continue; fi
    (( marks )) && print -r -- $line
done
