//! What is known about datasets and snapshots, as the program lists it.

use super::names;
use model::SnapshotName;
use std::collections::BTreeMap;

/// Newer snapshots than this group of transactions go after a restore (a property of ours).
pub(super) const NEWER: &str = "lightervisor:newer";
/// The quota that a volume gets when it has its place (a property of ours).
pub(super) const QUOTA: &str = "lightervisor:quota";

/// The number of a content that was staged (a property of ours).
pub(super) const STAGED: &str = "lightervisor:staged";

/// What is asked for, in the order of [`Row::parse`].
pub(super) const PROPERTIES: [&str; 7] =
    ["name", "origin", "defer_destroy", "written", "createtxg", NEWER, QUOTA];

/// A dataset or snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) name: String,
    /// The snapshot that it was made of.
    pub(super) origin: Option<String>,
    /// A snapshot that goes with the last of its clones.
    pub(super) deferred: bool,
    /// Bytes that differ from its newest snapshot.
    pub(super) written: u64,
    /// The group of transactions that it was made in: the order of all that was ever made in a pool.
    pub(super) created: u64,
    /// [`NEWER`]; datasets below one have its value too.
    pub(super) newer: Option<u64>,
    /// [`QUOTA`], likewise.
    pub(super) quota: Option<String>,
}

impl Row {
    /// `None`: not a row of [`PROPERTIES`].
    pub(super) fn parse(fields: Vec<String>) -> Option<Self> {
        let [name, origin, deferred, written, created, newer, quota] =
            <[String; 7]>::try_from(fields).ok()?;
        let value = |text: String| (text != "-" && !text.is_empty()).then_some(text);
        Some(Self {
            name,
            origin: value(origin),
            deferred: deferred == "on",
            written: written.parse().unwrap_or(0),
            created: created.parse().unwrap_or(0),
            newer: value(newer).and_then(|text| text.parse().ok()),
            quota: value(quota),
        })
    }

    /// The dataset of a snapshot; of a dataset, itself.
    pub(super) fn dataset(&self) -> &str {
        self.name.split('@').next().unwrap_or(&self.name)
    }

    /// What is behind a snapshot's `@`.
    pub(super) fn snapshot(&self) -> Option<&str> {
        self.name.split_once('@').map(|(_, part)| part)
    }

    /// A snapshot's name, as users know it; `None`: they do not know it.
    pub(super) fn known_as(&self) -> Option<SnapshotName> {
        self.snapshot().and_then(names::parse_snapshot_part)
    }
}

/// A dataset with its snapshots and all that is below it.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    datasets: BTreeMap<String, Row>,
    /// By dataset, oldest first.
    snapshots: BTreeMap<String, Vec<Row>>,
}

impl Tree {
    pub(super) fn new(rows: impl IntoIterator<Item = Row>) -> Self {
        let mut tree = Self::default();
        for row in rows {
            if row.snapshot().is_none() {
                tree.datasets.insert(row.name.clone(), row);
            } else {
                tree.snapshots.entry(row.dataset().to_owned()).or_default().push(row);
            }
        }
        for snapshots in tree.snapshots.values_mut() {
            snapshots.sort_by_key(|row| row.created);
        }
        tree
    }

    pub(super) fn dataset(&self, name: &str) -> Option<&Row> {
        self.datasets.get(name)
    }

    /// Datasets below one, at any depth.
    pub(super) fn below<'a>(&'a self, dataset: &'a str) -> impl Iterator<Item = &'a Row> {
        self.datasets.values().filter(move |row| is_below(&row.name, dataset))
    }

    /// Snapshots of one dataset, oldest first.
    pub(super) fn snapshots_of(&self, dataset: &str) -> &[Row] {
        self.snapshots.get(dataset).map_or(&[], Vec::as_slice)
    }

    /// Snapshots of all datasets.
    pub(super) fn snapshots(&self) -> impl Iterator<Item = &Row> {
        self.snapshots.values().flatten()
    }

    /// A user's snapshot, wherever it is.
    pub(super) fn find(&self, name: &SnapshotName) -> Option<&Row> {
        let part = names::snapshot_part(name);
        self.snapshots().find(|row| row.snapshot() == Some(&part))
    }

    /// True if nothing depends on a dataset being there.
    pub(super) fn is_empty(&self, dataset: &str) -> bool {
        self.snapshots_of(dataset).is_empty() && self.below(dataset).next().is_none()
    }
}

/// True for names of datasets and snapshots below a dataset.
pub(super) fn is_below(name: &str, dataset: &str) -> bool {
    name.strip_prefix(dataset).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A dataset or snapshot that was made in this group of transactions.
    pub(crate) fn row(name: &str, created: u64) -> Row {
        Row { name: name.to_owned(), created, ..Row::default() }
    }

    #[test]
    fn rows_are_read_by_position() {
        let fields = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let found = Row::parse(fields("t/c1@snapshot-a:20b - on 512 99 - -")).unwrap();
        assert_eq!((found.dataset(), found.snapshot()), ("t/c1", Some("snapshot-a:20b")));
        assert_eq!(found.known_as().unwrap(), "a b");
        assert!(found.deferred && found.origin.is_none());
        assert_eq!((found.written, found.created), (512, 99));
        let found = Row::parse(fields("t/c1 t/c0@x - 0 5 12 1000")).unwrap();
        assert_eq!((found.newer, found.quota.as_deref()), (Some(12), Some("1000")));
        assert!(Row::parse(fields("t/c1 8")).is_none());
    }

    #[test]
    fn trees_know_what_is_below() {
        let tree = Tree::new([row("t/c1", 1), row("t/c1/.shelf-1", 2), row("t/c1@b", 9), row("t/c1@a", 3)]);
        assert_eq!(tree.below("t/c1").count(), 1);
        assert_eq!(tree.below("t/c").count(), 0);
        let names: Vec<_> = tree.snapshots_of("t/c1").iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["t/c1@a", "t/c1@b"]);
        assert!(!tree.is_empty("t/c1") && tree.is_empty("t/c1/.shelf-1"));
    }
}
