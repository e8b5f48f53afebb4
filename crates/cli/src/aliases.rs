//! Aliases: words at the beginning of a command line that stand for others.

use crate::settings::Settings;
use std::ffi::OsString;

/// What exists without being defined.
pub(crate) const BUILT_IN: &[(&str, &str)] = &[("shell", "exec @ARGS@ -- su -l")];

/// Where the other arguments go.
const ARGS: &str = "@ARGS@";

/// Replaces the longest alias that the command line begins with. `words` has the program's name first.
/// The result is not expanded again, so an alias may be named like the command it uses.
pub(crate) fn expand(words: Vec<OsString>, settings: &Settings) -> Vec<OsString> {
    let defined = settings.aliases.iter().map(|(alias, target)| (alias.as_str(), target.as_str()));
    // Chained first: a user's own meaning of a built-in alias wins.
    let matching = defined.chain(BUILT_IN.iter().copied()).filter_map(|(alias, target)| {
        let alias: Vec<&str> = alias.split_whitespace().collect();
        let given = words.get(1..=alias.len())?;
        (!alias.is_empty() && given.iter().zip(&alias).all(|(given, word)| given == word))
            .then_some((alias.len(), target))
    });
    let Some((length, target)) = matching.reduce(|best, next| if next.0 > best.0 { next } else { best })
    else {
        return words;
    };
    let rest = &words[length + 1..];
    let mut result = vec![words[0].clone()];
    let mut placed = false;
    for word in split(target) {
        if word == ARGS {
            result.extend_from_slice(rest);
            placed = true;
        } else {
            result.push(word.into());
        }
    }
    if !placed {
        result.extend_from_slice(rest);
    }
    result
}

/// Splits at blanks that are not inside quotes.
fn split(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in text.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    fn expanded(aliases: &[(&str, &str)], line: &str) -> String {
        let mut settings = Settings::for_tests();
        settings.aliases = aliases.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        let words = line.split(' ').map(OsString::from).collect();
        let words = expand(words, &settings);
        words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn shell_is_there_from_the_start() {
        assert_eq!(expanded(&[], "lxc shell c1"), "lxc exec c1 -- su -l");
        assert_eq!(expanded(&[("shell", "exec @ARGS@ -- zsh")], "lxc shell c1"), "lxc exec c1 -- zsh");
    }

    #[test]
    fn the_longest_alias_wins_and_arguments_are_appended() {
        let aliases = [("list", "list -c ns"), ("list all", "list -c nsP")];
        assert_eq!(expanded(&aliases, "lxc list web"), "lxc list -c ns web");
        assert_eq!(expanded(&aliases, "lxc list all web"), "lxc list -c nsP web");
        assert_eq!(expanded(&aliases, "lxc info"), "lxc info");
    }

    #[test]
    fn quotes_keep_words_together() {
        assert_eq!(split("exec @ARGS@ -- sh -c 'a b' \"\""), ["exec", ARGS, "--", "sh", "-c", "a b", ""]);
    }
}
