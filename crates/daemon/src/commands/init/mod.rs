//! `lxd init`: what a new daemon needs before it can make containers.

mod apply;
mod auto;
mod interactive;
mod preseed;

use crate::args::Init;
use crate::talk::Daemon;
use anyhow::{Context as _, bail};
use auto::Observed;
use preseed::Preseed;
use std::io::IsTerminal as _;

pub(super) async fn run(options: &Init, daemon: &Daemon) -> anyhow::Result<()> {
    if options.auto && options.preseed {
        bail!("Can't use --auto and --preseed together");
    }
    let storage = auto::Storage::from(options);
    if !options.auto && storage != auto::Storage::default() {
        bail!("Configuration flags require --auto");
    }
    let preseed = if options.preseed {
        let text = std::io::read_to_string(std::io::stdin()).context("cannot read standard input")?;
        Preseed::parse(&text)?
    } else {
        let observed = Observed::ask(daemon).await?;
        if options.auto {
            auto::plan(&storage, &observed)?
        } else {
            if !std::io::stdin().is_terminal() {
                bail!("There is nobody to ask: use --auto, or --preseed with YAML on standard input");
            }
            interactive::plan(&mut std::io::stdin().lock(), &mut std::io::stdout(), &observed)?
        }
    };
    apply::apply(&preseed, daemon).await?;
    Ok(())
}
