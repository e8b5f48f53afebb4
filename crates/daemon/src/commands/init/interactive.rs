//! `lxd init` without flags: asking.

use super::auto::{Observed, PORT, bridge, listener};
use super::preseed::{Preseed, PreseedError};
use super::storage;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::io::{self, BufRead, Write};

/// Why the questions came to no end.
#[derive(Debug, thiserror::Error)]
pub(in crate::commands) enum AskError {
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
pub(in crate::commands) struct Dialogue<'a, R, W> {
    pub(in crate::commands) answers: &'a mut R,
    pub(in crate::commands) questions: &'a mut W,
}

impl<R: BufRead, W: Write> Dialogue<'_, R, W> {
    /// Asks until the answer is taken; an empty answer means `default`.
    pub(in crate::commands) fn ask<T>(
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

    pub(in crate::commands) fn yes(&mut self, question: &str, default: &str) -> Result<bool, AskError> {
        self.ask(&format!("{question} (yes/no)"), default, |answer| match answer.to_lowercase().as_str() {
            "yes" | "y" => Some(true),
            "no" | "n" => Some(false),
            _ => None,
        })
    }

    /// Asks for what nobody else should see.
    fn hidden(&mut self, question: &str) -> Result<String, AskError> {
        write!(self.questions, "{question}")?;
        self.questions.flush()?;
        let silence = Silence::begin();
        let mut answer = String::new();
        let read = self.answers.read_line(&mut answer)?;
        if silence.is_some() {
            writeln!(self.questions)?;
        }
        if read == 0 {
            return Err(AskError::Ended);
        }
        Ok(answer.trim_end_matches(['\n', '\r']).to_owned())
    }

    pub(in crate::commands) fn text(&mut self, question: &str, default: &str) -> Result<String, AskError> {
        self.ask(question, default, |answer| Some(answer.to_owned()))
    }
}

/// A terminal that does not show what is typed, as long as this lives.
struct Silence(Termios);

impl Silence {
    /// `None` when standard input is no terminal.
    fn begin() -> Option<Self> {
        let before = tcgetattr(std::io::stdin()).ok()?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(std::io::stdin(), OptionalActions::Flush, &silent).ok()?;
        Some(Self(before))
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        // The terminal is gone then.
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Flush, &self.0);
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
    let pool = storage::ask(&mut dialogue, observed, &mut preseed)?;
    let bridge = ask_bridge(&mut dialogue, observed, &mut preseed)?;
    if pool.is_some() || bridge.is_some() {
        preseed.profiles.push(Preseed::default_profile(pool.as_deref(), bridge.as_deref()));
    }
    ask_network(&mut dialogue, &mut preseed)?;
    if !dialogue.yes("Would you like stale cached images to be updated automatically?", "yes")? {
        preseed.config.insert("images.auto_update_interval".to_owned(), "0".to_owned());
    }
    if dialogue.yes("Would you like a YAML \"lxd init\" preseed to be printed?", "no")? {
        writeln!(dialogue.questions, "{}", preseed.show()?)?;
    }
    Ok(preseed)
}

fn ask_network<R: BufRead, W: Write>(
    dialogue: &mut Dialogue<'_, R, W>,
    preseed: &mut Preseed,
) -> Result<(), AskError> {
    if !dialogue.yes("Would you like LXD to be available over the network?", "no")? {
        return Ok(());
    }
    let address = |answer: &str| {
        (answer == "all" || (!answer.is_empty() && !answer.contains(['/', ' ']))).then(|| answer.to_owned())
    };
    let address = dialogue.ask("Address to bind LXD to (not including port)", "all", address)?;
    let port = dialogue.ask("Port to bind LXD to", &PORT.to_string(), |answer| answer.parse().ok())?;
    let password = loop {
        let first = dialogue.hidden("Trust password for new clients: ")?;
        if dialogue.hidden("Again: ")? == first {
            break first;
        }
        writeln!(dialogue.questions, "The passwords do not match, try again.\n")?;
    };
    if password.is_empty() {
        writeln!(dialogue.questions, "No password: add clients with \"lxc config trust add\".")?;
    }
    preseed.config.extend(listener(&address, port, &password));
    Ok(())
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
        let (preseed, _) = answered(&"\n".repeat(12), &Observed::default()).unwrap();
        assert_eq!(preseed.storage_pools[0].name, "default");
        assert_eq!(preseed.networks[0].name, "lxdbr0");
        assert_eq!(preseed.profiles[0].devices.len(), 2);
    }

    #[test]
    fn bad_answers_are_asked_again() {
        let observed = Observed { pools: vec!["default".to_owned()], ..Observed::default() };
        let (preseed, printed) =
            answered("maybe\nYES\ndefault\ndata\nfloppy\ndir\n/srv/data\nn\nn\nn\nn\nyes\n", &observed)
                .unwrap();
        assert_eq!(printed.matches("Invalid input, try again.").count(), 3);
        assert_eq!(preseed.storage_pools[0].config["source"], "/srv/data");
        assert!(preseed.networks.is_empty());
        assert!(printed.contains("storage_pools:"));
    }

    #[test]
    fn the_network_is_asked_for() {
        let answers = "n\nn\nn\nyes\n\nx\n9443\nsecret\nother\nsecret\nsecret\n\nn\n";
        let (preseed, printed) = answered(answers, &Observed::default()).unwrap();
        assert_eq!(preseed.config["core.https_address"], "[::]:9443");
        assert_eq!(preseed.config["core.trust_password"], "secret");
        assert!(printed.contains("The passwords do not match") && printed.contains("Invalid input"));
        assert!(preseed.storage_pools.is_empty() && preseed.profiles.is_empty());
    }

    #[test]
    fn silence_is_not_consent() {
        assert!(matches!(answered("yes\n", &Observed::default()), Err(AskError::Ended)));
    }
}
