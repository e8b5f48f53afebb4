//! `lxd init` without flags: asking.

use super::auto::{DRIVER, Observed, POOL, bridge};
use super::preseed::{Pool, Preseed, PreseedError};
use api::Config;
use std::io::{self, BufRead, Write};

/// Why the questions came to no end.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    /// The answers ended.
    #[error("the answers ended before the questions")]
    Ended,
    /// The terminal broke.
    #[error("cannot talk to the terminal")]
    Terminal(#[from] io::Error),
    /// The result cannot be shown.
    #[error(transparent)]
    Show(#[from] PreseedError),
}

/// Somebody who answers.
struct Dialogue<'a, R, W> {
    answers: &'a mut R,
    questions: &'a mut W,
}

impl<R: BufRead, W: Write> Dialogue<'_, R, W> {
    /// Asks until the answer is taken; an empty answer means `default`.
    fn ask<T>(
        &mut self,
        question: &str,
        default: &str,
        take: impl Fn(&str) -> Option<T>,
    ) -> Result<T, AskError> {
        loop {
            write!(self.questions, "{question} [default={default}]: ")?;
            self.questions.flush()?;
            let mut answer = String::new();
            if self.answers.read_line(&mut answer)? == 0 {
                return Err(AskError::Ended);
            }
            let answer = answer.trim();
            match take(if answer.is_empty() { default } else { answer }) {
                Some(value) => return Ok(value),
                None => writeln!(self.questions, "Invalid input, try again.\n")?,
            }
        }
    }

    fn yes(&mut self, question: &str, default: &str) -> Result<bool, AskError> {
        self.ask(&format!("{question} (yes/no)"), default, |answer| match answer.to_lowercase().as_str() {
            "yes" | "y" => Some(true),
            "no" | "n" => Some(false),
            _ => None,
        })
    }

    fn text(&mut self, question: &str, default: &str) -> Result<String, AskError> {
        self.ask(question, default, |answer| Some(answer.to_owned()))
    }
}

/// Asks what to make.
///
/// # Errors
/// The answers end too early.
pub(super) fn plan(
    answers: &mut impl BufRead,
    questions: &mut impl Write,
    observed: &Observed,
) -> Result<Preseed, AskError> {
    let mut dialogue = Dialogue { answers, questions };
    let mut preseed = Preseed::default();
    let pool = ask_pool(&mut dialogue, observed, &mut preseed)?;
    let bridge = ask_bridge(&mut dialogue, observed, &mut preseed)?;
    if pool.is_some() || bridge.is_some() {
        preseed.profiles.push(Preseed::default_profile(pool.as_deref(), bridge.as_deref()));
    }
    if dialogue.yes("Would you like a YAML \"lxd init\" preseed to be printed?", "no")? {
        writeln!(dialogue.questions, "{}", preseed.show()?)?;
    }
    Ok(preseed)
}

fn ask_pool<R: BufRead, W: Write>(
    dialogue: &mut Dialogue<'_, R, W>,
    observed: &Observed,
    preseed: &mut Preseed,
) -> Result<Option<String>, AskError> {
    if !dialogue.yes("Do you want to configure a new storage pool?", "yes")? {
        return Ok(None);
    }
    let free = |name: &str| {
        (!name.contains('/') && !observed.pools.iter().any(|pool| pool == name)).then(|| name.to_owned())
    };
    let default = if observed.pools.iter().any(|pool| pool == POOL) { "pool1" } else { POOL };
    let name = dialogue.ask("Name of the new storage pool", default, free)?;
    let driver = dialogue.ask("Name of the storage backend to use (dir)", DRIVER, |answer| {
        (answer == DRIVER).then(|| answer.to_owned())
    })?;
    let source = dialogue.text("Directory to keep it in, empty for one below LXD_DIR", "")?;
    let config =
        if source.is_empty() { Config::new() } else { Config::from([("source".to_owned(), source)]) };
    preseed.storage_pools.push(Pool { name: name.clone(), driver, config, ..Pool::default() });
    Ok(Some(name))
}

fn ask_bridge<R: BufRead, W: Write>(
    dialogue: &mut Dialogue<'_, R, W>,
    observed: &Observed,
    preseed: &mut Preseed,
) -> Result<Option<String>, AskError> {
    if !dialogue.yes("Would you like to create a new local network bridge?", "yes")? {
        if !dialogue.yes("Would you like to configure LXD to use an existing bridge?", "no")? {
            return Ok(None);
        }
        let there = |name: &str| observed.interfaces.iter().find(|interface| *interface == name).cloned();
        let default = observed.networks.first().map_or("", String::as_str);
        return Ok(Some(dialogue.ask("Name of the existing bridge", default, there)?));
    }
    let free = |name: &str| {
        (!name.is_empty() && !observed.interfaces.iter().any(|interface| interface == name))
            .then(|| name.to_owned())
    };
    let name = dialogue.ask("What should the new bridge be called?", &observed.free_bridge(), free)?;
    let ipv4 = dialogue.ask(
        "What IPv4 address should be used? (CIDR subnet notation, \"auto\" or \"none\")",
        "auto",
        |answer| (matches!(answer, "auto" | "none") || answer.contains('/')).then(|| answer.to_owned()),
    )?;
    let mut network = bridge(&name, &ipv4);
    if ipv4.contains('/') && !dialogue.yes("Would you like LXD to NAT IPv4 traffic on your bridge?", "yes")? {
        network.config.remove("ipv4.nat");
    }
    preseed.networks.push(network);
    Ok(Some(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(answers: &str, observed: &Observed) -> Result<(Preseed, String), AskError> {
        let mut printed = Vec::new();
        let preseed = plan(&mut answers.as_bytes(), &mut printed, observed)?;
        Ok((preseed, String::from_utf8(printed).unwrap()))
    }

    #[test]
    fn empty_answers_give_the_usual() {
        let (preseed, _) = answered(&"\n".repeat(10), &Observed::default()).unwrap();
        assert_eq!(preseed.storage_pools[0].name, "default");
        assert_eq!(preseed.networks[0].name, "lxdbr0");
        assert_eq!(preseed.profiles[0].devices.len(), 2);
    }

    #[test]
    fn bad_answers_are_asked_again() {
        let observed = Observed { pools: vec!["default".to_owned()], ..Observed::default() };
        let (preseed, printed) =
            answered("maybe\nYES\ndefault\ndata\nzfs\ndir\n/srv/data\nn\nn\nyes\n", &observed).unwrap();
        assert_eq!(printed.matches("Invalid input, try again.").count(), 3);
        assert_eq!(preseed.storage_pools[0].config["source"], "/srv/data");
        assert!(preseed.networks.is_empty());
        assert!(printed.contains("storage_pools:"));
    }

    #[test]
    fn silence_is_not_consent() {
        assert!(matches!(answered("yes\n", &Observed::default()), Err(AskError::Ended)));
    }
}
