//! `lxc storage get`, `set` and `unset`.

use crate::commands::{finish, holder};
use crate::output;
use crate::pairs;
use crate::session::{Session, Target};
use api::Config;
use api::storage::PoolPut;

pub(crate) async fn get(session: &Session, pool: &str, key: &str) -> anyhow::Result<()> {
    let (client, Target { name, .. }) = session.named(pool, "storage pool")?;
    let mut pool = client.pool(&name).await?.value;
    Ok(output::line(pool.config.remove(key).unwrap_or_default())?)
}

pub(crate) async fn set(session: &Session, pool: &str, args: &[String]) -> anyhow::Result<()> {
    let pairs = pairs::parse_set(args)?;
    change(session, pool, |config| {
        holder::set(config, pairs);
        Ok(())
    })
    .await
}

pub(crate) async fn unset(session: &Session, pool: &str, key: &str) -> anyhow::Result<()> {
    change(session, pool, |config| holder::unset(config, key)).await
}

async fn change(
    session: &Session,
    pool: &str,
    change: impl FnOnce(&mut Config) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let (client, Target { name, .. }) = session.named(pool, "storage pool")?;
    let current = client.pool(&name).await?;
    let mut put = PoolPut { config: current.value.config, description: current.value.description };
    change(&mut put.config)?;
    let pending = client.put_pool(&name, &put, current.etag.as_deref()).await?;
    Ok(finish(session, pending, "Updating").await?)
}
