//! `lxc version`.

use crate::args::VersionArgs;
use crate::output;
use crate::session::Session;

pub(crate) async fn run(session: &Session, args: &VersionArgs) -> anyhow::Result<()> {
    let server = match session.server(args.remote.as_deref())?.server().await {
        Ok(server) => server.value.environment.map(|environment| environment.server_version),
        Err(_) => None,
    };
    let server = server.unwrap_or_else(|| "unreachable".to_owned());
    Ok(output::print(&format!("Client version: {}\nServer version: {server}\n", env!("CARGO_PKG_VERSION")))?)
}
