//! `lxd init`: what a new daemon needs before it can make containers.

mod apply;
mod auto;
mod interactive;
mod preseed;
mod storage;

use crate::args::Init;
use crate::talk::Daemon;
use anyhow::{Context as _, bail};
use auto::Observed;
pub(in crate::commands) use interactive::{AskError, Dialogue};
use preseed::Preseed;

pub(super) async fn run(options: &Init, daemon: &Daemon) -> anyhow::Result<()> {
    if options.auto && options.preseed {
        bail!("Can't use --auto and --preseed together");
    }
    let storage = auto::Storage::from(options);
    let network = auto::network(options)?;
    if !options.auto && (!network.is_empty() || storage != auto::Storage::default()) {
        bail!("Configuration flags require --auto");
    }
    let preseed = if options.preseed {
        let text = std::io::read_to_string(std::io::stdin()).context("cannot read standard input")?;
        Preseed::parse(&text)?
    } else {
        let observed = Observed::ask(daemon).await?;
        if options.auto {
            auto::plan(&storage, network, &observed)?
        } else {
            interactive::plan(&mut std::io::stdin().lock(), &mut std::io::stdout(), &observed)?
        }
    };
    apply::apply(&preseed, daemon).await?;
    Ok(())
}
