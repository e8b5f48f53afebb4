//! `lxc storage`.

mod edit;
mod info;
mod keys;
mod list;
mod manage;
mod volume;

use crate::args::StorageCommand;
use crate::session::Session;

pub(crate) async fn run(session: &Session, command: StorageCommand) -> anyhow::Result<()> {
    match command {
        StorageCommand::Create(args) => manage::create(session, args).await,
        StorageCommand::Delete { pool } => manage::delete(session, &pool).await,
        StorageCommand::Edit { pool } => edit::run(session, &pool).await,
        StorageCommand::Get { pool, key } => keys::get(session, &pool, &key).await,
        StorageCommand::Info { pool, bytes, format } => info::run(session, &pool, bytes, format.format).await,
        StorageCommand::List { remote, format } => list::run(session, remote.as_deref(), format.format).await,
        StorageCommand::Set { pool, pairs } => keys::set(session, &pool, &pairs).await,
        StorageCommand::Show { pool, resources, format } => {
            manage::show(session, &pool, resources, format.format).await
        }
        StorageCommand::Unset { pool, key } => keys::unset(session, &pool, &key).await,
        StorageCommand::Volume(command) => Box::pin(volume::run(session, command)).await,
    }
}
