//! `lxc config show`.

use crate::args::Format;
use crate::commands::holder::changeable;
use crate::output::object;
use crate::session::Session;
use api::server::ServerPut;

pub(crate) async fn run(session: &Session, name: &str, expanded: bool, format: Format) -> anyhow::Result<()> {
    let target = session.target(name)?;
    let client = session.client(&target.remote)?;
    if target.name.is_empty() {
        let config = client.server().await?.value.config.unwrap_or_default();
        return object::show(format, &ServerPut { config });
    }
    if let Some((container, snapshot)) = target.name.split_once('/') {
        let mut snapshot = client.snapshot(container, snapshot).await?.value;
        if expanded {
            snapshot.config = snapshot.expanded_config.clone();
            snapshot.devices = snapshot.expanded_devices.clone();
        }
        return object::show(format, &snapshot);
    }
    let mut container = client.container(&target.name).await?.value;
    if expanded {
        container.config = std::mem::take(&mut container.expanded_config);
        container.devices = std::mem::take(&mut container.expanded_devices);
    }
    object::show(format, &changeable(container))
}
