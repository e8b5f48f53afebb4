//! `value|filter:argument`.

use super::value::Value;
use super::{MAX_OUTPUT, TemplateError};

/// Applies a filter.
pub(super) fn apply(name: &str, value: Value, argument: Option<&Value>) -> Result<Value, TemplateError> {
    let text = || value.to_text();
    let needed = || {
        argument.ok_or_else(|| TemplateError::Argument { name: name.to_owned(), what: "needs an argument" })
    };
    let result = match name {
        "default" => {
            if value.is_true() {
                value
            } else {
                needed()?.clone()
            }
        }
        "default_if_none" => {
            if value == Value::Nothing {
                needed()?.clone()
            } else {
                value
            }
        }
        "lower" => Value::text(text().to_lowercase()),
        "upper" => Value::text(text().to_uppercase()),
        "trim" => Value::text(text().trim()),
        "capfirst" => Value::text(capitalize(&text())),
        "title" => Value::text(
            text().split(' ').map(|w| capitalize(&w.to_lowercase())).collect::<Vec<_>>().join(" "),
        ),
        "join" => join(&value, &needed()?.to_text())?,
        "split" => Value::List(text().split(&*needed()?.to_text()).map(Value::text).collect()),
        "length" => int(value.len()),
        "length_is" => Value::Bool(int(value.len()).equals(needed()?)),
        "wordcount" => int(text().split_whitespace().count()),
        "first" => value.elements().first().cloned().unwrap_or(Value::Nothing),
        "last" => value.elements().last().cloned().unwrap_or(Value::Nothing),
        "slice" => slice(&value, &needed()?.to_text()),
        "make_list" => Value::List(value.elements()),
        "cut" => Value::text(text().replace(&needed()?.to_text(), "")),
        "safe" => Value::safe(text()),
        "escape" | "e" | "force_escape" => Value::safe(escape(&text())),
        "addslashes" => Value::text(text().replace('\\', "\\\\").replace('"', "\\\"").replace('\'', "\\'")),
        "urlencode" => Value::text(percent(&text())),
        "add" => add(&value, needed()?)?,
        "integer" => Value::Int(value.int()),
        "float" => Value::Float(value.number().unwrap_or(0.0)),
        "divisibleby" => Value::Bool(value.int().checked_rem(needed()?.int()) == Some(0)),
        "yesno" => yesno(&value, argument),
        "ljust" => pad(&text(), needed()?.int(), Side::Right)?,
        "rjust" => pad(&text(), needed()?.int(), Side::Left)?,
        "center" => pad(&text(), needed()?.int(), Side::Both)?,
        "truncatechars" => truncate(&text(), needed()?.int()),
        "linebreaksbr" => Value::safe(text().replace('\n', "<br />")),
        _ => return Err(TemplateError::UnknownFilter { name: name.to_owned() }),
    };
    match &result {
        Value::Text(text, _) if text.len() > MAX_OUTPUT => Err(TemplateError::TooLong),
        _ => Ok(result),
    }
}

/// Text for HTML.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('>', "&gt;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

fn int(number: usize) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

fn capitalize(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn join(value: &Value, separator: &str) -> Result<Value, TemplateError> {
    let mut text = String::new();
    for (index, element) in value.elements().iter().enumerate() {
        if index > 0 {
            text.push_str(separator);
        }
        text.push_str(&element.to_text());
        if text.len() > MAX_OUTPUT {
            return Err(TemplateError::TooLong);
        }
    }
    Ok(Value::text(text))
}

fn add(value: &Value, other: &Value) -> Result<Value, TemplateError> {
    Ok(match (value, other) {
        (Value::Int(a), Value::Int(b)) => Value::Int(a.saturating_add(*b)),
        (Value::Int(_) | Value::Float(_), Value::Int(_) | Value::Float(_)) => {
            Value::Float(value.number().unwrap_or(0.0) + other.number().unwrap_or(0.0))
        }
        _ => {
            let text = value.to_text() + &other.to_text();
            if text.len() > MAX_OUTPUT {
                return Err(TemplateError::TooLong);
            }
            Value::text(text)
        }
    })
}

/// `"from:to"`, either may be missing, negative ones count from the end.
fn slice(value: &Value, range: &str) -> Value {
    let elements = value.elements();
    let count = i64::try_from(elements.len()).unwrap_or(i64::MAX);
    let (from, to) = range.split_once(':').unwrap_or((range, ""));
    let position = |text: &str, missing: i64| {
        let at = text.trim().parse().unwrap_or(missing);
        usize::try_from(if at < 0 { at.saturating_add(count) } else { at }.clamp(0, count)).unwrap_or(0)
    };
    let (from, to) = (position(from, 0), position(to, count));
    let part = elements.get(from..to.max(from)).unwrap_or_default();
    match value {
        Value::Text(..) => Value::text(part.iter().map(Value::to_text).collect::<String>()),
        _ => Value::List(part.to_vec()),
    }
}

/// `"yes,no,maybe"`; maybe is for what does not exist.
fn yesno(value: &Value, argument: Option<&Value>) -> Value {
    let words = argument.map_or_else(|| "yes,no,maybe".to_owned(), Value::to_text);
    let words: Vec<&str> = words.split(',').collect();
    let index = match value {
        _ if value.is_true() => 0,
        Value::Nothing if words.len() > 2 => 2,
        _ => 1,
    };
    words.get(index).map_or(Value::Nothing, |word| Value::text(*word))
}

#[derive(Clone, Copy)]
enum Side {
    Left,
    Right,
    Both,
}

fn pad(text: &str, width: i64, side: Side) -> Result<Value, TemplateError> {
    let missing = usize::try_from(width).unwrap_or(0).saturating_sub(text.chars().count());
    if missing > MAX_OUTPUT {
        return Err(TemplateError::TooLong);
    }
    let (left, right) = match side {
        Side::Left => (missing, 0),
        Side::Right => (0, missing),
        Side::Both => (missing / 2, missing - missing / 2),
    };
    Ok(Value::text(format!("{}{text}{}", " ".repeat(left), " ".repeat(right))))
}

fn truncate(text: &str, length: i64) -> Value {
    let length = usize::try_from(length).unwrap_or(0);
    if text.chars().count() <= length {
        return Value::text(text);
    }
    let kept: String = text.chars().take(length.saturating_sub(3)).collect();
    Value::text(kept + &"..."[..length.min(3)])
}

fn percent(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => encoded.push(byte.into()),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
