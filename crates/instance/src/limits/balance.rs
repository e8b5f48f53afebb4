//! Which processors for whom. Pure.

use model::units::{CpuLimit, CpuSet};
use std::collections::BTreeMap;

/// Processors for each container, in the order of the wishes. Those that ask for certain ones get
/// what there is of them; each of the others gets the least used at its turn. An empty set: it asked
/// for processors that are not there.
pub(crate) fn balance(available: &CpuSet, wishes: &[Option<CpuLimit>]) -> Vec<CpuSet> {
    let mut users: BTreeMap<u32, u32> = available.0.iter().map(|cpu| (*cpu, 0)).collect();
    let mut sets = vec![CpuSet::default(); wishes.len()];
    for (set, wish) in sets.iter_mut().zip(wishes) {
        if let Some(CpuLimit::Pinned(wanted)) = wish {
            *set = CpuSet(wanted.0.intersection(&available.0).copied().collect());
            count(&mut users, set);
        }
    }
    for (set, wish) in sets.iter_mut().zip(wishes) {
        let many = match wish {
            Some(CpuLimit::Pinned(_)) => continue,
            Some(CpuLimit::Count(many)) => usize::try_from(*many).unwrap_or(usize::MAX),
            None => usize::MAX,
        };
        let mut by_use: Vec<(u32, u32)> = users.iter().map(|(cpu, users)| (*users, *cpu)).collect();
        by_use.sort_unstable();
        *set = CpuSet(by_use.into_iter().take(many).map(|(_, cpu)| cpu).collect());
        count(&mut users, set);
    }
    sets
}

fn count(users: &mut BTreeMap<u32, u32>, set: &CpuSet) {
    for cpu in &set.0 {
        *users.entry(*cpu).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(available: &str, wishes: &[&str]) -> Vec<String> {
        let wishes: Vec<_> =
            wishes.iter().map(|w| (!w.is_empty()).then(|| CpuLimit::parse(w).unwrap())).collect();
        let sets = balance(&CpuSet::parse(available).unwrap(), &wishes);
        sets.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn counts_are_spread_over_the_least_used() {
        assert_eq!(plan("0-3", &["1", "1", "1", "1", "1"]), ["0", "1", "2", "3", "0"]);
        assert_eq!(plan("0-3", &["2", "2", "2"]), ["0-1", "2-3", "0-1"]);
        assert_eq!(plan("0-3", &["3", "1", "4"]), ["0-2", "3", "0-3"]);
    }

    #[test]
    fn pinned_ones_keep_theirs_and_others_make_room() {
        assert_eq!(plan("0-3", &["1", "0-1", "2"]), ["2", "0-1", "0,3"]);
        assert_eq!(plan("0-1", &["1-1", "1"]), ["1", "0"]);
    }

    #[test]
    fn no_limit_means_all_and_more_than_there_are_means_all() {
        assert_eq!(plan("0-3,6", &["", "64", "1"]), ["0-3,6", "0-3,6", "0"]);
    }

    #[test]
    fn what_is_not_there_is_left_out() {
        assert_eq!(plan("0-1", &["1,3", "0-3,7-11", "5-7"]), ["1", "0-1", ""]);
        assert_eq!(plan("", &["1", ""]), ["", ""]);
    }
}
