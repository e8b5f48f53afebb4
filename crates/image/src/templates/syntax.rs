//! The parts of a template.

use super::value::Value;

/// A part of a template.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Text(String),
    Output(Expression),
    /// Conditions and what they guard, in order; then what remains.
    If(Vec<(Expression, Vec<Node>)>, Vec<Node>),
    For(Box<Loop>),
    Autoescape(bool, Vec<Node>),
    With(Vec<(String, Expression)>, Vec<Node>),
    Set(String, Expression),
}

/// `{% for key, value in things %}`.
#[derive(Clone, Debug)]
pub(super) struct Loop {
    pub(super) names: Vec<String>,
    pub(super) things: Expression,
    pub(super) reversed: bool,
    pub(super) sorted: bool,
    pub(super) body: Vec<Node>,
    pub(super) empty: Vec<Node>,
}

#[derive(Clone, Debug)]
pub(super) enum Expression {
    Literal(Value),
    Name(String),
    /// `a.b`, `a.0`
    Attribute(Box<Expression>, String),
    /// `a["b"]`
    Index(Box<Expression>, Box<Expression>),
    /// `config_get("a", "b")`
    Call(String, Vec<Expression>),
    /// `a|name:argument`
    Filter(Box<Expression>, String, Option<Box<Expression>>),
    Not(Box<Expression>),
    Negative(Box<Expression>),
    Binary(Operator, Box<Expression>, Box<Expression>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}
