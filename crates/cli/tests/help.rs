//! The help of every command, compared with `tests/help.txt`. To accept changes:
//! `LXC_HELP_REFRESH=1 cargo test -p cli --test help`.

use std::fmt::Write as _;
use std::process::Command;

fn lxc(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_lxc"))
        .args(args)
        .env("LXD_CONF", "/nonexistent")
        .env("LXD_DIR", "/nonexistent")
        .env("COLUMNS", "100")
        .output()
        .unwrap();
    assert!(output.status.success(), "lxc {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Names in the list of commands of a help text.
fn commands(help: &str) -> Vec<String> {
    let list = help.split("\nCommands:\n").nth(1).unwrap_or_default();
    let lines = list.lines().take_while(|line| line.starts_with("  "));
    lines
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

fn collect(path: &[&str], out: &mut String) {
    let help = lxc(&[path, &["--help"]].concat());
    let _ = writeln!(out, "$ lxc {}\n{help}", [path, &["--help"]].concat().join(" "));
    let below = commands(&help);
    assert!(!below.is_empty() || help.contains("Examples:"), "lxc {path:?} has no examples");
    for name in below {
        collect(&[path, &[name.as_str()]].concat(), out);
    }
}

#[test]
fn every_help_text_is_as_written_down() {
    let mut found = String::new();
    collect(&[], &mut found);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/help.txt");
    if std::env::var_os("LXC_HELP_REFRESH").is_some() {
        std::fs::write(path, &found).unwrap();
    }
    let expected = std::fs::read_to_string(path).unwrap_or_default();
    if let Some((line, (new, old))) =
        found.lines().zip(expected.lines()).enumerate().find(|(_, (new, old))| new != old)
    {
        panic!("line {} of tests/help.txt differs:\n  now {new:?}\n  was {old:?}", line + 1);
    }
    assert_eq!(found.lines().count(), expected.lines().count());
}

/// What is printed can be read by programs.
#[test]
fn every_list_info_and_show_takes_a_format() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/help.txt")).unwrap();
    let mut checked = 0;
    for help in text.split("$ lxc ").skip(1) {
        let command = help.split(" --help").next().unwrap_or_default();
        let verb = command.rsplit(' ').next().unwrap_or_default();
        let is_read = ["list", "list-leases", "list-tokens", "info", "show"].contains(&verb);
        // A template is a text of somebody else.
        if is_read && command != "config template show" {
            assert!(help.contains("--format <FORMAT>"), "lxc {command}");
            checked += 1;
        }
    }
    assert!(checked > 20, "{checked}");
}

#[test]
fn mistakes_are_explained() {
    let run = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_lxc"))
            .args(args)
            .env("LXD_CONF", "/nonexistent")
            .env("LXD_DIR", "/nonexistent")
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, text) = run(&["lsit"]);
    assert_eq!(code, Some(1));
    assert!(text.starts_with("Error: ") && text.contains("list"), "{text}");
    let (code, text) = run(&["copy", "a", "b", "c"]);
    assert_eq!(code, Some(1));
    assert!(text.starts_with("Error: "), "{text}");
    assert_eq!(run(&["launch"]).0, Some(0), "no arguments at all print the help");
    let (code, text) = run(&["list", "nowhere:"]);
    assert_eq!((code, text.as_str()), (Some(1), "Error: The remote \"nowhere\" doesn't exist\n"));
}
