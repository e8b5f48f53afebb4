//! `raw.apparmor`: lines inside a container's profile.

/// Checks that the lines stay inside the profile that they are put into: braces outside of quotes
/// and comments are balanced, and none closes what another one has not opened.
///
/// # Errors
/// What is wrong, as the end of a sentence.
pub(super) fn check(text: &str) -> Result<(), String> {
    let mut depth = 0_usize;
    for (number, line) in text.lines().enumerate() {
        let wrong = |what: &str| format!("line {}: {what}: {line:?}", number + 1);
        for c in plain(line).map_err(wrong)?.chars() {
            match c {
                '{' => depth += 1,
                '}' => depth = depth.checked_sub(1).ok_or_else(|| wrong("this brace closes nothing"))?,
                _ => {}
            }
        }
    }
    if depth == 0 { Ok(()) } else { Err("a closing brace is missing".to_owned()) }
}

/// What a line has besides comments, includes and quoted names.
fn plain(line: &str) -> Result<String, &'static str> {
    let mut rest = String::new();
    let mut quoted = false;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => drop(chars.next()),
            '"' => quoted = !quoted,
            '#' if !quoted => break,
            _ if !quoted => rest.push(c),
            _ => {}
        }
    }
    if quoted { Err("a quotation mark is missing") } else { Ok(rest) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_good() {
        for text in [
            "",
            "deny /etc/shadow rwklx,\nmount fstype=nfs,",
            "/srv/{a,b}/** rw,  # a comment with }",
            "deny \"/srv/with {brace\" r,",
            "#include <abstractions/base>",
            "/srv/\\{x r,",
            "profile inner {\n  file,\n}",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    /// Rule R4: what is put into a profile cannot end it and begin another one.
    #[test]
    fn r4_what_leaves_the_profile_is_refused() {
        for text in ["}\nprofile x {", "} profile /usr/bin/sudo {", "/a{b r,", "deny \"/x r,"] {
            assert!(check(text).is_err(), "{text}");
        }
        assert!(check("deny /x r,\n}").unwrap_err().starts_with("line 2"), "the line is named");
    }
}
