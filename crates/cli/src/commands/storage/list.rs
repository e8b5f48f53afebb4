//! `lxc storage list`.

use crate::args::Format;
use crate::output::listing;
use crate::session::Session;

pub(crate) async fn run(session: &Session, remote: Option<&str>, format: Format) -> anyhow::Result<()> {
    let pools = session.server(remote)?.pools().await?;
    let rows = pools.iter().map(|pool| {
        vec![
            pool.name.clone(),
            pool.description.clone(),
            pool.driver.clone(),
            pool.config.get("source").cloned().unwrap_or_default(),
            pool.used_by.len().to_string(),
            pool.status.to_uppercase(),
        ]
    });
    let headers = ["NAME", "DESCRIPTION", "DRIVER", "SOURCE", "USED BY", "STATE"];
    listing::show(format, &headers, rows.collect(), &pools)
}
