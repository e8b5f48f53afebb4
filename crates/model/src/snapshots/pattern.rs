//! What snapshots without a name are called: `snap%d`, or a template such as
//! `{{ creation_date|date:"2006-01-02_15-04-05" }}`.

use crate::SnapshotName;
use jiff::civil::DateTime;
use std::collections::BTreeSet;

/// What snapshots without a name are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// `%d`: one more than the highest number that is there.
    Number,
    /// The creation date in the form of Go's package `time`.
    Date(String),
}

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // the texts say it
pub enum PatternError {
    #[error(
        "{{{{{0}}}}} cannot be filled in; use {{{{ creation_date }}}}, or {{{{ creation_date|date:\"2006-01-02\" }}}} with Go's way of writing dates"
    )]
    Variable(String),
    #[error("a {{{{ has no }}}}")]
    Open,
    #[error("only one %d is possible")]
    Numbers,
    #[error("it gives names that snapshots cannot have, such as {0:?}")]
    Name(String),
}

/// The form of a date when none is given.
const DATE: &str = "2006-01-02_15-04-05";

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// [`PatternError`].
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            numbers(before, &mut pieces);
            let (inside, behind) = after.split_once("}}").ok_or(PatternError::Open)?;
            let layout = layout(inside).ok_or_else(|| PatternError::Variable(inside.to_owned()))?;
            pieces.push(Piece::Date(layout.to_owned()));
            rest = behind;
        }
        numbers(rest, &mut pieces);
        if pieces.iter().filter(|piece| **piece == Piece::Number).count() > 1 {
            return Err(PatternError::Numbers);
        }
        let pattern = Self(pieces);
        let sample = pattern.fill(DateTime::constant(2026, 11, 22, 20, 0, 0, 0), 0);
        match SnapshotName::parse(&sample) {
            Ok(_) => Ok(pattern),
            Err(_) => Err(PatternError::Name(sample)),
        }
    }

    /// A name for what is made at `now` and has these siblings. Without a number in the pattern it
    /// may be that of a sibling.
    ///
    /// # Errors
    /// [`PatternError::Name`] when the date or the number makes the name too long.
    pub fn name(&self, now: DateTime, siblings: &BTreeSet<String>) -> Result<SnapshotName, PatternError> {
        let mark = self.fill_with(now, "\0");
        let next = match mark.split_once('\0') {
            Some((before, after)) => siblings
                .iter()
                .filter_map(|name| number_between(name, before, after))
                .max()
                .map_or(0, |highest| highest.saturating_add(1)),
            None => 0,
        };
        let name = self.fill(now, next);
        SnapshotName::parse(&name).map_err(|_| PatternError::Name(name))
    }

    fn fill(&self, now: DateTime, number: u64) -> String {
        self.fill_with(now, &number.to_string())
    }

    fn fill_with(&self, now: DateTime, number: &str) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Number => number.to_owned(),
            Piece::Date(layout) => date(layout, now),
        };
        self.0.iter().map(piece).collect()
    }
}

impl Default for Pattern {
    /// `snap%d`.
    fn default() -> Self {
        Self(vec![Piece::Text("snap".to_owned()), Piece::Number])
    }
}

/// The digits directly between two texts; whatever follows them does not count, so that `snap3-old`
/// is the third one too.
fn number_between(name: &str, before: &str, after: &str) -> Option<u64> {
    let rest = name.strip_prefix(before)?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (digits, behind) = rest.split_at(end);
    if behind.starts_with(after) { digits.parse().ok() } else { None }
}

fn numbers(text: &str, pieces: &mut Vec<Piece>) {
    for (index, part) in text.split("%d").enumerate() {
        if index > 0 {
            pieces.push(Piece::Number);
        }
        if !part.is_empty() {
            pieces.push(Piece::Text(part.to_owned()));
        }
    }
}

/// `creation_date`, perhaps with a filter `date:"<layout>"`.
fn layout(inside: &str) -> Option<&str> {
    let rest = inside.trim().strip_prefix("creation_date")?.trim_start();
    if rest.is_empty() {
        return Some(DATE);
    }
    let text =
        rest.strip_prefix('|')?.trim_start().strip_prefix("date")?.trim_start().strip_prefix(':')?.trim();
    let quoted = |quote| text.strip_prefix(quote)?.strip_suffix(quote);
    quoted('"').or_else(|| quoted('\'')).filter(|layout| !layout.contains(['"', '\'']))
}

/// What the parts of Go's reference date stand for, as `strftime(3)` says it; longer ones first.
const PARTS: &[(&str, &str)] = &[
    ("2006", "%Y"),
    ("January", "%B"),
    ("Jan", "%b"),
    ("Monday", "%A"),
    ("Mon", "%a"),
    ("01", "%m"),
    ("02", "%d"),
    ("03", "%I"),
    ("04", "%M"),
    ("05", "%S"),
    ("06", "%y"),
    ("002", "%j"),
    ("15", "%H"),
    ("PM", "%p"),
    ("pm", "%P"),
    ("_2", "%e"),
    ("1", "%-m"),
    ("2", "%-d"),
    ("3", "%-I"),
    ("4", "%-M"),
    ("5", "%-S"),
];

fn date(layout: &str, time: DateTime) -> String {
    let mut format = String::new();
    let mut rest = layout;
    while let Some(first) = rest.chars().next() {
        if let Some((part, stands_for)) = PARTS.iter().find(|(part, _)| rest.starts_with(part)) {
            format.push_str(stands_for);
            rest = &rest[part.len()..];
        } else {
            if first == '%' {
                format.push('%');
            }
            format.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    time.strftime(&format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(pattern: &str, siblings: &[&str]) -> String {
        let siblings = siblings.iter().map(|&name| name.to_owned()).collect();
        let now = DateTime::constant(2024, 3, 7, 15, 4, 9, 0);
        Pattern::parse(pattern).unwrap().name(now, &siblings).unwrap().to_string()
    }

    #[test]
    fn numbers_go_on_after_the_highest() {
        assert_eq!(Pattern::parse("snap%d").unwrap(), Pattern::default());
        assert_eq!(name("snap%d", &[]), "snap0");
        assert_eq!(name("snap%d", &["snap0", "snap9", "snap10", "other99", "snapX", "snap"]), "snap11");
        assert_eq!(name("snap%d", &["snap3-old"]), "snap4");
        assert_eq!(name("a%d-b", &["a7-b", "a9"]), "a8-b");
    }

    #[test]
    fn dates_are_written_as_go_writes_them() {
        assert_eq!(name(r#"{{ creation_date|date:"2006-01-02_15-04-05" }}"#, &[]), "2024-03-07_15-04-09");
        assert_eq!(name("auto-{{creation_date}}", &[]), "auto-2024-03-07_15-04-09");
        assert_eq!(name("{{ creation_date | date: 'Mon Jan _2 3:04PM 06' }}", &[]), "Thu Mar  7 3:04PM 24");
        assert_eq!(name(r#"{{ creation_date|date:"20060102" }}-%d"#, &["20240307-0"]), "20240307-1");
        assert_eq!(name(r#"100%{{ creation_date|date:"1/2" }}"#.replace('/', ".").as_str(), &[]), "100%3.7");
    }

    #[test]
    fn what_gives_no_names_is_refused() {
        for pattern in ["", "a/b", "%d%d", "{{ creation_date", "{{ name }}", "{{ creation_date|upper }}", "."]
        {
            assert!(Pattern::parse(pattern).is_err(), "{pattern}");
        }
        assert!(Pattern::parse(r#"{{ creation_date|date:"2006/01" }}"#).is_err());
    }
}
