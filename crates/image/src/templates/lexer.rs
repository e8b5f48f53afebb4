//! A template's text, cut into plain text, `{{ … }}` and `{% … %}`, and those into tokens.

use super::TemplateError;

/// A piece of a template and the line it starts on.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece {
    Text(String),
    Output(usize, Vec<Token>),
    Tag(usize, Vec<Token>),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Name(String),
    Text(String),
    Int(i64),
    Float(f64),
    Symbol(&'static str),
}

/// Longer ones first.
const SYMBOLS: [&str; 26] = [
    "==", "!=", "<>", "<=", ">=", "&&", "||", "{", "}", "<", ">", "!", "+", "-", "*", "/", "%", "^", "(",
    ")", "[", "]", "|", ":", ",", ".",
];
const ASSIGN: &str = "=";

pub(super) fn syntax(line: usize, what: impl Into<String>) -> TemplateError {
    TemplateError::Syntax { line, what: what.into() }
}

/// Cuts a template into pieces.
pub(super) fn pieces(template: &str) -> Result<Vec<Piece>, TemplateError> {
    let mut pieces = Vec::new();
    let mut rest = template;
    let mut line = 1;
    let mut trim_next = false;
    while !rest.is_empty() {
        let start = ["{{", "{%", "{#"].iter().filter_map(|mark| rest.find(mark)).min().unwrap_or(rest.len());
        let (text, from) = rest.split_at(start);
        let trim_this = from.get(2..3) == Some("-");
        let mut shown = text;
        if trim_next {
            shown = shown.trim_start();
        }
        if trim_this {
            shown = shown.trim_end();
        }
        if !shown.is_empty() {
            pieces.push(Piece::Text(shown.to_owned()));
        }
        line += text.matches('\n').count();
        if from.is_empty() {
            break;
        }
        let closing = match &from[..2] {
            "{{" => "}}",
            "{%" => "%}",
            _ => "#}",
        };
        let end =
            closing_at(from, closing).ok_or_else(|| syntax(line, format!("\"{closing}\" is missing")))?;
        let mut inside = &from[2..end];
        inside = inside.strip_prefix('-').unwrap_or(inside);
        trim_next = closing != "#}" && inside.ends_with('-');
        if trim_next {
            inside = &inside[..inside.len() - 1];
        }
        let after = &from[end + 2..];
        match closing {
            "}}" => pieces.push(Piece::Output(line, tokens(inside, line)?)),
            "%}" if inside.trim() == "verbatim" => {
                let (text, after_end) =
                    verbatim(after).ok_or_else(|| syntax(line, "\"endverbatim\" is missing"))?;
                pieces.push(Piece::Text(text.to_owned()));
                line += rest[start..rest.len() - after_end.len()].matches('\n').count();
                rest = after_end;
                continue;
            }
            "%}" => pieces.push(Piece::Tag(line, tokens(inside, line)?)),
            _ => {}
        }
        line += from[..end].matches('\n').count();
        rest = after;
    }
    Ok(pieces)
}

/// Where a piece closes. Marks inside of quotes do not count, except in comments.
fn closing_at(from: &str, closing: &str) -> Option<usize> {
    if closing == "#}" {
        return from[2..].find(closing).map(|at| at + 2);
    }
    let mut quote = None;
    let mut skip = false;
    for (at, letter) in from.char_indices().skip(2) {
        if skip {
            skip = false;
            continue;
        }
        match (quote, letter) {
            (Some(_), '\\') => skip = true,
            (Some(open), _) if open == letter => quote = None,
            (None, '"' | '\'') => quote = Some(letter),
            (None, _) if from[at..].starts_with(closing) => return Some(at),
            _ => {}
        }
    }
    None
}

/// The text up to `{% endverbatim %}`, and what follows.
fn verbatim(after: &str) -> Option<(&str, &str)> {
    let mut from = 0;
    while let Some(found) = after[from..].find("{%") {
        let at = from + found;
        let end = at + after[at..].find("%}")?;
        if after[at + 2..end].trim_matches(['-', ' ', '\t', '\n']) == "endverbatim" {
            return Some((&after[..at], &after[end + 2..]));
        }
        from = at + 2;
    }
    None
}

fn tokens(mut text: &str, line: usize) -> Result<Vec<Token>, TemplateError> {
    let mut tokens = Vec::new();
    loop {
        text = text.trim_start();
        let Some(letter) = text.chars().next() else { return Ok(tokens) };
        let length = match letter {
            '"' | '\'' => {
                let (value, length) =
                    quoted(text, letter).ok_or_else(|| syntax(line, "a quote does not end"))?;
                tokens.push(Token::Text(value));
                length
            }
            '0'..='9' => {
                let (token, length) = number(text, tokens.last() == Some(&Token::Symbol(".")), line)?;
                tokens.push(token);
                length
            }
            _ if letter.is_alphabetic() || letter == '_' => {
                let length = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
                tokens.push(Token::Name(text[..length].to_owned()));
                length
            }
            _ => {
                let symbol = SYMBOLS
                    .into_iter()
                    .chain([ASSIGN])
                    .find(|symbol| text.starts_with(symbol))
                    .ok_or_else(|| syntax(line, format!("\"{letter}\" is not expected here")))?;
                tokens.push(Token::Symbol(symbol));
                symbol.len()
            }
        };
        text = &text[length..];
    }
}

/// A number; behind a dot (`a.0.1`) digits are a position and never have a fraction.
fn number(text: &str, behind_dot: bool, line: usize) -> Result<(Token, usize), TemplateError> {
    let whole = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let too_large = |_| syntax(line, "a number is too large");
    if !behind_dot && text[whole..].starts_with('.') {
        let fraction = &text[whole + 1..];
        let digits = fraction.find(|c: char| !c.is_ascii_digit()).unwrap_or(fraction.len());
        if digits > 0 {
            let length = whole + 1 + digits;
            let value = text[..length].parse().map_err(|_| syntax(line, "a number is not one"))?;
            return Ok((Token::Float(value), length));
        }
    }
    Ok((Token::Int(text[..whole].parse().map_err(too_large)?), whole))
}

/// The content of a quoted text and how long it is with its quotes.
fn quoted(text: &str, quote: char) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut letters = text.char_indices().skip(1);
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => match letters.next()?.1 {
                'n' => value.push('\n'),
                't' => value.push('\t'),
                'r' => value.push('\r'),
                other => value.push(other),
            },
            _ if letter == quote => return Some((value, at + letter.len_utf8())),
            _ => value.push(letter),
        }
    }
    None
}
