//! Walks the parts of a template and prints them.

use super::syntax::{Expression, Loop, Node, Operator};
use super::value::Value;
use super::{MAX_OUTPUT, MAX_STEPS, TemplateError, filters};
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// Prints a template with the given names.
pub(super) fn evaluate(nodes: &[Node], names: BTreeMap<String, Value>) -> Result<String, TemplateError> {
    let config = names.get("config").cloned().unwrap_or(Value::Nothing);
    let mut evaluator =
        Evaluator { config, scopes: vec![names], output: String::new(), steps: 0, escape: false };
    evaluator.nodes(nodes)?;
    Ok(evaluator.output)
}

struct Evaluator {
    /// The context's own, whatever a template has set since.
    config: Value,
    /// Names of the context, then of each loop and `with` around.
    scopes: Vec<BTreeMap<String, Value>>,
    output: String,
    steps: usize,
    escape: bool,
}

impl Evaluator {
    fn step(&mut self) -> Result<(), TemplateError> {
        self.steps += 1;
        if self.steps > MAX_STEPS { Err(TemplateError::TooManySteps) } else { Ok(()) }
    }

    fn print(&mut self, text: &str) -> Result<(), TemplateError> {
        if self.output.len() + text.len() > MAX_OUTPUT {
            return Err(TemplateError::TooLong);
        }
        self.output.push_str(text);
        Ok(())
    }

    fn nodes(&mut self, nodes: &[Node]) -> Result<(), TemplateError> {
        nodes.iter().try_for_each(|node| self.node(node))
    }

    fn node(&mut self, node: &Node) -> Result<(), TemplateError> {
        self.step()?;
        match node {
            Node::Text(text) => self.print(text),
            Node::Output(expression) => {
                let value = self.value(expression)?;
                let is_safe = !matches!(value, Value::Text(_, false));
                let text = value.to_text();
                if self.escape && !is_safe { self.print(&filters::escape(&text)) } else { self.print(&text) }
            }
            Node::If(branches, rest) => {
                for (condition, nodes) in branches {
                    if self.value(condition)?.is_true() {
                        return self.nodes(nodes);
                    }
                }
                self.nodes(rest)
            }
            Node::For(repetition) => self.repeat(repetition),
            Node::Autoescape(on, nodes) => {
                let before = std::mem::replace(&mut self.escape, *on);
                self.nodes(nodes)?;
                self.escape = before;
                Ok(())
            }
            Node::With(values, nodes) => {
                let mut scope = BTreeMap::new();
                for (name, expression) in values {
                    scope.insert(name.clone(), self.value(expression)?);
                }
                self.within(scope, nodes)
            }
            Node::Set(name, expression) => {
                let value = self.value(expression)?;
                if let Some(scope) = self.scopes.last_mut() {
                    scope.insert(name.clone(), value);
                }
                Ok(())
            }
        }
    }

    fn within(&mut self, scope: BTreeMap<String, Value>, nodes: &[Node]) -> Result<(), TemplateError> {
        self.scopes.push(scope);
        self.nodes(nodes)?;
        self.scopes.pop();
        Ok(())
    }

    fn repeat(&mut self, repetition: &Loop) -> Result<(), TemplateError> {
        let things = self.value(&repetition.things)?;
        let mut elements: Vec<(Value, Value)> = match &things {
            Value::Map(map) => map.iter().map(|(k, v)| (Value::text(k.as_str()), v.clone())).collect(),
            _ => things.elements().into_iter().map(|element| (element, Value::Nothing)).collect(),
        };
        if repetition.sorted {
            elements.sort_by(|a, b| a.0.compare(&b.0));
        }
        if repetition.reversed {
            elements.reverse();
        }
        if elements.is_empty() {
            return self.nodes(&repetition.empty);
        }
        let parent = self.lookup("forloop");
        let count = elements.len();
        for (index, (key, value)) in elements.into_iter().enumerate() {
            self.step()?;
            let mut scope = BTreeMap::from([("forloop".to_owned(), forloop(index, count, &parent))]);
            let mut parts = [key, value].into_iter();
            for (name, part) in repetition.names.iter().zip(parts.by_ref()) {
                scope.insert(name.clone(), part);
            }
            self.within(scope, &repetition.body)?;
        }
        Ok(())
    }

    fn lookup(&self, name: &str) -> Value {
        self.scopes.iter().rev().find_map(|scope| scope.get(name)).cloned().unwrap_or(Value::Nothing)
    }

    fn value(&mut self, expression: &Expression) -> Result<Value, TemplateError> {
        self.step()?;
        Ok(match expression {
            Expression::Literal(value) => value.clone(),
            Expression::Name(name) => self.lookup(name),
            Expression::Attribute(of, name) => self.value(of)?.get(name),
            Expression::Index(of, index) => {
                let key = self.value(index)?.to_text();
                self.value(of)?.get(&key)
            }
            Expression::Call(name, arguments) => {
                let arguments: Vec<Value> =
                    arguments.iter().map(|argument| self.value(argument)).collect::<Result<_, _>>()?;
                self.call(name, &arguments)?
            }
            Expression::Filter(of, name, argument) => {
                let value = self.value(of)?;
                let argument = match argument {
                    Some(argument) => Some(self.value(argument)?),
                    None => None,
                };
                filters::apply(name, value, argument.as_ref())?
            }
            Expression::Not(of) => Value::Bool(!self.value(of)?.is_true()),
            Expression::Negative(of) => match self.value(of)? {
                Value::Int(value) => Value::Int(value.saturating_neg()),
                other => other.number().map_or(Value::Nothing, |number| Value::Float(-number)),
            },
            Expression::Binary(operator, a, b) => self.binary(*operator, a, b)?,
        })
    }

    fn call(&self, name: &str, arguments: &[Value]) -> Result<Value, TemplateError> {
        if name != "config_get" {
            return Err(TemplateError::NotAFunction { name: name.to_owned() });
        }
        let [key, default] = arguments else {
            return Err(TemplateError::Argument { name: name.to_owned(), what: "takes a key and a default" });
        };
        Ok(match self.config.get(&key.to_text()) {
            Value::Text(text, _) => Value::text(text.trim_end_matches(['\r', '\n'])),
            _ => default.clone(),
        })
    }

    fn binary(&mut self, operator: Operator, a: &Expression, b: &Expression) -> Result<Value, TemplateError> {
        let a = self.value(a)?;
        match operator {
            Operator::Or if a.is_true() => return Ok(Value::Bool(true)),
            Operator::And if !a.is_true() => return Ok(Value::Bool(false)),
            _ => {}
        }
        let b = self.value(b)?;
        Ok(match operator {
            Operator::Or | Operator::And => Value::Bool(b.is_true()),
            Operator::Equal => Value::Bool(a.equals(&b)),
            Operator::NotEqual => Value::Bool(!a.equals(&b)),
            Operator::Less => Value::Bool(a.compare(&b) == Ordering::Less),
            Operator::LessOrEqual => Value::Bool(a.compare(&b) != Ordering::Greater),
            Operator::Greater => Value::Bool(a.compare(&b) == Ordering::Greater),
            Operator::GreaterOrEqual => Value::Bool(a.compare(&b) != Ordering::Less),
            Operator::In => Value::Bool(b.contains(&a)),
            Operator::Add if matches!((&a, &b), (Value::Text(..), _) | (_, Value::Text(..))) => {
                filters::apply("add", a, Some(&b))?
            }
            _ => arithmetic(operator, &a, &b),
        })
    }
}

/// Sums of what are no numbers, and divisions by nothing, are nothing.
fn arithmetic(operator: Operator, a: &Value, b: &Value) -> Value {
    if let (Value::Int(a), Value::Int(b)) = (a, b) {
        let result = match operator {
            Operator::Add => a.checked_add(*b),
            Operator::Subtract => a.checked_sub(*b),
            Operator::Multiply => a.checked_mul(*b),
            Operator::Divide => a.checked_div(*b),
            _ => a.checked_rem(*b),
        };
        return result.map_or(Value::Nothing, Value::Int);
    }
    let (Some(a), Some(b)) = (a.number(), b.number()) else { return Value::Nothing };
    Value::Float(match operator {
        Operator::Add => a + b,
        Operator::Subtract => a - b,
        Operator::Multiply => a * b,
        Operator::Divide => a / b,
        _ => a % b,
    })
}

/// What `forloop` is in one round. pongo2 has its names in capitals, Django in small letters.
fn forloop(index: usize, count: usize, parent: &Value) -> Value {
    let int = |number: usize| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
    let values = [
        ("Counter", int(index + 1)),
        ("Counter0", int(index)),
        ("Revcounter", int(count - index)),
        ("Revcounter0", int(count - index - 1)),
        ("First", Value::Bool(index == 0)),
        ("Last", Value::Bool(index + 1 == count)),
    ];
    let mut map: BTreeMap<String, Value> = BTreeMap::new();
    for (name, value) in values {
        map.insert(name.to_lowercase(), value.clone());
        map.insert(name.to_owned(), value);
    }
    // One level up is enough, and keeps nested loops from growing.
    if let Value::Map(outer) = parent {
        let mut outer = outer.clone();
        outer.retain(|name, _| !name.eq_ignore_ascii_case("parentloop"));
        map.insert("Parentloop".to_owned(), Value::Map(outer.clone()));
        map.insert("parentloop".to_owned(), Value::Map(outer));
    }
    Value::Map(map)
}
