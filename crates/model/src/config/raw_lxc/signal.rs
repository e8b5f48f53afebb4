//! Names of signals, `signal(7)`.

const NAMES: [(&str, i32); 31] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ILL", 4),
    ("TRAP", 5),
    ("ABRT", 6),
    ("BUS", 7),
    ("FPE", 8),
    ("KILL", 9),
    ("USR1", 10),
    ("SEGV", 11),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
    ("STKFLT", 16),
    ("CHLD", 17),
    ("CONT", 18),
    ("STOP", 19),
    ("TSTP", 20),
    ("TTIN", 21),
    ("TTOU", 22),
    ("URG", 23),
    ("XCPU", 24),
    ("XFSZ", 25),
    ("VTALRM", 26),
    ("PROF", 27),
    ("WINCH", 28),
    ("IO", 29),
    ("PWR", 30),
    ("SYS", 31),
];

/// The first and the last signal that programs may use for themselves, as C libraries have them.
const RTMIN: i32 = 34;
const RTMAX: i32 = 64;

/// The number of `SIGPWR`, `PWR`, `SIGRTMIN+3`, `RTMAX-1` or `30`.
#[must_use]
pub fn parse(text: &str) -> Option<i32> {
    let upper = text.to_ascii_uppercase();
    if upper.chars().next().is_some_and(|c| c.is_ascii_digit()) {
        return upper.parse().ok().filter(|number| (1..=RTMAX).contains(number));
    }
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some(rest) = name.strip_prefix("RTMIN") {
        let offset = if rest.is_empty() { 0 } else { digits(rest.strip_prefix('+')?)? };
        return Some(RTMIN + offset).filter(|number| *number <= RTMAX);
    }
    if let Some(rest) = name.strip_prefix("RTMAX") {
        let offset = if rest.is_empty() { 0 } else { digits(rest.strip_prefix('-')?)? };
        return Some(RTMAX - offset).filter(|number| *number >= RTMIN);
    }
    NAMES.iter().find(|(known, _)| *known == name).map(|(_, number)| *number)
}

fn digits(text: &str) -> Option<i32> {
    let short = text.len() <= 2 && text.bytes().all(|b| b.is_ascii_digit());
    if short { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        let cases =
            [("SIGPWR", 30), ("pwr", 30), ("SIGRTMIN+3", 37), ("RTMIN", 34), ("SIGRTMAX-1", 63), ("15", 15)];
        for (text, number) in cases {
            assert_eq!(parse(text), Some(number), "{text}");
        }
        for text in ["", "0", "65", "SIG", "SIGRTMIN+31", "SIGRTMIN-1", "RTMAX+1", "-1", "SIGRTMIN+-3"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
