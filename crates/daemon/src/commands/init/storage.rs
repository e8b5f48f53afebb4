//! The questions about a storage pool.

use super::auto::{DRIVER, Observed, POOL};
use super::interactive::{AskError, Dialogue};
use super::preseed::{Pool, Preseed};
use api::Config;
use std::io::{BufRead, Write};

/// Drivers that nobody gets without asking: they need something outside of this host, or more thought.
const LAST: [&str; 2] = ["ceph", "lvm"];

/// The driver that is proposed: the file system's own, else the best that this host has.
fn proposed(observed: &Observed) -> String {
    if observed.on_btrfs && observed.drivers.iter().any(|driver| driver == "btrfs") {
        return "btrfs".to_owned();
    }
    let mut rest = observed.drivers.iter().filter(|driver| !LAST.contains(&driver.as_str()));
    rest.next().cloned().unwrap_or_else(|| DRIVER.to_owned())
}

/// Asks for a pool; `None`: there is to be none.
pub(super) fn ask<R: BufRead, W: Write>(
    dialogue: &mut Dialogue<'_, R, W>,
    observed: &Observed,
    preseed: &mut Preseed,
) -> Result<Option<String>, AskError> {
    if !dialogue.yes("Do you want to configure a new storage pool?", "yes")? {
        return Ok(None);
    }
    let free = |name: &str| {
        (!name.contains('/') && !observed.pools.iter().any(|pool| pool == name)).then(|| name.to_owned())
    };
    let default = if observed.pools.iter().any(|pool| pool == POOL) { "pool1" } else { POOL };
    let name = dialogue.ask("Name of the new storage pool", default, free)?;
    let mut drivers = observed.drivers.clone();
    if drivers.is_empty() {
        drivers.push(DRIVER.to_owned());
    }
    drivers.sort();
    let question = format!("Name of the storage backend to use ({})", drivers.join(", "));
    let driver = dialogue.ask(&question, &proposed(observed), |answer| {
        drivers.iter().find(|driver| *driver == answer).cloned()
    })?;
    let config = match driver.as_str() {
        "dir" => directory(dialogue)?,
        "ceph" => cluster(dialogue)?,
        other => local(dialogue, observed, other, &name)?,
    };
    preseed.storage_pools.push(Pool { name: name.clone(), driver, config, ..Pool::default() });
    Ok(Some(name))
}

fn one(key: &str, value: String) -> Config {
    Config::from([(key.to_owned(), value)])
}

fn directory<R: BufRead, W: Write>(dialogue: &mut Dialogue<'_, R, W>) -> Result<Config, AskError> {
    let source = dialogue.text("Directory to keep it in, empty for one below LXD_DIR", "")?;
    Ok(if source.is_empty() { Config::new() } else { one("source", source) })
}

fn cluster<R: BufRead, W: Write>(dialogue: &mut Dialogue<'_, R, W>) -> Result<Config, AskError> {
    let some = |answer: &str| (!answer.is_empty()).then(|| answer.to_owned());
    if !dialogue.yes("Create a new CEPH pool?", "yes")? {
        return Ok(one("source", dialogue.ask("Name of the existing OSD storage pool", "lxd", some)?));
    }
    let number = |answer: &str| answer.parse::<u32>().ok().filter(|number| *number > 0);
    let cluster = dialogue.ask("Name of the existing CEPH cluster", "ceph", some)?;
    let pool = dialogue.ask("Name of the OSD storage pool", "lxd", some)?;
    let groups = dialogue.ask("Number of placement groups", "32", number)?;
    Ok(Config::from([
        ("ceph.cluster_name".to_owned(), cluster),
        ("ceph.osd.pool_name".to_owned(), pool),
        ("ceph.osd.pg_num".to_owned(), groups.to_string()),
    ]))
}

/// A pool on a disk or in a file of this host.
fn local<R: BufRead, W: Write>(
    dialogue: &mut Dialogue<'_, R, W>,
    observed: &Observed,
    driver: &str,
    pool: &str,
) -> Result<Config, AskError> {
    if driver == "btrfs" && observed.on_btrfs {
        let question = "Would you like to create a new btrfs subvolume under the daemon's directory?";
        if dialogue.yes(question, "yes")? {
            let path = observed.var.join("storage-pools").join(pool);
            return Ok(one("source", path.display().to_string()));
        }
    }
    let some = |answer: &str| (!answer.is_empty()).then(|| answer.to_owned());
    if !dialogue.yes(&format!("Create a new {} pool?", driver.to_uppercase()), "yes")? {
        let what = match driver {
            "zfs" => "ZFS pool or dataset",
            "lvm" => "LVM volume group",
            _ => "btrfs directory or device",
        };
        return Ok(one("source", dialogue.ask(&format!("Name of the existing {what}"), "", some)?));
    }
    if dialogue.yes("Would you like to use an existing block device?", "no")? {
        let path = |answer: &str| answer.starts_with("/dev/").then(|| answer.to_owned());
        return Ok(one("source", dialogue.ask("Path to the existing block device", "", path)?));
    }
    let size = |answer: &str| {
        let number = answer.strip_suffix("GB").unwrap_or(answer).parse::<u32>();
        number.ok().filter(|size| *size > 0)
    };
    let question = "Size in GB of the new loop device (1GB minimum)";
    let size = dialogue.ask(question, &format!("{}GB", observed.loop_size), size)?;
    Ok(one("size", format!("{size}GB")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observed(drivers: &[&str], on_btrfs: bool) -> Observed {
        let drivers = drivers.iter().map(|driver| (*driver).to_owned()).collect();
        Observed { drivers, on_btrfs, loop_size: 20, var: "/var/lib/lxd".into(), ..Observed::default() }
    }

    fn answered(answers: &str, observed: &Observed) -> (Option<Pool>, String) {
        let (mut printed, mut preseed) = (Vec::new(), Preseed::default());
        let mut lines = answers.as_bytes();
        let mut dialogue = Dialogue { answers: &mut lines, questions: &mut printed };
        ask(&mut dialogue, observed, &mut preseed).unwrap();
        (preseed.storage_pools.pop(), String::from_utf8(printed).unwrap())
    }

    #[test]
    fn the_best_driver_is_proposed_with_a_file_of_the_right_size() {
        let (pool, printed) = answered(&"\n".repeat(6), &observed(&["zfs", "btrfs", "lvm", "dir"], false));
        let pool = pool.unwrap();
        assert_eq!((pool.name.as_str(), pool.driver.as_str()), ("default", "zfs"));
        assert_eq!(pool.config, one("size", "20GB".to_owned()));
        assert!(printed.contains("(btrfs, dir, lvm, zfs) [default=zfs]"), "{printed}");
        let (pool, _) = answered(&"\n".repeat(6), &observed(&["lvm", "ceph", "dir"], false));
        assert_eq!(pool.unwrap().driver, "dir");
    }

    #[test]
    fn a_btrfs_gets_a_subvolume() {
        let (pool, _) = answered(&"\n".repeat(6), &observed(&["btrfs", "dir"], true));
        assert_eq!(pool.unwrap().config["source"], "/var/lib/lxd/storage-pools/default");
        let (pool, _) = answered("\n\n\nno\nyes\nyes\n/dev/sdb\n", &observed(&["btrfs", "dir"], true));
        assert_eq!(pool.unwrap().config["source"], "/dev/sdb");
    }

    #[test]
    fn what_exists_is_named() {
        let all = observed(&["zfs", "lvm", "ceph", "dir"], false);
        let (pool, _) = answered("\nfast\nlvm\nno\nvg0\n", &all);
        assert_eq!(pool.unwrap().config, one("source", "vg0".to_owned()));
        let (pool, _) = answered("\nremote\nceph\n\n\nosd\nmany\n8\n", &all);
        let pool = pool.unwrap();
        assert_eq!(pool.config["ceph.osd.pool_name"], "osd");
        assert_eq!(pool.config["ceph.osd.pg_num"], "8");
        assert!(answered("no\n", &all).0.is_none());
    }
}
