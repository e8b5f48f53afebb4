//! `raw.idmap`: single ids of the host that a container gets besides its range.

use super::{IdMap, IdRange};

/// Whose ids a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RawKind {
    /// Users and groups.
    Both,
    /// Users.
    Uid,
    /// Groups.
    Gid,
}

/// One line of `raw.idmap`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawMapping {
    /// Whose ids.
    pub kind: RawKind,
    /// Which.
    pub range: IdRange,
}

/// Why `raw.idmap` is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RawIdmapError {
    /// Not three fields, or not numbers.
    #[error(
        "invalid raw.idmap line {line:?}: write both, uid or gid, then the host's id or range, then the container's, with single spaces between"
    )]
    Line {
        /// The line.
        line: String,
    },
    /// Another first word.
    #[error("invalid raw.idmap type {word:?}: use both, uid or gid")]
    Type {
        /// The word.
        word: String,
    },
    /// One range is longer than the other.
    #[error("invalid raw.idmap line {line:?}: both ranges must have the same length")]
    Length {
        /// The line.
        line: String,
    },
    /// The host's ids are among those that containers have anyway.
    #[error(
        "the host ids {first} to {last} of raw.idmap belong to the range that containers get anyway: use ids outside of it"
    )]
    HostIdIsSubId {
        /// First id of the host.
        first: u32,
        /// Last id of the host.
        last: u32,
    },
}

impl RawMapping {
    /// Reads all lines; empty ones are skipped.
    ///
    /// # Errors
    /// For the first line that is not `both|uid|gid <host>[-<end>] <container>[-<end>]`.
    pub fn parse(text: &str) -> Result<Vec<Self>, RawIdmapError> {
        text.lines().filter(|l| !l.is_empty()).map(Self::parse_line).collect()
    }

    fn parse_line(line: &str) -> Result<Self, RawIdmapError> {
        let error = || RawIdmapError::Line { line: line.to_owned() };
        let fields: Vec<&str> = line.split(' ').collect();
        let [word, host, container] = fields[..] else { return Err(error()) };
        let kind = match word {
            "both" => RawKind::Both,
            "uid" => RawKind::Uid,
            "gid" => RawKind::Gid,
            _ => return Err(RawIdmapError::Type { word: word.to_owned() }),
        };
        let (host, count) = ids(host).ok_or_else(error)?;
        let (container, length) = ids(container).ok_or_else(error)?;
        if count != length {
            return Err(RawIdmapError::Length { line: line.to_owned() });
        }
        Ok(Self { kind, range: IdRange { container, host, count } })
    }
}

/// First id and number of ids of `7` or `7-9`.
fn ids(text: &str) -> Option<(u32, u32)> {
    let number = |t: &str| if t.starts_with('+') { None } else { t.parse::<u32>().ok() };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (number(first)?, number(last)?);
    // The largest number is "no id" and cannot be mapped.
    (last != u32::MAX).then_some(())?;
    Some((first, last.checked_sub(first)? + 1))
}

impl IdMap {
    /// Puts raw mappings in: the container's ids that they name are cut out of the ranges and get
    /// the named ids of the host instead. Ids that no range has are added.
    ///
    /// # Errors
    /// When an id of the host is mapped already.
    pub fn punch(&self, mappings: &[RawMapping]) -> Result<Self, RawIdmapError> {
        let mut map = self.clone();
        for mapping in mappings {
            if mapping.kind != RawKind::Gid {
                punch(&mut map.uids, mapping.range)?;
            }
            if mapping.kind != RawKind::Uid {
                punch(&mut map.gids, mapping.range)?;
            }
        }
        Ok(map)
    }
}

/// True if `count` ids from `a` and `other` ids from `b` have one in common.
fn overlap(a: u32, count: u32, b: u32, other: u32) -> bool {
    u64::from(a) < u64::from(b) + u64::from(other) && u64::from(b) < u64::from(a) + u64::from(count)
}

fn punch(ranges: &mut Vec<IdRange>, new: IdRange) -> Result<(), RawIdmapError> {
    if ranges.iter().any(|r| overlap(r.host, r.count, new.host, new.count)) {
        return Err(RawIdmapError::HostIdIsSubId { first: new.host, last: new.host + (new.count - 1) });
    }
    *ranges = ranges.iter().flat_map(|r| cut(*r, new)).chain([new]).collect();
    ranges.sort_by_key(|r| r.container);
    Ok(())
}

/// What is left of a range below and above the container's ids of another one.
fn cut(range: IdRange, hole: IdRange) -> Vec<IdRange> {
    if !overlap(range.container, range.count, hole.container, hole.count) {
        return vec![range];
    }
    let mut left = Vec::new();
    if let Some(below @ 1..) = hole.container.checked_sub(range.container) {
        left.push(IdRange { count: below, ..range });
    }
    let hole_end = u64::from(hole.container) + u64::from(hole.count);
    let skipped = u32::try_from(hole_end.saturating_sub(u64::from(range.container))).unwrap_or(u32::MAX);
    if let Some(above @ 1..) = range.count.checked_sub(skipped) {
        left.push(IdRange { container: range.container + skipped, host: range.host + skipped, count: above });
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines() {
        let parsed = RawMapping::parse("both 1000 1000\n\nuid 50-60 500-510\ngid 100 0\n").unwrap();
        assert_eq!(
            parsed,
            [
                RawMapping { kind: RawKind::Both, range: IdRange { host: 1000, container: 1000, count: 1 } },
                RawMapping { kind: RawKind::Uid, range: IdRange { host: 50, container: 500, count: 11 } },
                RawMapping { kind: RawKind::Gid, range: IdRange { host: 100, container: 0, count: 1 } },
            ]
        );
        assert_eq!(RawMapping::parse(""), Ok(vec![]));
        for bad in
            ["both 1000", "both 1 2 3", "both  1 1", "both a 1", "both 2-1 1-2", " both 1 1", "both +1 1"]
        {
            assert!(matches!(RawMapping::parse(bad), Err(RawIdmapError::Line { .. })), "{bad}");
        }
        assert!(matches!(RawMapping::parse("all 1 1"), Err(RawIdmapError::Type { .. })));
        assert!(matches!(RawMapping::parse("both 1-2 1-3"), Err(RawIdmapError::Length { .. })));
        assert!(RawMapping::parse("both 4294967295 1").is_err());
        assert!(RawMapping::parse("x y").unwrap_err().to_string().starts_with("invalid raw.idmap line"));
    }

    #[test]
    fn punching_splits_the_range() {
        let map = IdMap::contiguous(100_000, 65536);
        let punched = map.punch(&RawMapping::parse("uid 1000 1000").unwrap()).unwrap();
        assert_eq!(
            punched.uids,
            [
                IdRange { container: 0, host: 100_000, count: 1000 },
                IdRange { container: 1000, host: 1000, count: 1 },
                IdRange { container: 1001, host: 101_001, count: 64535 },
            ]
        );
        assert_eq!(punched.gids, map.gids);
    }

    #[test]
    fn punching_at_the_edges_and_outside() {
        let map = IdMap::contiguous(100_000, 10);
        let punch = |line| map.punch(&RawMapping::parse(line).unwrap()).map(|m| m.uids);
        assert_eq!(
            punch("both 5-6 0-1").unwrap(),
            [IdRange { container: 0, host: 5, count: 2 }, IdRange { container: 2, host: 100_002, count: 8 }]
        );
        assert_eq!(punch("both 5-14 0-9").unwrap(), [IdRange { container: 0, host: 5, count: 10 }]);
        assert_eq!(
            punch("both 5-8 8-11").unwrap(),
            [IdRange { container: 0, host: 100_000, count: 8 }, IdRange { container: 8, host: 5, count: 4 }]
        );
        assert_eq!(punch("both 5 70000").unwrap().len(), 2);
        assert_eq!(
            punch("both 100009 70000"),
            Err(RawIdmapError::HostIdIsSubId { first: 100_009, last: 100_009 })
        );
    }

    proptest! {
        #[test]
        fn every_id_keeps_its_meaning(host in 0_u32..90_000, container in 0_u32..70_000, count in 1_u32..5000) {
            let map = IdMap::contiguous(100_000, 65536);
            let range = IdRange { container, host, count };
            let punched = map.punch(&[RawMapping { kind: RawKind::Both, range }]).unwrap();
            for id in [0, 1, container.saturating_sub(1), container, container + count - 1, container + count, 65535, 65536] {
                let expected = if (container..container + count).contains(&id) {
                    Some(host + (id - container))
                } else {
                    map.host_uid(id)
                };
                prop_assert_eq!(punched.host_uid(id), expected, "id {}", id);
                prop_assert_eq!(punched.host_gid(id), expected);
                if let Some(host_id) = expected {
                    prop_assert_eq!(punched.container_uid(host_id), Some(id));
                }
            }
        }

        #[test]
        fn parsing_never_panics(text in "(both|uid|gid| |[0-9]{1,11}|-|\n){0,12}") {
            if let Ok(mappings) = RawMapping::parse(&text) {
                let _ = IdMap::contiguous(100_000, 65536).punch(&mappings);
            }
        }
    }
}
