//! `lxd recover`: asks which pools there are, shows what is on them and not in the database, and takes it
//! over.

use super::init::{AskError, Dialogue};
use crate::talk::Daemon;
use anyhow::Context as _;
use http::Method;
use serde_json::{Map, Value, json};
use std::io::{BufRead, Write};

pub(super) async fn run(daemon: &Daemon) -> anyhow::Result<()> {
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let list = daemon.ask(Method::GET, "/1.0/storage-pools?recursion=1", None).await?;
    let known: Vec<(String, String)> = list
        .as_array()
        .into_iter()
        .flatten()
        .map(|pool| (text(pool, "name"), format!("{} ({})", text(pool, "name"), text(pool, "driver"))))
        .collect();
    let (mut answers, mut questions) = (std::io::stdin().lock(), std::io::stdout());
    let mut dialogue = Dialogue { answers: &mut answers, questions: &mut questions };
    let request = json!({"pools": ask(&mut dialogue, &known)?});
    let found = daemon.ask(Method::POST, "/internal/recover/validate", Some(&request)).await?;
    let (fine, wrong) = tell(found.as_array().map(Vec::as_slice).unwrap_or_default());
    let fresh = request["pools"].as_array().is_some_and(|pools| !pools.is_empty());
    if !wrong.is_empty() {
        writeln!(dialogue.questions, "These cannot be taken over:\n{wrong}")?;
    }
    if fine.is_empty() && !fresh {
        writeln!(dialogue.questions, "Nothing is on the storage pools that is not in the database.")?;
        return Ok(());
    }
    if !fine.is_empty() {
        writeln!(dialogue.questions, "The following were found:\n{fine}")?;
    }
    if !dialogue.yes("Would you like those to be recovered?", "no")? {
        return Ok(());
    }
    daemon.ask(Method::POST, "/internal/recover/import", Some(&request)).await.context("cannot recover")?;
    Ok(())
}

/// Asks for the pools that the database does not know.
fn ask<R: BufRead, W: Write>(
    dialogue: &mut Dialogue<'_, R, W>,
    known: &[(String, String)],
) -> Result<Vec<Value>, AskError> {
    let mut pools = Vec::new();
    if !known.is_empty() {
        writeln!(dialogue.questions, "This server has the following storage pools:")?;
        for (_, shown) in known {
            writeln!(dialogue.questions, " - {shown}")?;
        }
    }
    let default = if known.is_empty() { "yes" } else { "no" };
    let mut question = "Would you like to recover another storage pool?";
    while dialogue.yes(question, if pools.is_empty() { default } else { "no" })? {
        let free = |name: &str| {
            let taken = name.is_empty() || known.iter().any(|(known, _)| known == name);
            (!taken).then(|| name.to_owned())
        };
        let name = dialogue.ask("Name of the storage pool", "default", free)?;
        let some = |answer: &str| (!answer.is_empty()).then(|| answer.to_owned());
        let driver = dialogue.ask("Name of the storage backend (btrfs, ceph, dir, lvm, zfs)", "dir", some)?;
        let source =
            dialogue.text("Source of the storage pool (a path, device, volume group, dataset)", "")?;
        let mut config = Map::new();
        if !source.is_empty() {
            config.insert("source".to_owned(), source.into());
        }
        loop {
            let pair = |answer: &str| {
                let fits =
                    answer.is_empty() || answer.split_once('=').is_some_and(|(key, _)| !key.is_empty());
                fits.then(|| answer.to_owned())
            };
            let answer =
                dialogue.ask("Another key of its configuration (key=value, empty when done)", "", pair)?;
            let Some((key, value)) = answer.split_once('=') else { break };
            config.insert(key.to_owned(), value.into());
        }
        pools.push(json!({"name": name, "driver": driver, "config": config}));
        question = "Would you like to recover yet another storage pool?";
    }
    Ok(pools)
}

/// What can be taken over, and what cannot with the reason, a line each.
fn tell(found: &[Value]) -> (String, String) {
    let (mut fine, mut wrong) = (String::new(), String::new());
    for one in found {
        let text = |key: &str| one[key].as_str().unwrap_or_default();
        let kind = if text("type") == "custom" { "Volume" } else { "Container" };
        let what = format!(
            " - {kind} \"{}\" on pool \"{}\" (includes {} snapshots)",
            text("name"),
            text("pool"),
            one["snapshots"].as_u64().unwrap_or_default()
        );
        match text("problem") {
            "" => fine.push_str(&format!("{what}\n")),
            problem => wrong.push_str(&format!("{what}: {problem}\n")),
        }
    }
    (fine, wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(answers: &str, known: &[(String, String)]) -> Vec<Value> {
        let (mut lines, mut printed) = (answers.as_bytes(), Vec::new());
        ask(&mut Dialogue { answers: &mut lines, questions: &mut printed }, known).unwrap()
    }

    #[test]
    fn pools_are_asked_for() {
        let pools = answered("\n\n\n/srv/p\nvolume.size=1GB\n\n\n", &[]);
        let expected = json!({"source": "/srv/p", "volume.size": "1GB"});
        assert_eq!(pools, [json!({"name": "default", "driver": "dir", "config": expected})]);
        let known = [("default".to_owned(), "default (dir)".to_owned())];
        assert!(answered("\n", &known).is_empty());
        let pools = answered("yes\ndefault\nfast\nzfs\ntank\nnonsense\n\nno\n", &known);
        assert_eq!(pools, [json!({"name": "fast", "driver": "zfs", "config": {"source": "tank"}})]);
    }

    #[test]
    fn what_was_found_is_told_apart() {
        let (fine, wrong) = tell(&[
            json!({"pool": "p", "type": "container", "name": "c1", "snapshots": 2, "problem": ""}),
            json!({"pool": "p", "type": "container", "name": "c2", "snapshots": 0, "problem": "no profile"}),
        ]);
        assert_eq!(fine, " - Container \"c1\" on pool \"p\" (includes 2 snapshots)\n");
        assert!(wrong.ends_with("snapshots): no profile\n"));
    }
}
