//! What expressions of templates evaluate to.

use std::collections::BTreeMap;
use std::rc::Rc;

/// A value. Cloning is cheap for texts only; maps and lists are small.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// What a name that does not exist is.
    Nothing,
    Bool(bool),
    Int(i64),
    Float(f64),
    /// A text, and whether it may appear unescaped where escaping is on.
    Text(Rc<str>, bool),
    List(Vec<Value>),
    Map(BTreeMap<String, Value>),
}

impl Value {
    pub(super) fn text(text: impl Into<Rc<str>>) -> Self {
        Self::Text(text.into(), false)
    }

    pub(super) fn safe(text: impl Into<Rc<str>>) -> Self {
        Self::Text(text.into(), true)
    }

    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Nothing => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Text(text, _) => !text.is_empty(),
            Self::List(list) => !list.is_empty(),
            Self::Map(map) => !map.is_empty(),
        }
    }

    /// As it is printed. Lists and maps are not.
    pub(super) fn to_text(&self) -> String {
        match self {
            Self::Nothing | Self::List(_) | Self::Map(_) => String::new(),
            Self::Bool(true) => "True".into(),
            Self::Bool(false) => "False".into(),
            Self::Int(value) => value.to_string(),
            Self::Float(value) => format!("{value:.6}"),
            Self::Text(text, _) => text.to_string(),
        }
    }

    /// As a number, if it is one or a text that reads as one.
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Int(value) => Some(*value as f64),
            Self::Float(value) => Some(*value),
            Self::Text(text, _) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// As a whole number; what is none is 0.
    pub(super) fn int(&self) -> i64 {
        match self {
            Self::Int(value) => *value,
            Self::Bool(value) => i64::from(*value),
            other => other.number().map_or(0, |number| number as i64),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Text(text, _) => text.chars().count(),
            Self::List(list) => list.len(),
            Self::Map(map) => map.len(),
            _ => 0,
        }
    }

    /// The elements: of a list, the letters of a text, the keys of a map.
    pub(super) fn elements(&self) -> Vec<Value> {
        match self {
            Self::List(list) => list.clone(),
            Self::Text(text, _) => text.chars().map(|letter| Self::text(letter.to_string())).collect(),
            Self::Map(map) => map.keys().map(|key| Self::text(key.as_str())).collect(),
            _ => Vec::new(),
        }
    }

    /// The value under a key, or the element at a position.
    pub(super) fn get(&self, key: &str) -> Value {
        match self {
            Self::Map(map) => map.get(key).cloned().unwrap_or(Self::Nothing),
            Self::List(list) => {
                key.parse().ok().and_then(|at: usize| list.get(at)).cloned().unwrap_or(Self::Nothing)
            }
            Self::Text(text, _) => key
                .parse()
                .ok()
                .and_then(|at: usize| text.chars().nth(at))
                .map_or(Self::Nothing, |letter| Self::text(letter.to_string())),
            _ => Self::Nothing,
        }
    }

    pub(super) fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(a, _), Self::Text(b, _)) => a == b,
            (Self::Int(_) | Self::Float(_), Self::Int(_) | Self::Float(_)) => self.number() == other.number(),
            _ => self == other,
        }
    }

    /// True if this has the other in it: as a key, an element or a part.
    pub(super) fn contains(&self, other: &Self) -> bool {
        match self {
            Self::Text(text, _) => text.contains(&other.to_text()),
            Self::List(list) => list.iter().any(|element| element.equals(other)),
            Self::Map(map) => map.contains_key(&other.to_text()),
            _ => false,
        }
    }

    /// Numbers by size, everything else by its text.
    pub(super) fn compare(&self, other: &Self) -> std::cmp::Ordering {
        match (self.number(), other.number()) {
            (Some(a), Some(b)) => a.total_cmp(&b),
            _ => self.to_text().cmp(&other.to_text()),
        }
    }
}
