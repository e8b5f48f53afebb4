//! One object in the format that was asked for.

use super::table;
use crate::args::Format;
use crate::yaml;
use serde::Serialize;
use serde_json::Value;

/// Prints an object as YAML or JSON, or with a row `key, value` for each of its properties.
pub(crate) fn show<T: Serialize>(format: Format, object: &T) -> anyhow::Result<()> {
    Ok(super::print(&render(format, object)?)?)
}

fn render<T: Serialize>(format: Format, object: &T) -> anyhow::Result<String> {
    let rows = || -> anyhow::Result<Vec<Vec<String>>> {
        let mut rows = Vec::new();
        flatten("", &serde_json::to_value(object)?, &mut rows);
        Ok(rows)
    };
    let headers = ["KEY", "VALUE"].map(str::to_owned);
    Ok(match format {
        Format::Yaml => yaml::to_string(object)?,
        Format::Json => format!("{}\n", serde_json::to_string(object)?),
        Format::Csv => table::render_csv(&rows()?),
        Format::Table => table::render(&headers, &rows()?),
        Format::Compact => table::render_compact(&headers, &rows()?),
    })
}

/// A row for each value; what is inside something has its name before its own, and a dot between
/// them, and the members of a list have numbers. What is empty has one row without a value.
fn flatten(name: &str, value: &Value, rows: &mut Vec<Vec<String>>) {
    let mut row = |text: String| rows.push(vec![name.to_owned(), text]);
    let inside = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (key, member) in members {
                flatten(&inside(key), member, rows);
            }
        }
        Value::Array(members) if !members.is_empty() => {
            for (index, member) in members.iter().enumerate() {
                flatten(&inside(&index.to_string()), member, rows);
            }
        }
        Value::Null | Value::Object(_) | Value::Array(_) => row(String::new()),
        Value::String(text) => row(text.clone()),
        Value::Bool(_) | Value::Number(_) => row(value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_format() {
        let object = json!({"config": {"limits.cpu": "2", "user.note": "a, b"}, "ephemeral": false,
            "profiles": ["default", "web"], "state": null, "pid": 7, "devices": {}});
        let expected = "config.limits.cpu,2\nconfig.user.note,\"a, b\"\ndevices,\nephemeral,false\npid,7\n\
                        profiles.0,default\nprofiles.1,web\nstate,\n";
        let csv = render(Format::Csv, &object).unwrap();
        let mut lines: Vec<&str> = csv.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines.join("\n") + "\n", expected);
        let one = json!({"a": {"b": ["x"]}});
        assert_eq!(render(Format::Compact, &one).unwrap(), "  KEY    VALUE\n  a.b.0  x\n");
        assert_eq!(render(Format::Json, &one).unwrap(), "{\"a\":{\"b\":[\"x\"]}}\n");
        assert_eq!(render(Format::Yaml, &one).unwrap(), "a:\n  b:\n  - x\n");
        assert!(render(Format::Table, &one).unwrap().contains("| a.b.0 | x     |"));
    }
}
