//! The language of `filter=` in lists: which objects are wanted.
//!
//! ```text
//! filter = clause { ("and" | "or") clause }      strictly from left to right
//! clause = [ "not" ] field op value              op: "eq", "ne"
//! ```
//!
//! Words are separated by white space; a value with white space is in double quotes. A field is
//! a name, or several with dots between (`config.image.os`). A value is a regular expression for
//! the whole text in any case; one with `^` or `$` in it is anchored only where it says.

use regex_lite::{Regex, RegexBuilder};
use serde_json::Value;

/// A filter.
#[derive(Clone, Debug)]
pub struct Filter {
    first: Clause,
    rest: Vec<(Join, Clause)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Join {
    And,
    Or,
}

#[derive(Clone, Debug)]
struct Clause {
    negated: bool,
    field: String,
    pattern: Pattern,
}

#[derive(Clone, Debug)]
enum Pattern {
    Regex(Regex),
    /// What is no regular expression, in lower case.
    Literal(String),
}

/// Why a text is no filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// It ends in the middle of a clause.
    #[error("{clause:?} is not complete: write field eq value, or field ne value")]
    Incomplete {
        /// What there is of the clause.
        clause: String,
    },
    /// Another word than `eq` and `ne`.
    #[error("unknown operator {word:?}: use eq or ne")]
    Operator {
        /// The word.
        word: String,
    },
    /// Another word than `and` and `or` between clauses.
    #[error("unknown word {word:?} between clauses: use and or or")]
    Join {
        /// The word.
        word: String,
    },
    /// A value that begins with a quote and does not end with one.
    #[error("unterminated quote in {text:?}")]
    Quote {
        /// The value.
        text: String,
    },
}

impl Filter {
    /// Reads a filter; nothing, or white space, is none.
    ///
    /// # Errors
    /// When it is not of the form above.
    pub fn parse(text: &str) -> Result<Option<Self>, FilterError> {
        let mut words = Words { text: text.trim() };
        if words.text.is_empty() {
            return Ok(None);
        }
        let first = clause(&mut words)?;
        let mut rest = vec![];
        while let Some(word) = words.next() {
            let join = match word {
                "and" => Join::And,
                "or" => Join::Or,
                _ => return Err(FilterError::Join { word: word.to_owned() }),
            };
            rest.push((join, clause(&mut words)?));
        }
        Ok(Some(Self { first, rest }))
    }

    /// True if the object is wanted.
    #[must_use]
    pub fn matches(&self, object: &Value) -> bool {
        self.rest.iter().fold(self.first.matches(object), |so_far, (join, clause)| match join {
            Join::And => so_far && clause.matches(object),
            Join::Or => so_far || clause.matches(object),
        })
    }
}

impl Clause {
    fn matches(&self, object: &Value) -> bool {
        lookup(object, &self.field).is_some_and(|value| self.pattern.matches(value)) != self.negated
    }
}

impl Pattern {
    fn new(value: &str) -> Self {
        let anchored = value.contains(['^', '$']);
        let whole = if anchored { value.to_owned() } else { format!("^(?:{value})$") };
        // The bound keeps a hostile expression from taking memory.
        let regex = RegexBuilder::new(&whole).case_insensitive(true).size_limit(1 << 20).build();
        regex.map_or_else(|_| Self::Literal(value.to_lowercase()), Self::Regex)
    }

    /// Numbers and booleans are compared as they are written: a filter on them would otherwise
    /// never let anything through.
    fn matches(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.matches_text(text),
            Value::Bool(_) | Value::Number(_) => self.matches_text(&value.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => false,
        }
    }

    fn matches_text(&self, text: &str) -> bool {
        match self {
            Self::Regex(regex) => regex.is_match(text),
            Self::Literal(literal) => text.to_lowercase() == *literal,
        }
    }
}

/// Finds a field. A key may have dots itself: the longest that exists is taken first.
fn lookup<'a>(value: &'a Value, field: &str) -> Option<&'a Value> {
    let object = value.as_object()?;
    if let Some(found) = object.get(field) {
        return Some(found);
    }
    field.rmatch_indices('.').find_map(|(dot, _)| {
        let (key, rest) = (field.get(..dot)?, field.get(dot + 1..)?);
        lookup(object.get(key)?, rest)
    })
}

fn clause(words: &mut Words<'_>) -> Result<Clause, FilterError> {
    let start = words.text;
    let incomplete = || FilterError::Incomplete { clause: start.to_owned() };
    let mut field = words.next().ok_or_else(incomplete)?;
    let mut negated = field.eq_ignore_ascii_case("not");
    if negated {
        field = words.next().ok_or_else(incomplete)?;
    }
    match words.next().ok_or_else(incomplete)? {
        "eq" => {}
        "ne" => negated = !negated,
        word => return Err(FilterError::Operator { word: word.to_owned() }),
    }
    let value = words.value()?.ok_or_else(incomplete)?;
    Ok(Clause { negated, field: field.to_owned(), pattern: Pattern::new(value) })
}

/// What is still to be read; never begins with white space.
struct Words<'a> {
    text: &'a str,
}

impl<'a> Words<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let (word, rest) = self.text.split_once(char::is_whitespace).unwrap_or((self.text, ""));
        self.text = rest.trim_start();
        (!word.is_empty()).then_some(word)
    }

    /// A word, or everything between quotes.
    fn value(&mut self) -> Result<Option<&'a str>, FilterError> {
        let Some(quoted) = self.text.strip_prefix('"') else { return Ok(self.next()) };
        let error = || FilterError::Quote { text: self.text.to_owned() };
        let (value, rest) = quoted.split_once('"').ok_or_else(error)?;
        if !rest.is_empty() && !rest.starts_with(char::is_whitespace) {
            return Err(error());
        }
        self.text = rest.trim_start();
        Ok(Some(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn object() -> Value {
        json!({
            "name": "web-1",
            "status": "Running",
            "description": "the big one",
            "ephemeral": false,
            "size": 42,
            "profiles": ["default"],
            "config": {"image.os": "Debian", "user.a": "x"},
            "devices": {"root": {"pool": "default"}},
            "state": null,
        })
    }

    fn matches(text: &str) -> bool {
        Filter::parse(text).unwrap().unwrap().matches(&object())
    }

    #[test]
    fn fields_and_values() {
        for yes in [
            "name eq web-1",
            "name eq WEB-.",
            "name eq ^web",
            "name eq 1$",
            "status eq running",
            "description eq \"the big one\"",
            "description eq \"the .* one\"",
            "name eq \"web-1\"",
            "config.image.os eq debian",
            "devices.root.pool eq default",
            "ephemeral eq false",
            "size eq 42",
            "name ne other",
            "not name eq other",
            "NOT name ne web-1",
            "state ne x",
            "nothing ne x",
            "  name   eq\tweb-1  ",
        ] {
            assert!(matches(yes), "{yes}");
        }
        for no in [
            "name eq web",
            "name eq eb-1",
            "name ne web-1",
            "not name eq web-1",
            "nothing eq x",
            "state eq null",
            "profiles eq default",
            "config.image eq debian",
            "config.image.os.x eq debian",
            "name eq *",
        ] {
            assert!(!matches(no), "{no}");
        }
        let literal = Filter::parse("name eq a[").unwrap().unwrap();
        assert!(literal.matches(&json!({"name": "A["})), "what is no expression is taken literally");
    }

    #[test]
    fn from_left_to_right() {
        assert!(matches("name eq x and name eq y or name eq web-1"));
        // (x or web-1) and other, not x or (web-1 and other)
        assert!(!matches("name eq web-1 or name eq x and status eq stopped"));
        assert!(matches("name eq web-1 and status eq running and not size eq 1"));
    }

    #[test]
    fn nothing_is_no_filter() {
        assert!(Filter::parse("").unwrap().is_none());
        assert!(Filter::parse(" \t").unwrap().is_none());
    }

    #[test]
    fn what_is_no_filter_is_told() {
        let error = |text: &str| Filter::parse(text).unwrap_err().to_string();
        assert!(error("name").contains("not complete"));
        assert!(error("name eq").contains("not complete"));
        assert!(error("not").contains("not complete"));
        assert!(error("name eq x and").contains("not complete"));
        assert_eq!(error("name is x"), "unknown operator \"is\": use eq or ne");
        assert!(error("name eq x AND name eq y").contains("between clauses"));
        assert!(error("name eq \"a b").contains("unterminated quote"));
        assert!(error("name eq \"a b\"c").contains("unterminated quote"));
    }

    proptest! {
        #[test]
        fn never_panics(text in "(name|eq|ne|not|and|or|\"|[a-z.*(\\[^$]{1,4}| ){0,12}") {
            if let Ok(Some(filter)) = Filter::parse(&text) {
                let _ = filter.matches(&object());
            }
        }
    }
}
