//! `lxc config get`.

use crate::output;
use crate::pairs;
use crate::session::Session;

pub(crate) async fn run(session: &Session, args: &[String]) -> anyhow::Result<()> {
    let (target, key) = pairs::target_and_key(args);
    let target = session.target(target.unwrap_or_default())?;
    let client = session.client(&target.remote)?;
    let value = if target.name.is_empty() {
        let config = client.server().await?.value.config.unwrap_or_default();
        config.get(key).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    } else {
        client.container(&target.name).await?.value.config.remove(key)
    };
    Ok(output::line(value.unwrap_or_default())?)
}
