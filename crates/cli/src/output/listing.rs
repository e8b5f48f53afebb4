//! A list in the format that was asked for.

use super::table;
use crate::args::Format;
use crate::yaml;
use serde::Serialize;

/// Prints rows as a table or csv, and `objects` as JSON or YAML.
pub(crate) fn show<T: Serialize>(
    format: Format,
    headers: &[impl AsRef<str>],
    mut rows: Vec<Vec<String>>,
    objects: &T,
) -> anyhow::Result<()> {
    let headers: Vec<String> = headers.iter().map(|header| header.as_ref().to_owned()).collect();
    sort(&mut rows);
    let text = match format {
        Format::Table => table::render(&headers, &rows),
        Format::Compact => table::render_compact(&headers, &rows),
        Format::Csv => table::render_csv(&rows),
        Format::Json => format!("{}\n", serde_json::to_string(objects)?),
        Format::Yaml => yaml::to_string(objects)?,
    };
    Ok(super::print(&text)?)
}

/// By the columns from left to right, empty cells last.
fn sort(rows: &mut [Vec<String>]) {
    rows.sort_by(|a, b| {
        let key = |cell: &String| (cell.is_empty(), cell.clone());
        a.iter().map(key).cmp(b.iter().map(key))
    });
}

/// `YES` or `NO`.
pub(crate) fn yes_no(value: bool) -> String {
    if value { "YES" } else { "NO" }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_cells_come_last() {
        let mut rows = vec![vec![String::new()], vec!["b".to_owned()], vec!["a".to_owned()]];
        sort(&mut rows);
        assert_eq!(rows, [["a"], ["b"], [""]]);
    }
}
