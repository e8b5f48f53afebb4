//! The JSON form of id maps, as `volatile.last_state.idmap` keeps it.

use super::{IdMap, IdRange};
use serde::{Deserialize, Serialize};

/// Why a text is not an id map.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdmapJsonError {
    /// Not JSON of the right form.
    #[error("this is not an id map: {reason}")]
    Json {
        /// What the parser says.
        reason: String,
    },
    /// Ids beyond the last.
    #[error("the id map has {count} ids from {first} on, which is more than there are")]
    Range {
        /// First id.
        first: u32,
        /// How many.
        count: u32,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct Entry {
    isuid: bool,
    isgid: bool,
    hostid: u32,
    nsid: u32,
    maprange: u32,
}

impl IdMap {
    /// Reads the JSON form; `[]`, `null` and nothing are the map of a privileged container.
    ///
    /// # Errors
    /// When it is not a list of ranges, or a range has ids beyond the last.
    pub fn from_json(text: &str) -> Result<Self, IdmapJsonError> {
        let mut map = Self::default();
        if text.trim().is_empty() {
            return Ok(map);
        }
        let entries: Option<Vec<Entry>> =
            serde_json::from_str(text).map_err(|e| IdmapJsonError::Json { reason: e.to_string() })?;
        for entry in entries.unwrap_or_default() {
            let range = IdRange { container: entry.nsid, host: entry.hostid, count: entry.maprange };
            for first in [range.container, range.host] {
                if first.checked_add(range.count).is_none() {
                    return Err(IdmapJsonError::Range { first, count: range.count });
                }
            }
            if entry.isuid {
                map.uids.push(range);
            }
            if entry.isgid {
                map.gids.push(range);
            }
        }
        Ok(map)
    }

    /// The JSON form.
    #[must_use]
    pub fn to_json(&self) -> String {
        let entry = |r: &IdRange, isuid| Entry {
            isuid,
            isgid: !isuid,
            hostid: r.host,
            nsid: r.container,
            maprange: r.count,
        };
        let entries: Vec<Entry> = self
            .uids
            .iter()
            .map(|r| entry(r, true))
            .chain(self.gids.iter().map(|r| entry(r, false)))
            .collect();
        // Plain data always has a JSON form.
        serde_json::to_string(&entries).unwrap_or_else(|_| "[]".to_owned())
    }

    /// True for the map of a privileged container: ids are the host's.
    #[must_use]
    pub fn is_privileged(&self) -> bool {
        self.uids.is_empty() && self.gids.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_known_form() {
        let map = IdMap::contiguous(100_000, 65536);
        let text = r#"[{"Isuid":true,"Isgid":false,"Hostid":100000,"Nsid":0,"Maprange":65536},{"Isuid":false,"Isgid":true,"Hostid":100000,"Nsid":0,"Maprange":65536}]"#;
        assert_eq!(map.to_json(), text);
        assert_eq!(IdMap::from_json(text), Ok(map.clone()));
        let both = r#"[{"Isuid":true,"Isgid":true,"Hostid":100000,"Nsid":0,"Maprange":65536}]"#;
        assert_eq!(IdMap::from_json(both), Ok(map));
        for privileged in ["", "[]", "null"] {
            assert!(IdMap::from_json(privileged).unwrap().is_privileged());
        }
        assert_eq!(IdMap::default().to_json(), "[]");
    }

    #[test]
    fn what_is_not_a_map() {
        for bad in ["x", "{}", "[1]", r#"[{"Hostid":-1}]"#] {
            assert!(matches!(IdMap::from_json(bad), Err(IdmapJsonError::Json { .. })), "{bad}");
        }
        let beyond = r#"[{"Isuid":true,"Hostid":4294967295,"Maprange":2}]"#;
        assert!(matches!(IdMap::from_json(beyond), Err(IdmapJsonError::Range { .. })));
    }

    proptest! {
        #[test]
        fn leads_back(ranges in prop::collection::vec((0_u32..1 << 30, 0_u32..1 << 30, 1_u32..1 << 30), 0..6)) {
            let ranges: Vec<IdRange> = ranges
                .into_iter()
                .map(|(container, host, count)| IdRange { container, host, count })
                .collect();
            let map = IdMap { uids: ranges.clone(), gids: ranges };
            prop_assert_eq!(IdMap::from_json(&map.to_json()), Ok(map));
        }
    }
}
