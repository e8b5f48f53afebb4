//! POSIX access control lists: from the text that GNU tar writes to the bytes the kernel wants.
//!
//! Text: `acl(5)`, "long text form", entries separated by commas or newlines. star adds the id as
//! a fourth field behind a name. Bytes: `linux/posix_acl_xattr.h`.

use std::collections::HashMap;

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

/// A list as the archive has it: some users and groups may be known by their names only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Acl(Vec<Entry>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    tag: u16,
    permissions: u16,
    who: Who,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Who {
    Id(u32),
    Name(String),
}

/// Ids of the users and groups of the container, by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    pub(super) users: HashMap<String, u32>,
    pub(super) groups: HashMap<String, u32>,
}

impl Names {
    /// From the texts of `/etc/passwd` and `/etc/group`. Lines that are none are left out.
    pub(super) fn parse(passwd: &str, group: &str) -> Self {
        // Both have the name first and the id third.
        let read = |text: &str| {
            let line = |line: &str| {
                let mut fields = line.split(':');
                Some((fields.next()?.to_owned(), fields.nth(1)?.parse().ok()?))
            };
            text.lines().filter_map(line).collect()
        };
        Self { users: read(passwd), groups: read(group) }
    }
}

impl Acl {
    /// `None`: the text is no access control list.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let mut entries = Vec::new();
        for line in text.split([',', '\n']) {
            let line = line.split('#').next().unwrap_or("").trim();
            if !line.is_empty() {
                entries.push(entry(line)?);
            }
        }
        (!entries.is_empty()).then_some(Self(entries))
    }

    /// The attribute's value. `None`: it has a name that is not known.
    pub(super) fn encode(&self, names: &Names) -> Option<Vec<u8>> {
        let mut entries = Vec::with_capacity(self.0.len());
        for entry in &self.0 {
            let id = match &entry.who {
                Who::Id(id) => *id,
                Who::Name(name) if entry.tag == USER => *names.users.get(name)?,
                Who::Name(name) => *names.groups.get(name)?,
            };
            entries.push((entry.tag, id, entry.permissions));
        }
        // The kernel wants them in this order.
        entries.sort_unstable();
        let mut bytes = VERSION.to_le_bytes().to_vec();
        for (tag, id, permissions) in entries {
            bytes.extend(tag.to_le_bytes());
            bytes.extend(permissions.to_le_bytes());
            bytes.extend(id.to_le_bytes());
        }
        Some(bytes)
    }
}

fn entry(line: &str) -> Option<Entry> {
    let fields: Vec<&str> = line.split(':').map(str::trim).collect();
    let (tag, who, permissions, star_id) = match fields[..] {
        // "mask:rwx" and "other:rwx" may leave out the empty field.
        [tag @ ("mask" | "m" | "other" | "o"), permissions] => (tag, "", permissions, None),
        [tag, who, permissions] => (tag, who, permissions, None),
        [tag, who, permissions, id] => (tag, who, permissions, Some(id)),
        _ => return None,
    };
    let named = |star_id: Option<&str>| match star_id.unwrap_or(who).parse::<u32>() {
        Ok(NO_ID) => None,
        Ok(id) => Some(Who::Id(id)),
        Err(_) if star_id.is_none() && !who.starts_with(['-', '+']) && !is_number(who) => {
            Some(Who::Name(who.to_owned()))
        }
        Err(_) => None,
    };
    let (tag, who) = match (tag, who) {
        ("user" | "u", "") => (USER_OBJ, Who::Id(NO_ID)),
        ("user" | "u", _) => (USER, named(star_id)?),
        ("group" | "g", "") => (GROUP_OBJ, Who::Id(NO_ID)),
        ("group" | "g", _) => (GROUP, named(star_id)?),
        ("mask" | "m", "") => (MASK, Who::Id(NO_ID)),
        ("other" | "o", "") => (OTHER, Who::Id(NO_ID)),
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
    Some(Entry { tag, permissions: bits, who })
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(text: &str, names: &Names) -> Option<Vec<u8>> {
        Acl::parse(text.as_bytes())?.encode(names)
    }

    #[test]
    fn text_becomes_sorted_entries() {
        let text = "user::rwx,group:50:r-x,user:1000:rw-,group::r--,mask::rwx,other::---\n";
        let bytes = encode(text, &Names::default()).unwrap();
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
    fn names_mean_what_they_mean_in_the_container() {
        let names =
            Names::parse("root:x:0:0:root:/root:/bin/sh\njoe:x:1000:1000::/:\nbroken\n", "adm:x:4:\n");
        let numbers = encode("user::rwx,user:1000:rw-,group::r--,group:4:r-x,mask::rwx,other::---", &names);
        let text = "user::rwx,user:joe:rw-,group::r--,group:adm:r-x,mask::rwx,other::---";
        assert_eq!(encode(text, &names), numbers);
        assert_eq!(encode(text, &Names::default()), None);
        let star = "user::rwx,user:joe:rw-:1000,group::r--,group:adm:r-x:4,mask::rwx,other::---";
        assert_eq!(encode(star, &Names::default()), numbers);
    }

    #[test]
    fn nonsense_is_no_list() {
        let nonsense = [
            "",
            "user",
            "user::rwz",
            "x::rwx",
            "mask:1:rwx",
            "user:-1:rwx",
            "user:4294967295:r--",
            "user:99999999999:r--",
            "user:joe:rwx:x",
        ];
        for wrong in nonsense {
            assert_eq!(Acl::parse(wrong.as_bytes()), None, "{wrong}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text: Vec<u8>) {
            let _ = Acl::parse(&text).and_then(|acl| acl.encode(&Names::default()));
        }
    }
}
