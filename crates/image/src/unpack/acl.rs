//! POSIX access control lists: from the text that GNU tar writes to the bytes the kernel wants.
//!
//! Text: `acl(5)`, "long text form", entries separated by commas or newlines. star adds the id as
//! a fourth field behind a name. Bytes: `linux/posix_acl_xattr.h`.

/// Extended attribute of the access list.
pub(super) const ACCESS: &[u8] = b"system.posix_acl_access";
/// Extended attribute of the list that new files in a directory get.
pub(super) const DEFAULT: &[u8] = b"system.posix_acl_default";

const VERSION: u32 = 2;
const NO_ID: u32 = u32::MAX;
const USER_OBJ: u16 = 0x01;
const USER: u16 = 0x02;
const GROUP_OBJ: u16 = 0x04;
const GROUP: u16 = 0x08;
const MASK: u16 = 0x10;
const OTHER: u16 = 0x20;

/// The attribute's value. `None` when the text is no access control list, or names a user that
/// only the container's own files know.
pub(super) fn from_text(text: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(text).ok()?;
    let mut entries = Vec::new();
    for line in text.split([',', '\n']) {
        let line = line.split('#').next().unwrap_or("").trim();
        if !line.is_empty() {
            entries.push(entry(line)?);
        }
    }
    if entries.is_empty() {
        return None;
    }
    // The kernel wants them in this order.
    entries.sort_by_key(|(tag, _, id)| (*tag, *id));
    let mut bytes = VERSION.to_le_bytes().to_vec();
    for (tag, permissions, id) in entries {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(permissions.to_le_bytes());
        bytes.extend(id.to_le_bytes());
    }
    Some(bytes)
}

fn entry(line: &str) -> Option<(u16, u16, u32)> {
    let fields: Vec<&str> = line.split(':').map(str::trim).collect();
    let (tag, who, permissions, star_id) = match fields[..] {
        // "mask:rwx" and "other:rwx" may leave out the empty field.
        [tag @ ("mask" | "m" | "other" | "o"), permissions] => (tag, "", permissions, None),
        [tag, who, permissions] => (tag, who, permissions, None),
        [tag, who, permissions, id] => (tag, who, permissions, Some(id)),
        _ => return None,
    };
    let id = |star_id: Option<&str>| star_id.unwrap_or(who).parse::<u32>().ok().filter(|id| *id != NO_ID);
    let (tag, id) = match (tag, who) {
        ("user" | "u", "") => (USER_OBJ, NO_ID),
        ("user" | "u", _) => (USER, id(star_id)?),
        ("group" | "g", "") => (GROUP_OBJ, NO_ID),
        ("group" | "g", _) => (GROUP, id(star_id)?),
        ("mask" | "m", "") => (MASK, NO_ID),
        ("other" | "o", "") => (OTHER, NO_ID),
        _ => return None,
    };
    let mut bits = 0;
    for letter in permissions.chars() {
        bits |= match letter {
            'r' => 4,
            'w' => 2,
            'x' => 1,
            '-' => 0,
            _ => return None,
        };
    }
    Some((tag, bits, id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_becomes_sorted_entries() {
        let bytes =
            from_text(b"user::rwx,group:50:r-x,user:1000:rw-,group::r--,mask::rwx,other::---\n").unwrap();
        let entry = |index: usize| {
            let at = 4 + index * 8;
            let short = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
            let id = u32::from_le_bytes([bytes[at + 4], bytes[at + 5], bytes[at + 6], bytes[at + 7]]);
            (short(at), short(at + 2), id)
        };
        assert_eq!(bytes.len(), 4 + 6 * 8);
        assert_eq!(&bytes[..4], [2, 0, 0, 0]);
        assert_eq!(entry(0), (USER_OBJ, 7, NO_ID));
        assert_eq!(entry(1), (USER, 6, 1000));
        assert_eq!(entry(2), (GROUP_OBJ, 4, NO_ID));
        assert_eq!(entry(3), (GROUP, 5, 50));
        assert_eq!(entry(4), (MASK, 7, NO_ID));
        assert_eq!(entry(5), (OTHER, 0, NO_ID));
    }

    #[test]
    fn names_need_an_id_beside_them() {
        assert!(from_text(b"user::rwx,user:joe:rw-:1000,group::r--,mask::rwx,other::---").is_some());
        assert!(from_text(b"user::rwx,user:joe:rw-,group::r--,mask::rwx,other::---").is_none());
        for wrong in ["", "user", "user::rwz", "x::rwx", "mask:1:rwx", "user:-1:rwx", "user:4294967295:r--"] {
            assert!(from_text(wrong.as_bytes()).is_none(), "{wrong}");
        }
    }
}
