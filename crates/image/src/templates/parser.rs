//! From pieces and tokens to the parts of a template.

use super::lexer::{Piece, Token, pieces, syntax};
use super::syntax::{Expression, Loop, Node, Operator};
use super::value::Value;
use super::{MAX_DEPTH, TemplateError};

pub(super) fn parse(template: &str) -> Result<Vec<Node>, TemplateError> {
    let mut parser = Parser { pieces: pieces(template)?.into_iter(), depth: 0 };
    let (nodes, _) = parser.block(&[], 1)?;
    Ok(nodes)
}

struct Parser {
    pieces: std::vec::IntoIter<Piece>,
    depth: usize,
}

/// The tag that ended a block: its line, its name, and the rest of it.
struct End {
    line: usize,
    name: String,
    rest: Tokens,
}

impl Parser {
    /// Everything up to one of the tags `until`. With none, up to the end of the template.
    fn block(&mut self, until: &[&str], opened: usize) -> Result<(Vec<Node>, Option<End>), TemplateError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(TemplateError::TooDeep);
        }
        let mut nodes = Vec::new();
        while let Some(piece) = self.pieces.next() {
            match piece {
                Piece::Text(text) => nodes.push(Node::Text(text)),
                Piece::Output(line, tokens) => {
                    let mut tokens = Tokens::new(tokens, line);
                    nodes.push(Node::Output(tokens.expression()?));
                    tokens.end()?;
                }
                Piece::Tag(line, tokens) => {
                    let mut rest = Tokens::new(tokens, line);
                    let name = rest.name()?;
                    if until.contains(&name.as_str()) {
                        self.depth -= 1;
                        return Ok((nodes, Some(End { line, name, rest })));
                    }
                    nodes.extend(self.tag(&name, rest, line)?);
                }
            }
        }
        self.depth -= 1;
        match until.last() {
            None => Ok((nodes, None)),
            Some(missing) => Err(syntax(opened, format!("\"{missing}\" is missing"))),
        }
    }

    /// A block that one tag ends.
    fn body(&mut self, until: &'static str, line: usize) -> Result<Vec<Node>, TemplateError> {
        Ok(self.block(&[until], line)?.0)
    }

    fn tag(&mut self, name: &str, mut tokens: Tokens, line: usize) -> Result<Option<Node>, TemplateError> {
        let node = match name {
            "if" => {
                let condition = tokens.expression()?;
                tokens.end()?;
                self.condition(condition, line)?
            }
            "ifequal" | "ifnotequal" => {
                let (a, b) = (tokens.operand(0)?, tokens.operand(0)?);
                tokens.end()?;
                let operator = if name == "ifequal" { Operator::Equal } else { Operator::NotEqual };
                let condition = Expression::Binary(operator, Box::new(a), Box::new(b));
                let closing = if name == "ifequal" { "endifequal" } else { "endifnotequal" };
                let (then, end) = self.block(&["else", closing], line)?;
                let rest = if is(&end, "else") { self.body(closing, line)? } else { Vec::new() };
                Node::If(vec![(condition, then)], rest)
            }
            "for" => self.repetition(tokens, line)?,
            "comment" => {
                self.skip_comment(line)?;
                return Ok(None);
            }
            "autoescape" => {
                let on = match tokens.name()?.as_str() {
                    "on" => true,
                    "off" => false,
                    other => {
                        return Err(syntax(line, format!("\"autoescape\" is on or off, not \"{other}\"")));
                    }
                };
                tokens.end()?;
                Node::Autoescape(on, self.body("endautoescape", line)?)
            }
            "set" => {
                let name = tokens.name()?;
                tokens.symbol("=")?;
                let value = tokens.expression()?;
                tokens.end()?;
                Node::Set(name, value)
            }
            "with" => {
                let values = tokens.assignments()?;
                Node::With(values, self.body("endwith", line)?)
            }
            "include" | "extends" | "import" | "ssi" | "block" => {
                return Err(TemplateError::Forbidden { line, tag: name.to_owned() });
            }
            other => return Err(syntax(line, format!("there is no tag \"{other}\""))),
        };
        Ok(Some(node))
    }

    fn condition(&mut self, first: Expression, line: usize) -> Result<Node, TemplateError> {
        let mut branches = Vec::new();
        let mut condition = first;
        loop {
            let (nodes, end) = self.block(&["elif", "else", "endif"], line)?;
            branches.push((condition, nodes));
            match end {
                Some(End { name, mut rest, .. }) if name == "elif" => {
                    condition = rest.expression()?;
                    rest.end()?;
                }
                Some(End { name, .. }) if name == "else" => {
                    return Ok(Node::If(branches, self.body("endif", line)?));
                }
                _ => return Ok(Node::If(branches, Vec::new())),
            }
        }
    }

    fn repetition(&mut self, mut tokens: Tokens, line: usize) -> Result<Node, TemplateError> {
        let mut names = vec![tokens.name()?];
        if tokens.take_symbol(",") {
            names.push(tokens.name()?);
        }
        if tokens.name()? != "in" {
            return Err(syntax(line, "\"for\" needs \"in\""));
        }
        let things = tokens.operand(0)?;
        let (mut reversed, mut sorted) = (false, false);
        while !tokens.is_empty() {
            match tokens.name()?.as_str() {
                "reversed" => reversed = true,
                "sorted" => sorted = true,
                other => return Err(syntax(line, format!("\"{other}\" is not expected here"))),
            }
        }
        let (body, end) = self.block(&["empty", "endfor"], line)?;
        let empty = if is(&end, "empty") { self.body("endfor", line)? } else { Vec::new() };
        Ok(Node::For(Box::new(Loop { names, things, reversed, sorted, body, empty })))
    }

    fn skip_comment(&mut self, line: usize) -> Result<(), TemplateError> {
        for piece in self.pieces.by_ref() {
            if let Piece::Tag(_, tokens) = piece
                && matches!(tokens.first(), Some(Token::Name(name)) if name == "endcomment")
            {
                return Ok(());
            }
        }
        Err(syntax(line, "\"endcomment\" is missing"))
    }
}

fn is(end: &Option<End>, name: &str) -> bool {
    end.as_ref().is_some_and(|end| end.name == name && end.line > 0)
}

/// The tokens of one piece, read from left to right.
struct Tokens {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
    line: usize,
}

impl Tokens {
    fn new(tokens: Vec<Token>, line: usize) -> Self {
        Self { tokens: tokens.into_iter().peekable(), line }
    }

    fn wrong(&self, what: impl Into<String>) -> TemplateError {
        syntax(self.line, what)
    }

    fn is_empty(&mut self) -> bool {
        self.tokens.peek().is_none()
    }

    fn end(&mut self) -> Result<(), TemplateError> {
        match self.tokens.peek() {
            None => Ok(()),
            Some(token) => Err(syntax(self.line, format!("{token} is not expected here"))),
        }
    }

    fn name(&mut self) -> Result<String, TemplateError> {
        match self.tokens.next() {
            Some(Token::Name(name)) => Ok(name),
            _ => Err(self.wrong("a name is expected")),
        }
    }

    fn take_symbol(&mut self, symbol: &str) -> bool {
        self.tokens.next_if(|token| matches!(token, Token::Symbol(found) if *found == symbol)).is_some()
    }

    fn take_any(&mut self, symbols: &[&str]) -> Option<String> {
        let token = self.tokens.next_if(|token| match token {
            Token::Symbol(symbol) => symbols.contains(symbol),
            Token::Name(name) => symbols.contains(&name.as_str()),
            _ => false,
        })?;
        match token {
            Token::Symbol(symbol) => Some(symbol.to_owned()),
            Token::Name(name) => Some(name),
            _ => None,
        }
    }

    fn symbol(&mut self, symbol: &str) -> Result<(), TemplateError> {
        if self.take_symbol(symbol) { Ok(()) } else { Err(self.wrong(format!("\"{symbol}\" is expected"))) }
    }

    /// `a=1 b=2`
    fn assignments(&mut self) -> Result<Vec<(String, Expression)>, TemplateError> {
        let mut values = Vec::new();
        while !self.is_empty() {
            let name = self.name()?;
            self.symbol("=")?;
            values.push((name, self.operand(0)?));
        }
        Ok(values)
    }

    fn expression(&mut self) -> Result<Expression, TemplateError> {
        self.either(0)
    }

    /// `depth` counts brackets; chains of operators are loops here but are limited as well,
    /// because they nest to the left.
    fn either(&mut self, depth: usize) -> Result<Expression, TemplateError> {
        self.chain(depth, &["or", "||"], |_| Operator::Or, Self::both)
    }

    fn both(&mut self, depth: usize) -> Result<Expression, TemplateError> {
        self.chain(depth, &["and", "&&"], |_| Operator::And, Self::comparison)
    }

    fn comparison(&mut self, depth: usize) -> Result<Expression, TemplateError> {
        let operator = |symbol: &str| match symbol {
            "==" => Operator::Equal,
            "!=" | "<>" => Operator::NotEqual,
            "<" => Operator::Less,
            "<=" => Operator::LessOrEqual,
            ">" => Operator::Greater,
            ">=" => Operator::GreaterOrEqual,
            _ => Operator::In,
        };
        self.chain(depth, &["==", "!=", "<>", "<", "<=", ">", ">=", "in"], operator, Self::negation)
    }

    /// As in pongo2, `not` belongs to one side of a comparison: `not a == b` is `(not a) == b`.
    fn negation(&mut self, depth: usize) -> Result<Expression, TemplateError> {
        let mut negative = false;
        while self.take_any(&["not", "!"]).is_some() {
            negative = !negative;
        }
        let sum = self.sum(depth)?;
        Ok(if negative { Expression::Not(Box::new(sum)) } else { sum })
    }

    fn sum(&mut self, depth: usize) -> Result<Expression, TemplateError> {
        let operator = |symbol: &str| if symbol == "+" { Operator::Add } else { Operator::Subtract };
        self.chain(depth, &["+", "-"], operator, Self::product)
    }

    fn product(&mut self, depth: usize) -> Result<Expression, TemplateError> {
        let operator = |symbol: &str| match symbol {
            "*" => Operator::Multiply,
            "/" => Operator::Divide,
            _ => Operator::Modulo,
        };
        self.chain(depth, &["*", "/", "%"], operator, Self::operand)
    }

    fn chain(
        &mut self,
        depth: usize,
        symbols: &[&str],
        operator: impl Fn(&str) -> Operator,
        side: fn(&mut Self, usize) -> Result<Expression, TemplateError>,
    ) -> Result<Expression, TemplateError> {
        let mut left = side(self, depth)?;
        let mut length = 0;
        while let Some(symbol) = self.take_any(symbols) {
            length += 1;
            if length > MAX_DEPTH {
                return Err(TemplateError::TooDeep);
            }
            let right = side(self, depth)?;
            left = Expression::Binary(operator(&symbol), Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    /// A literal, a name with what hangs on it, or something in brackets; and its filters.
    fn operand(&mut self, depth: usize) -> Result<Expression, TemplateError> {
        if depth >= MAX_DEPTH {
            return Err(TemplateError::TooDeep);
        }
        if self.take_symbol("-") {
            return Ok(Expression::Negative(Box::new(self.operand(depth + 1)?)));
        }
        let mut expression = self.term(depth)?;
        let mut length = 0;
        while self.take_symbol("|") {
            length += 1;
            if length > MAX_DEPTH {
                return Err(TemplateError::TooDeep);
            }
            let name = self.name()?;
            let argument = if self.take_symbol(":") { Some(Box::new(self.term(depth + 1)?)) } else { None };
            expression = Expression::Filter(Box::new(expression), name, argument);
        }
        Ok(expression)
    }

    fn term(&mut self, depth: usize) -> Result<Expression, TemplateError> {
        if depth >= MAX_DEPTH {
            return Err(TemplateError::TooDeep);
        }
        match self.tokens.next() {
            Some(Token::Text(text)) => Ok(Expression::Literal(Value::text(text))),
            Some(Token::Int(value)) => Ok(Expression::Literal(Value::Int(value))),
            Some(Token::Float(value)) => Ok(Expression::Literal(Value::Float(value))),
            Some(Token::Symbol("(")) => {
                let inside = self.either(depth + 1)?;
                self.symbol(")")?;
                Ok(inside)
            }
            Some(Token::Name(name)) => match name.as_str() {
                "true" | "True" => Ok(Expression::Literal(Value::Bool(true))),
                "false" | "False" => Ok(Expression::Literal(Value::Bool(false))),
                "nil" | "None" | "none" => Ok(Expression::Literal(Value::Nothing)),
                _ => self.path(name, depth),
            },
            Some(token) => Err(self.wrong(format!("{token} is not expected here"))),
            None => Err(self.wrong("a value is expected")),
        }
    }

    /// `name`, `name(…)`, and any number of `.part` and `[part]` behind it.
    fn path(&mut self, name: String, depth: usize) -> Result<Expression, TemplateError> {
        let mut expression = if self.take_symbol("(") {
            let mut arguments = Vec::new();
            while !self.take_symbol(")") {
                if !arguments.is_empty() {
                    self.symbol(",")?;
                }
                arguments.push(self.either(depth + 1)?);
            }
            Expression::Call(name, arguments)
        } else {
            Expression::Name(name)
        };
        for _ in 0..MAX_DEPTH {
            if self.take_symbol(".") {
                let part = match self.tokens.next() {
                    Some(Token::Name(name)) => name,
                    Some(Token::Int(position)) => position.to_string(),
                    _ => return Err(self.wrong("a name is expected behind the dot")),
                };
                expression = Expression::Attribute(Box::new(expression), part);
            } else if self.take_symbol("[") {
                let index = self.either(depth + 1)?;
                self.symbol("]")?;
                expression = Expression::Index(Box::new(expression), Box::new(index));
            } else {
                return Ok(expression);
            }
        }
        Err(TemplateError::TooDeep)
    }
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name) => write!(f, "\"{name}\""),
            Self::Text(text) => write!(f, "the text {text:?}"),
            Self::Int(value) => write!(f, "the number {value}"),
            Self::Float(value) => write!(f, "the number {value}"),
            Self::Symbol(symbol) => write!(f, "\"{symbol}\""),
        }
    }
}
