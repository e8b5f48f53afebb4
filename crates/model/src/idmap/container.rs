//! The map of one container, out of the daemon's.

use super::{IdMap, IdRange, MIN_IDS, RawIdmapError};
use crate::config::Idmapping;

/// Why a container gets no map.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdmapError {
    /// The daemon has no ids.
    #[error("LXD doesn't have a uid/gid allocation. In this mode, only privileged containers are supported.")]
    NoIds,
    /// No gap between the isolated containers is large enough.
    #[error("Not enough uid/gid available for the container.")]
    Full,
    /// The base that was asked for.
    #[error(
        "security.idmap.base {base} with {size} ids is outside of the range that containers may use ({first} to {last})"
    )]
    OutsideRange {
        /// The base.
        base: u32,
        /// The size.
        size: u32,
        /// First id that may be used.
        first: u32,
        /// Last id that may be used.
        last: u32,
    },
    /// `raw.idmap` does not fit.
    #[error(transparent)]
    Raw(#[from] RawIdmapError),
}

/// The ids of the host that an isolated container has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The first.
    pub base: u32,
    /// How many.
    pub size: u32,
}

/// What a container gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allocation {
    /// For an isolated container, its own range; to be kept in `volatile.idmap.base`.
    pub own: Option<Taken>,
    /// The whole map, with what `raw.idmap` says.
    pub map: IdMap,
}

/// The map of an unprivileged container.
///
/// A container that is not isolated shares the daemon's whole map. An isolated one gets a range:
/// the one with `security.idmap.base`, else the one it has (`kept`; pass `None` when one of its
/// keys about ids has changed), else the first gap between the others (`taken`) that is larger
/// than what it wants.
///
/// # Errors
/// When the daemon has no ids, no gap is large enough, or the wished ids cannot be given.
pub fn for_container(
    daemon: Option<&IdMap>,
    wish: &Idmapping,
    kept: Option<u32>,
    taken: &[Taken],
) -> Result<Allocation, IdmapError> {
    let daemon = daemon.filter(|map| !map.is_privileged()).ok_or(IdmapError::NoIds)?;
    if !wish.isolated {
        return Ok(Allocation { own: None, map: daemon.punch(&wish.raw)? });
    }
    let range = usable(daemon).ok_or(IdmapError::NoIds)?;
    let size = wish.size.unwrap_or(MIN_IDS);
    let base = match wish.base.or(kept) {
        Some(base) => inside(range, base, size)?,
        None => gap(range, size, taken)?,
    };
    let map = IdMap::contiguous(base, size).punch(&wish.raw)?;
    Ok(Allocation { own: Some(Taken { base, size }), map })
}

/// First id and end of the host's ids that are good for users and groups alike.
fn usable(daemon: &IdMap) -> Option<(u64, u64)> {
    let end = |r: &IdRange| u64::from(r.host) + u64::from(r.count);
    let (uids, gids) = (daemon.uids.first()?, daemon.gids.first()?);
    let (start, end) = (u64::from(uids.host.max(gids.host)), end(uids).min(end(gids)));
    (start < end).then_some((start, end))
}

fn inside((first, end): (u64, u64), base: u32, size: u32) -> Result<u32, IdmapError> {
    if size > 0 && u64::from(base) >= first && u64::from(base) + u64::from(size) <= end {
        return Ok(base);
    }
    let number = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    Err(IdmapError::OutsideRange { base, size, first: number(first), last: number(end - 1) })
}

/// The lowest place behind the ids that the shared map starts with.
fn gap((first, end): (u64, u64), size: u32, taken: &[Taken]) -> Result<u32, IdmapError> {
    let mut taken: Vec<_> = taken.iter().map(|t| (u64::from(t.base), u64::from(t.size))).collect();
    taken.sort_unstable();
    let mut place = first + u64::from(MIN_IDS);
    for (base, length) in taken {
        if place + u64::from(size) < base {
            break;
        }
        place = place.max(base + length);
    }
    // As between two containers: one id more than wanted has to be free.
    if size > 0 && place + u64::from(size) < end {
        return u32::try_from(place).map_err(|_| IdmapError::Full);
    }
    Err(IdmapError::Full)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::idmap::RawMapping;
    use proptest::prelude::*;

    fn isolated(base: Option<u32>, size: Option<u32>) -> Idmapping {
        Idmapping { isolated: true, base, size, raw: vec![] }
    }

    #[test]
    fn what_is_not_isolated_shares_everything() {
        let daemon = IdMap::contiguous(1_000_000, 1_000_000_000);
        let got = for_container(Some(&daemon), &Idmapping::default(), None, &[]).unwrap();
        assert_eq!(got, Allocation { own: None, map: daemon.clone() });
        let wish = Idmapping { raw: RawMapping::parse("both 1000 1000").unwrap(), ..Idmapping::default() };
        let got = for_container(Some(&daemon), &wish, None, &[]).unwrap();
        assert_eq!(got.map.host_uid(1000), Some(1000));
        assert_eq!(for_container(None, &wish, None, &[]), Err(IdmapError::NoIds));
    }

    #[test]
    fn isolated_containers_get_the_first_gap() {
        let daemon = IdMap::contiguous(100_000, 65536 * 5);
        let base = |taken: &[u32]| {
            let taken: Vec<_> = taken.iter().map(|b| Taken { base: *b, size: 65536 }).collect();
            for_container(Some(&daemon), &isolated(None, None), None, &taken).map(|a| a.map.uids[0].host)
        };
        let nth = |n: u32| 100_000 + 65536 * n;
        assert_eq!(base(&[]), Ok(nth(1)));
        assert_eq!(base(&[nth(1)]), Ok(nth(2)));
        assert_eq!(base(&[nth(3), nth(1)]), Err(IdmapError::Full), "an exact fit is no fit");
        assert_eq!(base(&[nth(1), nth(3) + 1]), Ok(nth(2)));
        assert_eq!(base(&[nth(2) + 1]), Ok(nth(1)));
        assert_eq!(base(&[nth(1), nth(2), nth(3)]), Err(IdmapError::Full));
    }

    #[test]
    fn bases_are_kept_or_wished_but_inside() {
        let daemon = IdMap::contiguous(100_000, 65536 * 5);
        let get = |wish, kept| for_container(Some(&daemon), &wish, kept, &[]).map(|a| a.own.unwrap().base);
        assert_eq!(get(isolated(None, None), Some(200_000)), Ok(200_000));
        assert_eq!(get(isolated(Some(250_000), Some(10)), Some(200_000)), Ok(250_000));
        assert!(matches!(get(isolated(Some(0), None), None), Err(IdmapError::OutsideRange { .. })));
        assert!(matches!(get(isolated(Some(427_680), None), None), Err(IdmapError::OutsideRange { .. })));
    }

    proptest! {
        #[test]
        fn isolated_containers_never_overlap(sizes in prop::collection::vec(1_u32..100_000, 1..20)) {
            let daemon = IdMap::contiguous(100_000, 1_000_000);
            let mut taken: Vec<Taken> = vec![];
            for size in sizes {
                if let Ok(got) = for_container(Some(&daemon), &isolated(None, Some(size)), None, &taken) {
                    let own = got.own.unwrap();
                    prop_assert!(own.base >= 165_536 && own.base + own.size < 1_100_000);
                    for other in &taken {
                        prop_assert!(own.base + own.size <= other.base || other.base + other.size <= own.base);
                    }
                    taken.push(own);
                }
            }
        }
    }
}
