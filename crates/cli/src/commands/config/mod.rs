//! `lxc config`.

mod edit;
mod get;
mod keys;
mod metadata;
mod set;
mod show;
mod template;
mod trust;
mod unset;

use super::device;
use super::holder::HolderKind;
use crate::args::ConfigCommand;
use crate::session::Session;

pub(crate) async fn run(session: &Session, command: ConfigCommand) -> anyhow::Result<()> {
    match command {
        ConfigCommand::Device(command) => device::run(session, HolderKind::Container, command).await,
        ConfigCommand::Edit { name } => edit::run(session, name.as_deref().unwrap_or_default()).await,
        ConfigCommand::Get { args } => get::run(session, &args).await,
        ConfigCommand::Keys { pattern, format } => {
            keys::run(session, pattern.as_deref().unwrap_or_default(), format).await
        }
        ConfigCommand::Metadata(command) => metadata::run(session, command).await,
        ConfigCommand::Set { args } => set::run(session, &args).await,
        ConfigCommand::Show { name, expanded, format } => {
            show::run(session, name.as_deref().unwrap_or_default(), expanded, format.format).await
        }
        ConfigCommand::Template(command) => template::run(session, command).await,
        ConfigCommand::Trust(command) => trust::run(session, command).await,
        ConfigCommand::Unset { args } => unset::run(session, &args).await,
    }
}
