//! `lxc profile list`.

use crate::args::FormatArg;
use crate::output::listing;
use crate::session::Session;

pub(crate) async fn run(session: &Session, remote: Option<&str>, format: FormatArg) -> anyhow::Result<()> {
    let profiles = session.server(remote)?.profiles().await?;
    let rows = profiles.iter().map(|profile| vec![profile.name.clone(), profile.used_by.len().to_string()]);
    listing::show(format.format, &["NAME", "USED BY"], rows.collect(), &profiles)
}
