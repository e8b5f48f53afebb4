//! `lxc pause`.

use super::change_state::{self, Change};
use crate::args::PauseArgs;
use crate::session::Session;
use api::StatusCode;
use api::instances::StatePut;

pub(crate) async fn run(session: &Session, args: &PauseArgs) -> anyhow::Result<()> {
    let put = StatePut { action: "freeze".to_owned(), ..StatePut::default() };
    let change = Change { verb: "pause", names: &args.names, all: args.all, put };
    change_state::run(session, change, |container| container.status_code == StatusCode::Running).await
}
