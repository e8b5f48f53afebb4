//! `lxc stop`.

use super::change_state::{self, Change};
use crate::args::StopArgs;
use crate::session::Session;
use api::instances::StatePut;

pub(crate) async fn run(session: &Session, args: &StopArgs) -> anyhow::Result<()> {
    let StopArgs { timeout, force, stateful, .. } = *args;
    let put = StatePut { action: "stop".to_owned(), timeout, force, stateful };
    let change = Change { verb: "stop", names: &args.names, all: args.all, put };
    change_state::run(session, change, change_state::is_up).await
}
