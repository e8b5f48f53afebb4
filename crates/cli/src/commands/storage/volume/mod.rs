//! `lxc storage volume`.

mod attach;
mod copy;
mod edit;
mod info;
mod keys;
mod list;
mod manage;
mod place;
mod snapshot;

use crate::args::VolumeCommand;
use crate::commands::holder::HolderKind;
use crate::session::Session;
use place::Place;

pub(super) async fn run(session: &Session, command: VolumeCommand) -> anyhow::Result<()> {
    match command {
        VolumeCommand::Attach(args) => attach::attach(session, HolderKind::Container, args).await,
        VolumeCommand::AttachProfile(args) => attach::attach(session, HolderKind::Profile, args).await,
        VolumeCommand::Copy(args) => copy::copy(session, &args).await,
        VolumeCommand::Create { pool, volume, config, description, content_type } => {
            let new = manage::New { config, description, content_type };
            manage::create(session, &pool, &volume, new).await
        }
        VolumeCommand::Delete { pool, volumes } => manage::delete(session, &pool, &volumes).await,
        VolumeCommand::Detach(args) => attach::detach(session, HolderKind::Container, args).await,
        VolumeCommand::DetachProfile(args) => attach::detach(session, HolderKind::Profile, args).await,
        VolumeCommand::Edit { which } => edit::run(session, &Place::of(session, &which)?).await,
        VolumeCommand::Get { which, key } => keys::get(&Place::of(session, &which)?, &key).await,
        VolumeCommand::Info { which, bytes, format } => {
            info::run(&Place::of(session, &which)?, bytes, format.format).await
        }
        VolumeCommand::List(args) => list::run(session, &args).await,
        VolumeCommand::Move(args) => copy::relocate(session, &args).await,
        VolumeCommand::Rename { pool, volume, new_name } => {
            manage::rename(session, &Place::new(session, &pool, &volume)?, &new_name).await
        }
        VolumeCommand::Restore { pool, volume, snapshot } => {
            snapshot::restore(session, &Place::new(session, &pool, &volume)?, snapshot).await
        }
        VolumeCommand::Set { which, pairs } => keys::set(session, &Place::of(session, &which)?, &pairs).await,
        VolumeCommand::Show { which, format } => {
            manage::show(&Place::of(session, &which)?, format.format).await
        }
        VolumeCommand::Snapshot { pool, volume, name, no_expiry, reuse } => {
            let place = Place::new(session, &pool, &volume)?;
            snapshot::take(session, &place, name, no_expiry, reuse).await
        }
        VolumeCommand::Unset { which, key } => keys::unset(session, &Place::of(session, &which)?, &key).await,
    }
}
