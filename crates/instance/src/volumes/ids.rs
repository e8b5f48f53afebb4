//! Whose files are in a volume. On disk they belong to the host's ids of the containers that share it,
//! which therefore have the same map; or with `security.shifted` to the containers' own ids, and each
//! container's mount maps them.
//!
//! `volatile.idmap.last` is the map that the files have, `volatile.idmap.next` the one that they are
//! being given: while these differ, owners are changed, or were when the daemon died.

use super::catalog::Held;
use super::{Place, Volumes};
use crate::Error;
use crate::instances;
use api::Config;
use model::IdMap;
use model::config::is_true;
use model::idmap::{IdRange, MIN_IDS};
use std::path::Path;

pub(super) const LAST: &str = "volatile.idmap.last";
pub(super) const NEXT: &str = "volatile.idmap.next";
const SHIFTED: &str = "security.shifted";

/// The map that a key says; none: the containers' own ids.
fn map(config: &Config, key: &str) -> Result<Option<IdMap>, Error> {
    let text = config.get(key).map_or("", String::as_str);
    Ok(Some(IdMap::from_json(text)?).filter(|map| !map.is_privileged()))
}

fn json(idmap: Option<&IdMap>) -> String {
    idmap.map_or_else(|| "[]".to_owned(), IdMap::to_json)
}

/// Makes the keys about ids of one volume those of another, which has the same files.
pub(super) fn inherit(config: &mut Config, from: &Config) {
    for key in [LAST, NEXT] {
        match from.get(key) {
            Some(value) => drop(config.insert(key.to_owned(), value.clone())),
            None => drop(config.remove(key)),
        }
    }
}

/// Says whose files are in a volume of which only the owner of its root is known: containers that are not
/// isolated share a map, others have ranges that usually begin at multiples of the usual size.
pub(super) fn guess(config: &mut Config, daemon: Option<&IdMap>, owner: u32) {
    let Some((daemon, shared)) = daemon.and_then(|map| Some((map, *map.uids.first()?))) else { return };
    let Some(offset) = owner.checked_sub(shared.host).filter(|offset| *offset < shared.count) else { return };
    let map = if offset < MIN_IDS {
        daemon.clone()
    } else {
        IdMap::contiguous(shared.host + offset / MIN_IDS * MIN_IDS, MIN_IDS)
    };
    for key in [LAST, NEXT] {
        config.insert(key.to_owned(), map.to_json());
    }
}

/// The ids that are no host's ids of this map: what is still to be shifted where files have been shifted
/// already, which must not be shifted twice.
fn outside(map: &IdMap) -> IdMap {
    IdMap { uids: gaps(&map.uids), gids: gaps(&map.gids) }
}

fn gaps(ranges: &[IdRange]) -> Vec<IdRange> {
    let mut ranges = ranges.to_vec();
    ranges.sort_by_key(|range| range.host);
    let (mut gaps, mut first) = (Vec::new(), 0);
    for range in ranges {
        if let Some(count) = range.host.checked_sub(first).filter(|count| *count > 0) {
            gaps.push(IdRange { container: first, host: first, count });
        }
        first = first.max(range.host.saturating_add(range.count));
    }
    gaps.push(IdRange { container: first, host: first, count: u32::MAX - first });
    gaps
}

impl Held {
    /// Whether its files have the containers' own ids.
    pub(super) fn is_shifted(&self) -> bool {
        self.record.config.get(SHIFTED).is_some_and(|value| is_true(value))
    }

    /// Whether a container with this map can have it as it is.
    pub(super) fn fits(&self, idmap: Option<&IdMap>) -> Result<bool, Error> {
        let (last, next) = self.maps()?;
        let wanted = if self.is_shifted() { None } else { idmap };
        Ok(last == next && last.as_ref() == wanted)
    }

    fn maps(&self) -> Result<(Option<IdMap>, Option<IdMap>), Error> {
        let config = &self.record.config;
        let last = map(config, LAST)?;
        let next = if config.contains_key(NEXT) { map(config, NEXT)? } else { last.clone() };
        Ok((last, next))
    }
}

impl Volumes {
    /// Refuses to change the owners of files that another container uses. All that have the volume must
    /// have the same ids, also those that do not run: they find their files as they left them.
    pub(super) fn same_ids(&self, held: &Held, container: &str, idmap: Option<&IdMap>) -> Result<(), Error> {
        let place = &held.place;
        if held.is_shifted() {
            return self.others_run_not(place, container);
        }
        for other in self.containers(place) {
            let name = other.view().name.clone();
            if name == container {
                continue;
            }
            let map = instances::map_of(&self.inner.registry, &self.inner.platform, &other)?;
            if map.as_ref().map(Option::as_ref) != Some(idmap) {
                return Err(Error::IdmapsDiffer {
                    container: container.to_owned(),
                    volume: place.name.to_string(),
                    other: name,
                });
            }
        }
        self.others_run_not(place, container)
    }

    fn others_run_not(&self, place: &Place, container: &str) -> Result<(), Error> {
        let mut by = self.inner.attachments.of(place);
        by.retain(|name| name != container);
        if by.is_empty() {
            return Ok(());
        }
        let hint = "the owners of its files have to change for another container; stop these first";
        Err(Error::VolumeRunning { volume: place.to_string(), by: by.join(", "), hint })
    }

    /// Gives the files of a volume that nobody uses to the users of containers with this map.
    pub(super) async fn change_ids(&self, held: &Held, idmap: Option<&IdMap>) -> Result<(), Error> {
        let (last, next) = held.maps()?;
        let wanted = if held.is_shifted() { None } else { idmap.cloned() };
        let mounted = self.mount(&held.place).await?;
        if last != next {
            tracing::info!(volume = %held.place, "going on to change owners where an earlier daemon stopped");
            let from = match (&last, &next) {
                (None, Some(next)) => Some(outside(next)),
                _ => last,
            };
            shift(mounted.path(), from, next.clone()).await?;
        }
        if next == wanted {
            return self.save_ids(held, wanted.as_ref(), wanted.as_ref()).await;
        }
        self.save_ids(held, next.as_ref(), wanted.as_ref()).await?;
        crate::steps::crash_at("volume-attach:noted");
        shift(mounted.path(), next, wanted.clone()).await?;
        crate::steps::crash_at("volume-attach:shifted");
        self.save_ids(held, wanted.as_ref(), wanted.as_ref()).await
    }

    async fn save_ids(&self, held: &Held, last: Option<&IdMap>, next: Option<&IdMap>) -> Result<(), Error> {
        let mut new = held.clone();
        new.record.config.insert(LAST.to_owned(), json(last));
        new.record.config.insert(NEXT.to_owned(), json(next));
        self.save(new, None).await
    }
}

async fn shift(path: &Path, from: Option<IdMap>, to: Option<IdMap>) -> Result<(), Error> {
    let path = path.to_owned();
    let shifted =
        tokio::task::spawn_blocking(move || storage::tree::shift(&path, from.as_ref(), to.as_ref()));
    shifted.await.map_err(|_| Error::Shutdown)?.map_err(storage::Error::from)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_shifted_is_not_shifted_again() {
        let mut map = IdMap::contiguous(1_000_000, 1_000_000_000);
        map.uids.push(IdRange { container: 5, host: 500, count: 1 });
        let rest = outside(&map);
        for (id, found) in [(499, Some(499)), (500, None), (501, Some(501)), (1_000_000, None)] {
            assert_eq!(rest.container_uid(id), found);
        }
        assert_eq!(rest.container_uid(2_000_000_000), Some(2_000_000_000));
        assert_eq!((rest.container_gid(500), rest.container_gid(1_000_000)), (Some(500), None));
    }

    #[test]
    fn the_owner_of_a_root_tells_a_map() {
        let daemon = IdMap::contiguous(1_000_000, 1_000_000_000);
        let of = |owner| {
            let mut config = Config::new();
            guess(&mut config, Some(&daemon), owner);
            map(&config, LAST).unwrap()
        };
        assert_eq!((of(0), of(999_999)), (None, None));
        assert_eq!(of(1_001_000), Some(daemon.clone()));
        assert_eq!(of(1_000_000 + 65536 + 7), Some(IdMap::contiguous(1_000_000 + 65536, 65536)));
    }

    #[test]
    fn keys_about_ids_are_taken_over_as_they_are() {
        let from = Config::from([(LAST.to_owned(), "[]".to_owned())]);
        let mut to = Config::from([(NEXT.to_owned(), "x".to_owned()), ("size".to_owned(), "1GB".to_owned())]);
        inherit(&mut to, &from);
        assert_eq!(
            to,
            Config::from([(LAST.to_owned(), "[]".to_owned()), ("size".to_owned(), "1GB".to_owned())])
        );
        assert_eq!(map(&to, LAST).unwrap(), None);
    }
}
