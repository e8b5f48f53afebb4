//! Templates of images: a subset of pongo2, which is Django's template language in Go.
//!
//! `{{ a.b|filter:"argument" }}`, `{% if %}`, `{% for %}`, `{% with %}`, `{% set %}`,
//! `{% ifequal %}`, `{% autoescape %}`, `{% verbatim %}` and comments. Names that do not exist are
//! empty. Nothing escapes unless asked to, nothing reads files (`include` and its like are
//! refused), and depth, steps and output are bounded: templates come with images.
//!
//! [`render`] is a pure function; [`apply`] writes the results into a root file system.

mod apply;
mod evaluate;
mod filters;
mod lexer;
mod parser;
mod syntax;
#[cfg(test)]
mod tests;
mod value;

pub use apply::{Applied, ApplyError, Trigger, apply};

use std::collections::BTreeMap;
use value::Value;

/// Longest result, and longest text that may come up on the way, in bytes.
pub const MAX_OUTPUT: usize = 4 * 1024 * 1024;
/// How deep tags and expressions may be nested.
pub const MAX_DEPTH: usize = 64;
/// How many parts of a template are evaluated at most, loops counted each time round.
pub const MAX_STEPS: usize = 200_000;

/// What a template can use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// `trigger`: why the template is applied.
    pub trigger: String,
    /// `path`: the file that is written, inside the container.
    pub path: String,
    /// `container`, also called `instance`: `name`, `architecture`, `ephemeral`, `privileged` (`"true"`
    /// or `"false"`).
    pub container: BTreeMap<String, String>,
    /// `config`, also behind `config_get(key, default)`: the expanded configuration.
    pub config: BTreeMap<String, String>,
    /// `devices`: the expanded devices.
    pub devices: BTreeMap<String, BTreeMap<String, String>>,
    /// `properties`: of the template.
    pub properties: BTreeMap<String, String>,
}

/// Why a template was not rendered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It cannot be understood.
    #[error("line {line}: {what}")]
    Syntax {
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// A tag that would read files.
    #[error("line {line}: the tag \"{tag}\" reads files, which templates of images must not")]
    Forbidden {
        /// Counted from 1.
        line: usize,
        /// Its name.
        tag: String,
    },
    /// An unknown filter.
    #[error("there is no filter \"{name}\"")]
    UnknownFilter {
        /// Its name.
        name: String,
    },
    /// An unknown function, or something called that is none.
    #[error("\"{name}\" cannot be called")]
    NotAFunction {
        /// Its name.
        name: String,
    },
    /// A filter or function with the wrong arguments.
    #[error("\"{name}\" {what}")]
    Argument {
        /// Its name.
        name: String,
        /// What is wrong.
        what: &'static str,
    },
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("the template is nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// More steps than [`MAX_STEPS`].
    #[error("the template does not end after {MAX_STEPS} steps")]
    TooManySteps,
    /// More output than [`MAX_OUTPUT`].
    #[error("the template produces more than {MAX_OUTPUT} bytes")]
    TooLong,
}

/// Renders a template.
///
/// # Errors
/// [`TemplateError`]; there is no partial output.
pub fn render(template: &str, context: &Context) -> Result<String, TemplateError> {
    let nodes = parser::parse(template)?;
    evaluate::evaluate(&nodes, context.values())
}

impl Context {
    fn values(&self) -> BTreeMap<String, Value> {
        let map = |map: &BTreeMap<String, String>| {
            Value::Map(map.iter().map(|(k, v)| (k.clone(), Value::text(v.as_str()))).collect())
        };
        let devices = self.devices.iter().map(|(name, keys)| (name.clone(), map(keys))).collect();
        [
            ("trigger", Value::text(self.trigger.as_str())),
            ("path", Value::text(self.path.as_str())),
            ("container", map(&self.container)),
            // What later images call it.
            ("instance", map(&self.container)),
            ("config", map(&self.config)),
            ("devices", Value::Map(devices)),
            ("properties", map(&self.properties)),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }
}
