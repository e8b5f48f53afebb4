//! Processors: which, how many, and what share of them.

use super::{UnitError, split_number};
use std::collections::BTreeSet;

/// A set of processor numbers, as the kernel writes them: `0-3,7`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CpuSet(pub BTreeSet<u32>);

const SET: &str = "processor numbers and ranges such as 0,2-3 (numbers below 8192)";
const CPUS: &str = "a number of processors such as 2, or a set of them such as 0,2-3 or 1-1";
/// The kernel's own bound on processor numbers (`CONFIG_NR_CPUS`).
const MAX: u32 = 8191;

impl CpuSet {
    /// Reads a list of numbers and ranges; white space around the whole is ignored, empty is the
    /// empty set.
    ///
    /// # Errors
    /// For anything else, for backward ranges, and for numbers that no kernel has.
    pub fn parse(text: &str) -> Result<Self, UnitError> {
        let error = || UnitError::new(text, SET);
        let mut set = BTreeSet::new();
        for part in text.trim().split(',').filter(|_| !text.trim().is_empty()) {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (cpu(first).ok_or_else(error)?, cpu(last).ok_or_else(error)?);
            if first > last {
                return Err(error());
            }
            set.extend(first..=last);
        }
        Ok(Self(set))
    }
}

fn cpu(text: &str) -> Option<u32> {
    match split_number(text) {
        Some((number, "")) => u32::try_from(number).ok().filter(|n| *n <= MAX),
        _ => None,
    }
}

impl std::fmt::Display for CpuSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut cpus = self.0.iter().copied().peekable();
        let mut comma = "";
        while let Some(first) = cpus.next() {
            let mut last = first;
            while let Some(next) = cpus.next_if_eq(&(last + 1)) {
                last = next;
            }
            match last - first {
                0 => write!(f, "{comma}{first}")?,
                _ => write!(f, "{comma}{first}-{last}")?,
            }
            comma = ",";
        }
        Ok(())
    }
}

/// `limits.cpu`: how many processors, or which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CpuLimit {
    /// This many, chosen for the container.
    Count(u32),
    /// These.
    Pinned(CpuSet),
}

impl CpuLimit {
    /// Reads a number of processors or a set (`1-1` is the set of one).
    ///
    /// # Errors
    /// For anything else, and for no processor at all.
    pub fn parse(text: &str) -> Result<Self, UnitError> {
        if let Some((number, "")) = split_number(text) {
            let count = u32::try_from(number).ok().filter(|count| *count > 0);
            return count.map(Self::Count).ok_or_else(|| UnitError::new(text, CPUS));
        }
        match CpuSet::parse(text)? {
            set if set.0.is_empty() => Err(UnitError::new(text, CPUS)),
            set => Ok(Self::Pinned(set)),
        }
    }
}

/// `limits.cpu.allowance`: a share, or a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CpuAllowance {
    /// Hundredths of a full share, when others want the processors too.
    Percent(u64),
    /// At most this much time in every period, always.
    Time {
        /// Milliseconds that may be used.
        quota: u64,
        /// Milliseconds after which the count starts again.
        period: u64,
    },
}

impl CpuAllowance {
    /// Reads `N%` or `Nms/Mms` (the `ms` may be left out).
    ///
    /// # Errors
    /// For anything else, and for times that the kernel does not take: periods are between a
    /// millisecond and a second.
    pub fn parse(text: &str) -> Result<Self, UnitError> {
        let parsed = match text.strip_suffix('%') {
            Some(number) => whole(number).map(Self::Percent),
            None => text.split_once('/').and_then(|(quota, period)| {
                let time = |t: &str| whole(t.strip_suffix("ms").unwrap_or(t));
                let (quota, period) = (time(quota)?, time(period)?);
                (quota > 0 && (1..=1000).contains(&period)).then_some(Self::Time { quota, period })
            }),
        };
        parsed.ok_or_else(|| {
            UnitError::new(
                text,
                "a share such as 50%, or time out of every period (of 1ms to 1000ms) such as 20ms/100ms",
            )
        })
    }
}

fn whole(text: &str) -> Option<u64> {
    match split_number(text) {
        Some((number, "")) => Some(number),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sets() {
        assert_eq!(CpuSet::parse("0,2-4,7\n").unwrap().0, BTreeSet::from([0, 2, 3, 4, 7]));
        assert_eq!(CpuSet::parse("4,3,2,0").unwrap().to_string(), "0,2-4");
        assert_eq!(CpuSet::parse("").unwrap().to_string(), "");
        for bad in ["a", "1-", "-1", "3-1", "1,,2", "0-4294967295", "99999"] {
            assert!(CpuSet::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn limits() {
        assert_eq!(CpuLimit::parse("2"), Ok(CpuLimit::Count(2)));
        assert_eq!(CpuLimit::parse("1-1").unwrap(), CpuLimit::Pinned(CpuSet(BTreeSet::from([1]))));
        for bad in ["", "0", "two", "1.5", "99999999999"] {
            assert!(CpuLimit::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn allowances() {
        assert_eq!(CpuAllowance::parse("50%"), Ok(CpuAllowance::Percent(50)));
        assert_eq!(CpuAllowance::parse("20ms/100ms"), Ok(CpuAllowance::Time { quota: 20, period: 100 }));
        assert_eq!(CpuAllowance::parse("20/100"), Ok(CpuAllowance::Time { quota: 20, period: 100 }));
        for bad in ["", "50", "%", "20ms", "20ms/0ms", "0ms/20ms", "1ms/1001ms", "a/b", "-1%"] {
            assert!(CpuAllowance::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn sets_lead_back(cpus in prop::collection::btree_set(0_u32..200, 0..50)) {
            let set = CpuSet(cpus);
            prop_assert_eq!(CpuSet::parse(&set.to_string()), Ok(set));
        }

        #[test]
        fn parsing_never_panics(text in "\\PC{0,30}") {
            let _ = (CpuSet::parse(&text), CpuLimit::parse(&text), CpuAllowance::parse(&text));
        }
    }
}
