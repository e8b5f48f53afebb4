//! What each kind of name may be.

use super::NameError;

type Check = Result<(), NameError>;

fn invalid(what: &'static str, name: &str, rule: &'static str) -> Check {
    Err(NameError::Invalid { what, name: name.to_owned(), rule })
}

/// Names end up in log lines, terminals and system calls; none of them can take these.
fn has_control(name: &str) -> bool {
    name.chars().any(char::is_control)
}

/// Names that are one component of a path.
fn is_component(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 255
        && name != "."
        && name != ".."
        && !name.contains('/')
        && !has_control(name)
}

const COMPONENT: &str = "1 to 255 bytes without '/' and control characters, and not \".\" or \"..\"";

pub(super) fn instance(name: &str) -> Check {
    if name.contains('/') {
        return Err(NameError::ReservedForSnapshots { what: "container" });
    }
    let bytes = name.as_bytes();
    let good = (1..=63).contains(&bytes.len())
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-')
        && bytes.first().is_some_and(u8::is_ascii_alphabetic)
        && bytes.last() != Some(&b'-');
    if good {
        return Ok(());
    }
    invalid(
        "container name",
        name,
        "1 to 63 letters (a-z, A-Z), digits and dashes, starting with a letter and not ending with a dash",
    )
}

pub(super) fn snapshot(name: &str) -> Check {
    if is_component(name) { Ok(()) } else { invalid("snapshot name", name, COMPONENT) }
}

pub(super) fn profile(name: &str) -> Check {
    if is_component(name) { Ok(()) } else { invalid("profile name", name, COMPONENT) }
}

pub(super) fn pool(name: &str) -> Check {
    if is_component(name) { Ok(()) } else { invalid("storage pool name", name, COMPONENT) }
}

pub(super) fn volume(name: &str) -> Check {
    // Dots hide what is being made or removed; a leading dash reads as an option to programs.
    if is_component(name) && !name.starts_with(['.', '-']) {
        return Ok(());
    }
    invalid(
        "storage volume name",
        name,
        "1 to 255 bytes without '/' and control characters, and no dot or dash first",
    )
}

pub(super) fn network(name: &str) -> Check {
    // The kernel refuses ".." as an interface; a leading dash reads as an option to programs.
    let good = (2..=15).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        && name != ".."
        && !name.starts_with('-');
    if good {
        return Ok(());
    }
    invalid(
        "network name",
        name,
        "2 to 15 letters (a-z, A-Z), digits, dashes, underscores and dots, not starting with a dash",
    )
}

pub(super) fn alias(name: &str) -> Check {
    if name.is_empty() || has_control(name) {
        return invalid("image alias name", name, "at least one character, and no control characters");
    }
    Ok(())
}

pub(super) fn device(name: &str) -> Check {
    if name.is_empty() || name.len() > 64 || has_control(name) {
        return invalid("device name", name, "1 to 64 bytes without control characters");
    }
    Ok(())
}

fn is_lower_hex(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

pub(super) fn fingerprint(text: &str) -> Check {
    if text.len() == 64 && is_lower_hex(text) {
        return Ok(());
    }
    invalid("image fingerprint", text, "64 lower-case hexadecimal digits")
}

pub(super) fn fingerprint_prefix(text: &str) -> Check {
    if (1..=64).contains(&text.len()) && is_lower_hex(text) {
        return Ok(());
    }
    invalid("image fingerprint", text, "1 to 64 lower-case hexadecimal digits")
}
