//! Tables of ASCII characters, exactly as scripts expect them.

use std::fmt::Write as _;
use unicode_width::UnicodeWidthStr as _;

/// Lines around every row, headers in the middle of their column.
pub(crate) fn render(headers: &[String], rows: &[Vec<String>]) -> String {
    let widths = widths(headers, rows);
    let mut rule = String::from("+");
    for width in &widths {
        rule.push_str(&"-".repeat(width + 2));
        rule.push('+');
    }
    rule.push('\n');

    let mut out = rule.clone();
    for (header, &width) in headers.iter().zip(&widths) {
        let space = width - header.width();
        let left = space / 2;
        let _ = write!(out, "| {}{header}{} ", " ".repeat(left), " ".repeat(space - left));
    }
    out.push_str("|\n");
    out.push_str(&rule);
    for row in rows {
        let cells: Vec<Vec<&str>> = row.iter().map(|cell| cell.split('\n').collect()).collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or(1);
        for line in 0..height {
            for (cell, &width) in cells.iter().zip(&widths) {
                let text = cell.get(line).copied().unwrap_or_default();
                let _ = write!(out, "| {text}{} ", " ".repeat(width - text.width()));
            }
            out.push_str("|\n");
        }
        out.push_str(&rule);
    }
    out
}

/// No lines, two blanks between columns.
pub(crate) fn render_compact(headers: &[String], rows: &[Vec<String>]) -> String {
    let widths = widths(headers, rows);
    let mut out = String::new();
    let mut add = |cells: &[&str]| {
        let mut line = String::new();
        for (text, &width) in cells.iter().zip(&widths) {
            let _ = write!(line, "  {text}{}", " ".repeat(width - text.width()));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    };
    add(&headers.iter().map(String::as_str).collect::<Vec<_>>());
    for row in rows {
        let cells: Vec<Vec<&str>> = row.iter().map(|cell| cell.split('\n').collect()).collect();
        for line in 0..cells.iter().map(Vec::len).max().unwrap_or(1) {
            add(&cells.iter().map(|cell| cell.get(line).copied().unwrap_or_default()).collect::<Vec<_>>());
        }
    }
    out
}

/// Comma-separated values (RFC 4180) without headers.
pub(crate) fn render_csv(rows: &[Vec<String>]) -> String {
    let mut out = String::new();
    for row in rows {
        let cells = row.iter().map(|cell| {
            if cell.contains([',', '"', '\n', '\r']) || cell.starts_with(' ') {
                format!("\"{}\"", cell.replace('"', "\"\""))
            } else {
                cell.clone()
            }
        });
        out.push_str(&cells.collect::<Vec<_>>().join(","));
        out.push('\n');
    }
    out
}

fn widths(headers: &[String], rows: &[Vec<String>]) -> Vec<usize> {
    let cell_width = |cell: &String| cell.split('\n').map(|line| line.width()).max().unwrap_or(0);
    let column = |(index, header): (usize, &String)| {
        let cells = rows.iter().filter_map(|row| row.get(index)).map(cell_width);
        cells.chain([header.width()]).max().unwrap_or(0)
    };
    headers.iter().enumerate().map(column).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(cells: &[&str]) -> Vec<String> {
        cells.iter().map(|&cell| cell.to_owned()).collect()
    }

    #[test]
    fn several_lines_in_a_cell() {
        let headers = strings(&["NAME", "STATE", "IPV4", "IPV6", "TYPE", "SNAPSHOTS"]);
        let docker = strings(&[
            "docker",
            "RUNNING",
            "172.17.0.1 (docker0)\n10.178.150.73 (eth0)",
            "2001:470:b368:4242:216:3eff:fe55:45f4 (eth0)",
            "PERSISTENT",
            "0",
        ]);
        let expected = "\
+--------+---------+----------------------+----------------------------------------------+------------+-----------+
|  NAME  |  STATE  |         IPV4         |                     IPV6                     |    TYPE    | SNAPSHOTS |
+--------+---------+----------------------+----------------------------------------------+------------+-----------+
| docker | RUNNING | 172.17.0.1 (docker0) | 2001:470:b368:4242:216:3eff:fe55:45f4 (eth0) | PERSISTENT | 0         |
|        |         | 10.178.150.73 (eth0) |                                              |            |           |
+--------+---------+----------------------+----------------------------------------------+------------+-----------+
";
        assert_eq!(render(&headers, &[docker]), expected);
    }

    #[test]
    fn no_rows_leave_two_rules() {
        let expected = "+------+-------+\n| NAME | STATE |\n+------+-------+\n";
        assert_eq!(render(&strings(&["NAME", "STATE"]), &[]), expected);
    }

    #[test]
    fn wide_characters_and_odd_header_space() {
        let text = render(&strings(&["URL"]), &[strings(&["漢字"]), strings(&["abcdef"])]);
        assert_eq!(
            text,
            "+--------+\n|  URL   |\n+--------+\n| 漢字   |\n+--------+\n| abcdef |\n+--------+\n"
        );
    }

    #[test]
    fn compact_and_csv() {
        let rows = [strings(&["a", "1\n2"]), strings(&["b\"c", "x,y"])];
        assert_eq!(
            render_compact(&strings(&["NAME", "N"]), &rows),
            "  NAME  N\n  a     1\n        2\n  b\"c   x,y\n"
        );
        assert_eq!(render_csv(&rows), "a,\"1\n2\"\n\"b\"\"c\",\"x,y\"\n");
    }
}
