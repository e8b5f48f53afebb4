//! `ceph(8)`: a cluster, and the pools of its object stores.

use crate::run::{Run, RunError};
use serde::Deserialize;
use std::time::Duration;

/// How long a cluster may take to answer before it counts as unreachable.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// How long a question may take in all.
const QUESTION: Duration = Duration::from_secs(40);
/// How long making or removing a pool may take: placement groups are made one by one.
const CHANGE: Duration = Duration::from_secs(5 * 60);

/// A cluster, and who asks it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Its name: `/etc/ceph/<name>.conf` says where it is.
    pub cluster: String,
    /// The user, without `client.` in front.
    pub user: String,
}

/// How full a pool is, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// What is stored, once for all copies.
    pub used: u64,
    /// What can still be stored.
    pub available: u64,
}

#[derive(Deserialize)]
struct Fsid {
    fsid: String,
}

#[derive(Deserialize)]
struct Df {
    stats: DfTotal,
    pools: Vec<DfPool>,
}

#[derive(Deserialize)]
struct DfTotal {
    total_avail_bytes: u64,
}

#[derive(Deserialize)]
struct DfPool {
    name: String,
    stats: DfStats,
}

#[derive(Deserialize)]
struct DfStats {
    /// Older clusters count copies in `bytes_used` only.
    stored: Option<u64>,
    bytes_used: u64,
    max_avail: u64,
}

impl Access {
    fn run(&self, words: &[&str]) -> Run {
        Run::new("ceph")
            .arg(format!("--name=client.{}", self.user))
            .arg(format!("--cluster={}", self.cluster))
            .arg(format!("--connect-timeout={}", PATIENCE.as_secs()))
            .args(words)
    }

    async fn ask<T: for<'de> Deserialize<'de>>(&self, words: &[&str]) -> Result<T, RunError> {
        let output = self.run(words).arg("--format=json").deadline(QUESTION).output().await?;
        parse("ceph", &output.stdout)
    }

    /// What tells this cluster from all others, whatever they are called.
    ///
    /// # Errors
    /// See [`RunError`].
    pub async fn fsid(&self) -> Result<String, RunError> {
        Ok(self.ask::<Fsid>(&["fsid"]).await?.fsid)
    }

    /// The names of its pools.
    ///
    /// # Errors
    /// See [`RunError`].
    pub async fn pools(&self) -> Result<Vec<String>, RunError> {
        self.ask(&["osd", "pool", "ls"]).await
    }

    /// How full a pool is. Of one that was just made, or is not there, nothing is known but how much the
    /// cluster can store.
    ///
    /// # Errors
    /// See [`RunError`].
    pub async fn usage(&self, pool: &str) -> Result<Usage, RunError> {
        Ok(usage(self.ask(&["df"]).await?, pool))
    }

    /// Makes a pool. One that is there stays as it is.
    ///
    /// # Errors
    /// See [`RunError`].
    pub async fn create_pool(&self, pool: &str, placement_groups: u32) -> Result<(), RunError> {
        let number = placement_groups.to_string();
        self.run(&["osd", "pool", "create", pool, &number]).deadline(CHANGE).output().await.map(drop)
    }

    /// Removes a pool with everything in it, unless the cluster's configuration forbids it.
    ///
    /// # Errors
    /// See [`RunError`].
    pub async fn delete_pool(&self, pool: &str) -> Result<(), RunError> {
        let words = ["osd", "pool", "delete", pool, pool, "--yes-i-really-really-mean-it"];
        self.run(&words).deadline(CHANGE).output().await.map(drop)
    }
}

fn usage(df: Df, pool: &str) -> Usage {
    match df.pools.into_iter().find(|found| found.name == pool) {
        Some(DfPool { stats, .. }) => {
            Usage { used: stats.stored.unwrap_or(stats.bytes_used), available: stats.max_avail }
        }
        None => Usage { used: 0, available: df.stats.total_avail_bytes },
    }
}

/// Reads what a program wrote as JSON.
pub(crate) fn parse<T: for<'de> Deserialize<'de>>(program: &str, json: &[u8]) -> Result<T, RunError> {
    serde_json::from_slice(json)
        .map_err(|error| RunError::BadOutput { program: program.to_owned(), detail: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_among_others_is_measured() {
        let json = br#"{"stats":{"total_bytes":107374182400,"total_avail_bytes":107374182000},"pools":[
            {"name":"rbd","id":1,"stats":{"stored":19,"objects":4,"kb_used":12,"bytes_used":12288,"percent_used":0.0,"max_avail":102005473280}},
            {"name":"old","id":2,"stats":{"bytes_used":7,"max_avail":8}}]}"#;
        let of = |pool| usage(parse("ceph", json).unwrap(), pool);
        assert_eq!(of("rbd"), Usage { used: 19, available: 102_005_473_280 });
        assert_eq!(of("old"), Usage { used: 7, available: 8 });
        assert_eq!(of("new"), Usage { used: 0, available: 107_374_182_000 });
        assert!(parse::<Fsid>("ceph", b"Error").is_err());
    }
}
