//! `lxd activateifneeded`: at boot, wakes a daemon whose socket systemd holds, if it has something to do.

use crate::paths::Paths;
use crate::talk::Daemon;
use anyhow::Context as _;
use http::Method;
use model::power::{self, LastPower};
use std::collections::BTreeMap;
use store::Store;

/// Starts the container whatever it did before.
const AUTOSTART: &str = "boot.autostart";
/// Makes the daemon listen to the network.
const ADDRESS: &str = "core.https_address";

pub(super) async fn run(paths: &Paths, daemon: &Daemon) -> anyhow::Result<()> {
    let database = paths.var.join("database/lxd.db");
    if !database.exists() {
        return Ok(());
    }
    let store = Store::open(&database).context("cannot read the database")?;
    let found = store
        .read(|conn| {
            let mut configs = vec![store::server_config::get(conn)?];
            configs.extend(store::instances::list(conn)?.into_iter().map(|instance| instance.config));
            Ok(configs)
        })
        .await
        .context("cannot read the database")?;
    store.close();
    if found.iter().any(needs_daemon) {
        daemon.ask(Method::GET, "/1.0", None).await.context("cannot wake the daemon")?;
    }
    Ok(())
}

/// Whether this configuration, of the server or of a container, needs a running daemon.
fn needs_daemon(config: &BTreeMap<String, String>) -> bool {
    let get = |key| config.get(key).map_or("", String::as_str);
    !get(ADDRESS).is_empty()
        || ["1", "true", "yes", "on"].iter().any(|word| get(AUTOSTART).eq_ignore_ascii_case(word))
        || LastPower::parse(config.get(power::KEY).map(String::as_str)) == LastPower::Running
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_runs_or_listens_needs_a_daemon() {
        let needs =
            |key: &str, value: &str| needs_daemon(&BTreeMap::from([(key.to_owned(), value.to_owned())]));
        assert!(needs(AUTOSTART, "True"));
        assert!(needs(power::KEY, "RUNNING"));
        assert!(needs(ADDRESS, "[::]:8443"));
        assert!(!needs(AUTOSTART, "false"));
        assert!(!needs(power::KEY, "STOPPED"));
        assert!(!needs("user.x", "1"));
    }
}
