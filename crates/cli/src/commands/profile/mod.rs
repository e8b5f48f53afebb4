//! `lxc profile`.

mod assign;
mod edit;
mod keys;
mod list;
mod manage;

use super::device;
use super::holder::HolderKind;
use crate::args::ProfileCommand;
use crate::session::Session;

pub(crate) async fn run(session: &Session, command: ProfileCommand) -> anyhow::Result<()> {
    match command {
        ProfileCommand::Add { container, profile } => assign::add(session, &container, profile).await,
        ProfileCommand::Assign { container, profiles } => {
            assign::assign(session, &container, &profiles).await
        }
        ProfileCommand::Copy { source, target } => manage::copy(session, &source, &target).await,
        ProfileCommand::Create { profile } => manage::create(session, &profile).await,
        ProfileCommand::Delete { profile } => manage::delete(session, &profile).await,
        ProfileCommand::Device(command) => device::run(session, HolderKind::Profile, command).await,
        ProfileCommand::Edit { profile } => edit::run(session, &profile).await,
        ProfileCommand::Get { profile, key } => keys::get(session, &profile, &key).await,
        ProfileCommand::List { remote, format } => list::run(session, remote.as_deref(), format).await,
        ProfileCommand::Remove { container, profile } => assign::remove(session, &container, &profile).await,
        ProfileCommand::Rename { profile, new_name } => manage::rename(session, &profile, &new_name).await,
        ProfileCommand::Set { profile, pairs } => keys::set(session, &profile, &pairs).await,
        ProfileCommand::Show { profile, format } => manage::show(session, &profile, format.format).await,
        ProfileCommand::Unset { profile, key } => keys::unset(session, &profile, &key).await,
    }
}
