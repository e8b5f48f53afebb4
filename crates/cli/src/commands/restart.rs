//! `lxc restart`.

use super::change_state::{self, Change};
use crate::args::RestartArgs;
use crate::session::Session;
use api::instances::StatePut;

pub(crate) async fn run(session: &Session, args: &RestartArgs) -> anyhow::Result<()> {
    let put =
        StatePut { action: "restart".to_owned(), timeout: args.timeout, force: args.force, stateful: false };
    let change = Change { verb: "restart", names: &args.names, all: args.all, put };
    change_state::run(session, change, change_state::is_up).await
}
