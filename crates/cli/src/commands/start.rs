//! `lxc start`; what is frozen goes on.

use super::change_state::{self, Change};
use crate::args::StartArgs;
use crate::session::Session;
use api::StatusCode;
use api::instances::StatePut;

pub(crate) async fn run(session: &Session, args: &StartArgs) -> anyhow::Result<()> {
    let StartArgs { names, all, stateless: _ } = args;
    // Servers keep no state of processes yet, so that every start leaves it alone.
    let put = StatePut { action: "start".to_owned(), ..StatePut::default() };
    let change = Change { verb: "start", names, all: *all, put };
    change_state::run(session, change, |container| {
        matches!(container.status_code, StatusCode::Stopped | StatusCode::Frozen)
    })
    .await
}
