//! `lxc completion`: each shell asks our script, and the words that the server knows are among the
//! answers.

use std::path::{Path, PathBuf};
use std::process::Command;
use testkit::{Lab, TestDaemon, daemon, find_program, or_skip, skip};

/// A shell that finds our `lxc` and its server.
fn shell(d: &TestDaemon, name: &str) -> Command {
    let lxc = testkit::program("lxc");
    let path = format!("{}:{}", lxc.parent().unwrap().display(), std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new(name);
    d.configure(&mut command).env("PATH", path).env("HOME", d.scratch());
    command
}

fn lines(command: &mut Command) -> Vec<String> {
    testkit::run(command).expect_success().text().lines().map(|line| line.trim().to_owned()).collect()
}

/// The script for a shell, in a file of this name.
fn script(d: &TestDaemon, shell: &str, name: &str) -> PathBuf {
    let script = d.scratch().join(name);
    std::fs::create_dir_all(script.parent().unwrap()).unwrap();
    std::fs::write(&script, d.lxc_ok(&["completion", shell])).unwrap();
    script
}

/// What bash offers after `words`, the last of which is being typed.
fn bash(d: &TestDaemon, words: &[&str]) -> Vec<String> {
    const ASK: &str = ". \"$0\"; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); \
        _lxc_words lxc \"${!#}\" x; printf '%s\\n' \"${COMPREPLY[@]}\"";
    let script = script(d, "bash", "completion.bash");
    lines(shell(d, "bash").args(["-c", ASK]).arg(script).arg("lxc").args(words))
}

/// What fish offers for a line, without the descriptions.
fn fish(d: &TestDaemon, line: &str) -> Vec<String> {
    let script = script(d, "fish", "completion.fish");
    let ask = "source $argv[1]; complete -C $argv[2]";
    let offered = lines(shell(d, "fish").args(["--no-config", "-c", ask]).arg(script).arg(line));
    offered.iter().filter_map(|line| line.split('\t').next().map(str::to_owned)).collect()
}

/// What zsh offers for a line.
fn zsh(d: &TestDaemon, script: &Path, line: &str) -> Vec<String> {
    let ask = d.scratch().join("offers.zsh");
    std::fs::write(&ask, include_str!("completion/offers.zsh")).unwrap();
    lines(shell(d, "zsh").arg("-f").arg(ask).arg(script).arg(line))
}

#[test]
fn names_on_other_servers() {
    let lab = or_skip!(Lab::of(vec![TestDaemon::builder().without_image(), TestDaemon::builder()]));
    lab.make_friends();
    lab.lxc_ok(&["init", "host1:busybox", "host1:far"]);
    let offered = |words: &[&str]| lab.lxc_ok(&[&["complete", "--"], words].concat());
    assert_eq!(offered(&["start", "host1:f"]), "host1:far\n");
    assert_eq!(offered(&["start", "host1", ":", "f"]), "far\n");
    assert_eq!(offered(&["start", "host1:"]), "host1:far\n");
    assert_eq!(offered(&["profile", "show", "host1:"]), "host1:default\n");
    assert!(offered(&["start", "ho"]).contains("host1:\n"));
    assert_eq!(offered(&["start", "nowhere:f"]), "");
    lab.plug(1, false);
    assert_eq!(offered(&["start", "host1:f"]), "");
}

#[test]
fn bash_completes_names_keys_and_properties() {
    let d = daemon!();
    d.lxc_ok(&["init", "busybox", "first", "-c", "user.a=1"]);
    assert_eq!(bash(&d, &["config", "set", "first", "limits.mem"]).first().unwrap(), "limits.memory");
    assert!(bash(&d, &["config", "set", "first", "limits.cpu", "=", "2", "boot.auto"]).len() >= 3);
    assert_eq!(bash(&d, &["start", "fi"]), ["first"]);
    assert!(bash(&d, &["config", "device", "add", "first", "x", ""]).contains(&"unix-char".to_owned()));
    assert_eq!(bash(&d, &["config", "device", "add", "first", "x", "disk", "reado"]), ["readonly="]);
    assert!(bash(&d, &["profile", "device", "set", "default", "root", ""]).contains(&"size".to_owned()));
    assert!(
        bash(&d, &["launch", "busybox", "c2", "-c", "security.priv"])
            .contains(&"security.privileged=".to_owned())
    );
    assert_eq!(bash(&d, &["remote", "set-default", "ub"]), ["ubuntu", "ubuntu-daily"]);
    assert_eq!(bash(&d, &["image", "list", "ima"]), ["images:"]);
    // What the server does not know comes from the words that never change.
    assert!(bash(&d, &["conf"]).contains(&"config".to_owned()));
}

#[test]
fn fish_completes_names_keys_and_properties() {
    if find_program("fish").is_none() {
        skip!("fish is not installed");
    }
    let d = daemon!();
    d.lxc_ok(&["init", "busybox", "first"]);
    assert_eq!(fish(&d, "lxc sta"), ["start"]);
    assert_eq!(fish(&d, "lxc start fi"), ["first"]);
    assert!(fish(&d, "lxc config set first limits.mem").contains(&"limits.memory".to_owned()));
    assert_eq!(fish(&d, "lxc config device add first x disk reado"), ["readonly="]);
    assert!(fish(&d, "lxc list --fo").contains(&"--format".to_owned()));
}

#[test]
fn zsh_completes_names_keys_and_properties() {
    if find_program("zsh").is_none() {
        skip!("zsh is not installed");
    }
    let d = daemon!();
    d.lxc_ok(&["init", "busybox", "first"]);
    // Sourced, and in a directory of functions, where it is read when it is asked the first time.
    for name in ["completion.zsh", "site/_lxc"] {
        let script = script(&d, "zsh", name);
        assert_eq!(zsh(&d, &script, "lxc sta"), ["start"], "{name}");
        assert_eq!(zsh(&d, &script, "lxc start fi"), ["first"], "{name}");
        let keys = zsh(&d, &script, "lxc config set first limits.mem");
        assert!(keys.iter().any(|key| key.starts_with("limits.memory")), "{name}: {keys:?}");
        assert_eq!(zsh(&d, &script, "lxc config device add first x disk reado"), ["readonly="], "{name}");
    }
}
