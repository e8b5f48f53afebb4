//! Limits of disks → files of control groups, averaged per block device. Pure.
//!
//! The kernel limits whole block devices. Where several disks of a container lie on one device, it
//! gets the mean of what they ask for, each kind for itself.

use super::{Setting, Settings};
use model::devices::DiskLimits;
use model::units::DiskRate;
use std::collections::{BTreeMap, BTreeSet};

/// A block device by its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Block {
    pub(crate) major: u32,
    pub(crate) minor: u32,
}

impl std::fmt::Display for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.major, self.minor)
    }
}

/// What one disk asks for, and what is behind it.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) limits: DiskLimits,
    pub(crate) blocks: BTreeSet<Block>,
}

/// Kinds of limits: their files in version 1 and their names in version 2.
const KINDS: [(&str, &str); 4] = [
    ("blkio.throttle.read_bps_device", "rbps"),
    ("blkio.throttle.write_bps_device", "wbps"),
    ("blkio.throttle.read_iops_device", "riops"),
    ("blkio.throttle.write_iops_device", "wiops"),
];

/// One value for each of [`KINDS`].
type Rates = [Option<u64>; 4];

/// What each device is limited to.
pub(crate) type Averages = BTreeMap<Block, Rates>;

/// The limits of one disk, in the order of [`KINDS`]; nothing at all is no limit.
fn rates(limits: DiskLimits) -> Rates {
    let bytes = |rate: Option<DiskRate>| match rate {
        Some(DiskRate::Bytes(bytes)) => Some(bytes.0).filter(|bytes| *bytes > 0),
        _ => None,
    };
    let iops = |rate: Option<DiskRate>| match rate {
        Some(DiskRate::Iops(iops)) => Some(iops).filter(|iops| *iops > 0),
        _ => None,
    };
    [bytes(limits.read), bytes(limits.write), iops(limits.read), iops(limits.write)]
}

/// The mean of what is asked of each device. Disks without a limit do not count.
pub(crate) fn averages(wishes: &[Wish]) -> Averages {
    let mut asked: BTreeMap<Block, [Vec<u64>; 4]> = BTreeMap::new();
    for wish in wishes {
        for block in &wish.blocks {
            let values = asked.entry(*block).or_default();
            for (values, rate) in values.iter_mut().zip(rates(wish.limits)) {
                values.extend(rate);
            }
        }
    }
    asked.into_iter().map(|(block, values)| (block, values.map(|values| mean(&values)))).collect()
}

fn mean(values: &[u64]) -> Option<u64> {
    let sum: u128 = values.iter().copied().map(u128::from).sum();
    u64::try_from(sum.checked_div(values.len() as u128)?).ok()
}

/// What is to be written so that devices are limited as `after` and no others are.
pub(crate) fn changes(before: &Averages, after: &Averages) -> Settings {
    const KEY: &str = "the limits of disks";
    let blocks: BTreeSet<Block> = before.keys().chain(after.keys()).copied().collect();
    let mut settings = Settings::default();
    for block in blocks {
        let [old, new] = [before, after].map(|rates| rates.get(&block).copied().unwrap_or_default());
        for ((file, _), (old, new)) in KINDS.iter().zip(old.into_iter().zip(new)) {
            if old != new {
                let value = format!("{block} {}", new.unwrap_or(0));
                settings.v1.push(Setting::new(KEY, "blkio", file, &value));
            }
        }
        if old != new {
            let mut value = block.to_string();
            for ((_, name), rate) in KINDS.iter().zip(new) {
                let rate = rate.map_or_else(|| "max".to_owned(), |rate| rate.to_string());
                value.push_str(&format!(" {name}={rate}"));
            }
            settings.v2.push(Setting::new(KEY, "io", "io.max", &value));
        }
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    const DISK: Block = Block { major: 8, minor: 0 };
    const OTHER: Block = Block { major: 253, minor: 16 };

    fn wish(read: &str, write: &str, blocks: &[Block]) -> Wish {
        let rate = |text: &str| (!text.is_empty()).then(|| DiskRate::parse(text).unwrap());
        Wish {
            limits: DiskLimits { read: rate(read), write: rate(write) },
            blocks: blocks.iter().copied().collect(),
        }
    }

    fn written(settings: &[Setting]) -> Vec<String> {
        settings.iter().map(|s| format!("{}={}", s.file.file, s.file.value)).collect()
    }

    #[test]
    fn disks_on_one_device_get_the_mean_of_each_kind() {
        let averages = averages(&[
            wish("30MB", "10MB", &[DISK]),
            wish("10MB", "50iops", &[DISK, OTHER]),
            wish("", "", &[DISK]),
        ]);
        assert_eq!(averages[&DISK], [Some(20_000_000), Some(10_000_000), None, Some(50)]);
        assert_eq!(averages[&OTHER], [Some(10_000_000), None, None, Some(50)]);
    }

    #[test]
    fn only_what_differs_is_written_and_what_is_gone_is_lifted() {
        let before = averages(&[wish("30MB", "20iops", &[DISK])]);
        let start = changes(&Averages::new(), &before);
        assert_eq!(
            written(&start.v1),
            ["blkio.throttle.read_bps_device=8:0 30000000", "blkio.throttle.write_iops_device=8:0 20"]
        );
        assert_eq!(written(&start.v2), ["io.max=8:0 rbps=30000000 wbps=max riops=max wiops=20"]);
        let after = averages(&[wish("", "20iops", &[DISK]), wish("1MB", "", &[OTHER])]);
        let changes_ = changes(&before, &after);
        assert_eq!(
            written(&changes_.v1),
            ["blkio.throttle.read_bps_device=8:0 0", "blkio.throttle.read_bps_device=253:16 1000000"]
        );
        assert_eq!(
            written(&changes(&after, &Averages::new()).v2),
            [
                "io.max=8:0 rbps=max wbps=max riops=max wiops=max",
                "io.max=253:16 rbps=max wbps=max riops=max wiops=max"
            ]
        );
        assert_eq!(changes(&after, &after), Settings::default());
    }
}
