//! What is to be done next about a volume's shelves, and about what was deleted. Pure functions.
//!
//! Each looks at how things are and names the next steps; it is asked again after they were done, until it
//! names none. So it does not matter where a crash interrupted them.

use super::names;
use super::rows::{Row, Tree, is_below};

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Step {
    /// Make a clone the owner of what it was made of.
    Promote(String),
    /// Give a dataset or snapshot another name.
    Rename(String, String),
    /// Remove a dataset.
    Destroy(String),
    /// Remove snapshots (`dataset@one,two`), those that have clones with the last of these.
    Retire(String),
    /// Free what a dataset holds beside its snapshots, of which this is the newest.
    Rollback(String),
    /// Set a dataset's quota, which was only noted before.
    Quota(String, String),
    /// Remove a property's value.
    Unset(String, &'static str),
}

impl Step {
    /// True if there may be more to do afterwards.
    pub(super) fn leads_on(&self) -> bool {
        match self {
            Self::Promote(_) | Self::Rename(..) | Self::Retire(_) | Self::Unset(..) => true,
            Self::Destroy(_) | Self::Rollback(_) | Self::Quota(..) => false,
        }
    }
}

/// How many snapshots one command names: its line must not become too long.
const AT_ONCE: usize = 100;

/// Puts a volume in order after its content was exchanged: it owns the snapshots up to the one that it was
/// made of, the newer ones lie on shelves directly below it, and nothing else is kept. `promote`: it can own
/// them; it works without that, but what it was made of stays then.
pub(super) fn tidy(main: &str, tree: &Tree, promote: bool) -> Vec<Step> {
    let Some(volume) = tree.dataset(main) else { return Vec::new() };
    if promote && volume.origin.as_deref().is_some_and(|origin| is_below(origin, main)) {
        return vec![Step::Promote(main.to_owned())];
    }
    let steps = remove_newer(main, volume, tree);
    if !steps.is_empty() {
        return steps;
    }
    let mut steps = Vec::new();
    for shelf in tree.below(main) {
        let nested = shelf.name[main.len() + 1..].contains('/');
        if tree.is_empty(&shelf.name) {
            steps.push(Step::Destroy(shelf.name.clone()));
        } else if nested {
            steps.push(Step::Rename(shelf.name.clone(), names::shelf(main)));
        } else {
            steps.extend(free_head(shelf, tree));
        }
    }
    if let Some(quota) = &volume.quota {
        steps.push(Step::Quota(main.to_owned(), quota.clone()));
    }
    steps
}

/// Snapshots between the one that was restored and the content that was made of it.
fn remove_newer(main: &str, volume: &Row, tree: &Tree) -> Vec<Step> {
    let Some(restored) = volume.newer else { return Vec::new() };
    let goes =
        |row: &&Row| row.known_as().is_some() && row.created > restored && row.created < volume.created;
    let mut steps = Vec::new();
    for snapshot in tree.snapshots().filter(goes) {
        let (hidden, _) = names::copy_of(snapshot.dataset());
        steps.push(Step::Rename(snapshot.name.clone(), hidden.clone()));
        steps.push(Step::Retire(hidden));
    }
    steps.push(Step::Unset(main.to_owned(), super::rows::NEWER));
    steps
}

/// Removes what was deleted, as far as nothing was made of it.
pub(super) fn sweep(deleted: &str, tree: &Tree) -> Vec<Step> {
    let mut steps = Vec::new();
    for ghost in tree.below(deleted) {
        let snapshots = tree.snapshots_of(&ghost.name);
        let visible: Vec<&str> =
            snapshots.iter().filter(|row| !row.deferred).filter_map(Row::snapshot).collect();
        let nested = ghost.name[deleted.len() + 1..].contains('/');
        if !visible.is_empty() {
            let named = |parts: &[&str]| Step::Retire(format!("{}@{}", ghost.name, parts.join(",")));
            steps.extend(visible.chunks(AT_ONCE).map(named));
        } else if tree.is_empty(&ghost.name) {
            steps.push(Step::Destroy(ghost.name.clone()));
        } else if nested && !snapshots.is_empty() {
            // What is above it may have been made of it, and could never go before it.
            steps.push(Step::Rename(ghost.name.clone(), format!("{deleted}/{}", names::unique())));
        } else if !snapshots.is_empty() {
            steps.extend(free_head(ghost, tree));
        }
    }
    steps
}

fn free_head(row: &Row, tree: &Tree) -> Option<Step> {
    let newest = tree.snapshots_of(&row.name).last()?;
    (row.written > 0).then(|| Step::Rollback(newest.name.clone()))
}

#[cfg(test)]
mod tests {
    use super::super::rows::tests::row;
    use super::*;

    fn of(name: &str, created: u64, origin: &str) -> Row {
        Row { origin: Some(origin.to_owned()), ..row(name, created) }
    }

    fn names_of(steps: &[Step]) -> Vec<String> {
        steps
            .iter()
            .map(|step| match step {
                Step::Promote(name) => format!("promote {name}"),
                Step::Rename(old, new) => format!("rename {old} {}", new.rsplit_once(['-', '/']).unwrap().0),
                Step::Destroy(name) => format!("destroy {name}"),
                Step::Retire(name) => format!("retire {}", name.split("copy-").next().unwrap()),
                Step::Rollback(name) => format!("rollback {name}"),
                Step::Quota(name, quota) => format!("quota {name} {quota}"),
                Step::Unset(name, property) => format!("unset {name} {property}"),
            })
            .collect()
    }

    #[test]
    fn a_restored_volume_takes_its_snapshots_back() {
        let (main, shelf) = ("t/containers/c1", "t/containers/c1/.shelf-1");
        let before = Tree::new([
            of(main, 20, &format!("{shelf}@snapshot-a")),
            row(shelf, 1),
            row(&format!("{shelf}@snapshot-a"), 5),
            row(&format!("{shelf}@snapshot-b"), 9),
        ]);
        assert_eq!(tidy(main, &before, true), [Step::Promote(main.to_owned())]);
        let old = Row { written: 7, ..of(shelf, 1, &format!("{main}@snapshot-a")) };
        let after = Tree::new([
            Row { quota: Some("1000".to_owned()), ..row(main, 20) },
            old,
            row(&format!("{main}@snapshot-a"), 5),
            row(&format!("{shelf}@snapshot-b"), 9),
        ]);
        assert_eq!(
            names_of(&tidy(main, &after, true)),
            ["rollback t/containers/c1/.shelf-1@snapshot-b", "quota t/containers/c1 1000",]
        );
        let newest = Tree::new([row(main, 20), of(shelf, 1, "x"), row(&format!("{main}@snapshot-a"), 5)]);
        assert_eq!(names_of(&tidy(main, &newest, true)), [format!("destroy {shelf}")]);
        assert!(tidy(main, &Tree::new([row(main, 20)]), true).is_empty());
        assert!(tidy(main, &Tree::default(), true).is_empty());
    }

    #[test]
    fn shelves_lie_directly_below_their_volume() {
        let main = "t/custom/v";
        let tree = Tree::new([
            row(main, 9),
            row("t/custom/v/.shelf-1", 3),
            row("t/custom/v/.shelf-1/.shelf-0", 2),
            row("t/custom/v/.shelf-1/.shelf-0@snapshot-a", 2),
        ]);
        // What is above goes when it is asked again.
        let renamed = "rename t/custom/v/.shelf-1/.shelf-0 t/custom/v/.shelf";
        assert_eq!(names_of(&tidy(main, &tree, true)), [renamed]);
    }

    #[test]
    fn newer_snapshots_go_if_that_was_asked_for() {
        let (main, shelf) = ("t/containers/c1", "t/containers/c1/.shelf-1");
        let tree = Tree::new([
            Row { newer: Some(5), ..row(main, 20) },
            row(shelf, 1),
            row(&format!("{main}@snapshot-a"), 5),
            row(&format!("{shelf}@snapshot-b"), 9),
            row(&format!("{shelf}@copy-1"), 10),
            row(&format!("{main}@snapshot-later"), 30),
        ]);
        assert_eq!(
            names_of(&tidy(main, &tree, true)),
            [
                format!("rename {shelf}@snapshot-b {shelf}@copy"),
                format!("retire {shelf}@"),
                format!("unset {main} lightervisor:newer"),
            ]
        );
    }

    #[test]
    fn what_was_deleted_goes_with_the_last_that_was_made_of_it() {
        let deleted = "t/deleted";
        let gone = |name: &str, created| Row { deferred: true, ..row(name, created) };
        let whole = Tree::new([
            row(deleted, 1),
            row("t/deleted/1", 2),
            row("t/deleted/1@snapshot-a", 3),
            row("t/deleted/1@snapshot-b", 4),
            gone("t/deleted/1@copy-1", 5),
        ]);
        assert_eq!(sweep(deleted, &whole), [Step::Retire("t/deleted/1@snapshot-a,snapshot-b".to_owned())]);
        let held = Row { written: 9, ..row("t/deleted/1", 2) };
        let waiting =
            Tree::new([row(deleted, 1), held, gone("t/deleted/1@copy-1", 5), row("t/deleted/2", 7)]);
        assert_eq!(
            names_of(&sweep(deleted, &waiting)),
            ["rollback t/deleted/1@copy-1", "destroy t/deleted/2"]
        );
        let nested = Tree::new([
            row(deleted, 1),
            of("t/deleted/1", 2, "t/deleted/1/.shelf-1@copy-1"),
            row("t/deleted/1/.shelf-1", 2),
            gone("t/deleted/1/.shelf-1@copy-1", 5),
        ]);
        assert_eq!(names_of(&sweep(deleted, &nested)), ["rename t/deleted/1/.shelf-1 t/deleted"]);
        assert!(sweep(deleted, &Tree::new([row(deleted, 1)])).is_empty());
    }
}
