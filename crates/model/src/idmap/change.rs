//! Owners, access control lists and capabilities, from one id map to another. Pure.

use super::IdMap;

const ACL_VERSION: u32 = 2;
const ACL_USER: u16 = 0x02;
const ACL_GROUP: u16 = 0x08;
const CAP_V2: u32 = 0x0200_0000;
const CAP_V3: u32 = 0x0300_0000;
const CAP_REVISION: u32 = 0xff00_0000;
const CAP_V2_LEN: usize = 20;
const CAP_V3_LEN: usize = 24;

/// How ids change. An id that a map does not have stays: then doing it again changes nothing, as
/// long as the ranges of the two maps are apart, and an interrupted change can be done again.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// Whose ids they are now; none: the host's, or the container's own.
    pub from: Option<&'a IdMap>,
    /// Whose they become.
    pub to: Option<&'a IdMap>,
}

impl Change<'_> {
    /// The new user id. `None`: it stays.
    #[must_use]
    pub fn uid(&self, uid: u32) -> Option<u32> {
        let inside = self.from.map_or(Some(uid), |map| map.container_uid(uid))?;
        let new = self.to.map_or(Some(inside), |map| map.host_uid(inside))?;
        (new != uid).then_some(new)
    }

    /// The new group id. `None`: it stays.
    #[must_use]
    pub fn gid(&self, gid: u32) -> Option<u32> {
        let inside = self.from.map_or(Some(gid), |map| map.container_gid(gid))?;
        let new = self.to.map_or(Some(inside), |map| map.host_gid(inside))?;
        (new != gid).then_some(new)
    }

    /// An access control list with other ids (`linux/posix_acl_xattr.h`). `None`: it stays, or is
    /// not one.
    #[must_use]
    pub fn acl(&self, acl: &[u8]) -> Option<Vec<u8>> {
        let (version, entries) = acl.split_first_chunk::<4>()?;
        if u32::from_le_bytes(*version) != ACL_VERSION || !entries.len().is_multiple_of(8) {
            return None;
        }
        let mut changed = version.to_vec();
        for entry in entries.chunks_exact(8) {
            let tag = u16::from_le_bytes([entry[0], entry[1]]);
            let id = u32::from_le_bytes([entry[4], entry[5], entry[6], entry[7]]);
            let new = match tag {
                ACL_USER => self.uid(id),
                ACL_GROUP => self.gid(id),
                _ => None,
            };
            changed.extend_from_slice(&entry[..4]);
            changed.extend(new.unwrap_or(id).to_le_bytes());
        }
        (changed != acl).then_some(changed)
    }

    /// File capabilities for another root (`capabilities(7)`, "File capability extended attribute
    /// versioning"). Version 2 means the root of the host, and of whatever namespace the mount is
    /// mapped to; version 3 names a root. `None`: they are not understood and stay.
    #[must_use]
    pub fn capabilities(&self, value: &[u8]) -> Option<Vec<u8>> {
        let (magic, rest) = value.split_first_chunk::<4>()?;
        let magic = u32::from_le_bytes(*magic);
        let (root, sets) = match (magic & CAP_REVISION, value.len()) {
            (CAP_V2, CAP_V2_LEN) => (0, rest),
            (CAP_V3, CAP_V3_LEN) => {
                let (sets, root) = rest.split_last_chunk::<4>()?;
                (u32::from_le_bytes(*root), sets)
            }
            _ => return None,
        };
        let root = self.uid(root).unwrap_or(root);
        let flags = magic & !CAP_REVISION;
        Some(if root == 0 {
            [&(CAP_V2 | flags).to_le_bytes(), sets].concat()
        } else {
            [&(CAP_V3 | flags).to_le_bytes(), sets, &root.to_le_bytes()].concat()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map() -> IdMap {
        IdMap::contiguous(1_000_000, 65536)
    }

    #[test]
    fn ids_go_there_and_back_and_never_twice() {
        let map = map();
        let there = Change { from: None, to: Some(&map) };
        let back = Change { from: Some(&map), to: None };
        assert_eq!(there.uid(0), Some(1_000_000));
        assert_eq!(there.uid(1_000_000), None);
        assert_eq!(there.gid(65535), Some(1_065_535));
        assert_eq!(there.gid(65536), None);
        assert_eq!(back.uid(1_000_000), Some(0));
        assert_eq!(back.uid(0), None);
        let other = IdMap::contiguous(2_000_000, 65536);
        let over = Change { from: Some(&map), to: Some(&other) };
        assert_eq!(over.uid(1_000_005), Some(2_000_005));
        assert_eq!(over.uid(2_000_005), None);
        let same = Change { from: Some(&map), to: Some(&map) };
        assert_eq!(same.uid(1_000_005), None);
    }

    #[test]
    fn capabilities_name_their_root_when_it_is_not_the_hosts() {
        let map = map();
        let there = Change { from: None, to: Some(&map) };
        let back = Change { from: Some(&map), to: None };
        let mut v2 = (CAP_V2 | 1).to_le_bytes().to_vec();
        v2.extend([7; 16]);
        let v3 = there.capabilities(&v2).unwrap();
        assert_eq!(v3.len(), CAP_V3_LEN);
        assert_eq!(v3[..4], (CAP_V3 | 1).to_le_bytes());
        assert_eq!(v3[20..], 1_000_000u32.to_le_bytes());
        assert_eq!(there.capabilities(&v3).unwrap(), v3);
        assert_eq!(back.capabilities(&v3).unwrap(), v2);
        assert_eq!(there.capabilities(b""), None);
        assert_eq!(there.capabilities(&[0; 20]), None);
        assert_eq!(there.capabilities(&v2[..19]), None);
    }

    #[test]
    fn access_control_lists_change_named_users_and_groups_only() {
        let map = map();
        let there = Change { from: None, to: Some(&map) };
        let back = Change { from: Some(&map), to: None };
        let entry = |tag: u16, id: u32| {
            [tag.to_le_bytes().to_vec(), 7u16.to_le_bytes().to_vec(), id.to_le_bytes().to_vec()].concat()
        };
        let acl = [vec![2, 0, 0, 0], entry(1, u32::MAX), entry(2, 33), entry(8, 44), entry(0x20, u32::MAX)]
            .concat();
        let shifted = there.acl(&acl).unwrap();
        assert_eq!(shifted[12..20], entry(2, 1_000_033));
        assert_eq!(shifted[20..28], entry(8, 1_000_044));
        assert_eq!(there.acl(&shifted), None);
        assert_eq!(back.acl(&shifted).unwrap(), acl);
        assert_eq!(there.acl(&acl[..7]), None);
        assert_eq!(there.acl(b""), None);
    }
}
