//! `lxc storage`.

use crate::args::{FormatArg, StorageCommand};
use crate::output::{self, listing, sizes};
use crate::session::{Session, Target};
use crate::yaml;
use std::collections::BTreeMap;

pub(crate) async fn run(session: &Session, command: StorageCommand) -> anyhow::Result<()> {
    match command {
        StorageCommand::Info { pool, bytes } => info(session, &pool, bytes).await,
        StorageCommand::List { remote, format } => list(session, remote.as_deref(), format).await,
        StorageCommand::Show { pool, resources } => {
            let (client, Target { name, .. }) = session.named(&pool, "storage pool")?;
            let text = if resources {
                yaml::to_string(&client.pool_resources(&name).await?)?
            } else {
                let mut pool = client.pool(&name).await?;
                pool.used_by.sort_unstable();
                yaml::to_string(&pool)?
            };
            Ok(output::print(&text)?)
        }
    }
}

async fn list(
    session: &Session,
    remote: Option<&str>,
    FormatArg { format }: FormatArg,
) -> anyhow::Result<()> {
    let pools = session.server(remote)?.pools().await?;
    let rows = pools.iter().map(|pool| {
        vec![
            pool.name.clone(),
            pool.description.clone(),
            pool.driver.clone(),
            pool.config.get("source").cloned().unwrap_or_default(),
            pool.used_by.len().to_string(),
        ]
    });
    listing::show(format, &["NAME", "DESCRIPTION", "DRIVER", "SOURCE", "USED BY"], rows.collect(), &pools)
}

async fn info(session: &Session, pool: &str, bytes: bool) -> anyhow::Result<()> {
    let (client, Target { name, .. }) = session.named(pool, "storage pool")?;
    let (pool, resources) = tokio::try_join!(client.pool(&name), client.pool_resources(&name))?;
    let size = |count: u64| {
        if bytes { count.to_string() } else { sizes::bytes(i64::try_from(count).unwrap_or(i64::MAX)) }
    };
    let info = BTreeMap::from([
        ("description", pool.description),
        ("driver", pool.driver),
        ("name", pool.name),
        ("space used", size(resources.space.used)),
        ("total space", size(resources.space.total)),
    ]);
    let mut used_by: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for url in &pool.used_by {
        // `/1.0/containers/c1`, `/1.0/storage-pools/p/volumes/custom/v`
        let mut segments = url.rsplit('/');
        if let (Some(name), Some(kind)) = (segments.next(), segments.next()) {
            used_by.entry(kind).or_default().push(name);
        }
    }
    used_by.values_mut().for_each(|names| names.sort_unstable());
    let text = yaml::to_string(&BTreeMap::from([("info", info)]))?
        + &yaml::to_string(&BTreeMap::from([("used by", used_by)]))?;
    Ok(output::print(&text)?)
}
