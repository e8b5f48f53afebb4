//! Paths of members, taken apart and checked once.

use super::error::Refusal;

const NAME_MAX: usize = 255;
const PATH_MAX: usize = 4095;

/// A path below the directory that is unpacked to: no empty, `.` or `..` components, not absolute.
/// Empty: that directory itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct RelativePath(Vec<u8>);

impl RelativePath {
    /// Checks a path as an archive has it.
    pub(super) fn parse(path: &[u8]) -> Result<Self, Refusal> {
        if path.is_empty() || path.contains(&0) || path.len() > PATH_MAX {
            return Err(Refusal::ImpossibleName);
        }
        if path[0] == b'/' {
            return Err(Refusal::Absolute);
        }
        let mut clean = Vec::with_capacity(path.len());
        for component in path.split(|byte| *byte == b'/') {
            match component {
                b"" | b"." => continue,
                b".." => return Err(Refusal::ParentDirectory),
                _ if component.len() > NAME_MAX => return Err(Refusal::ImpossibleName),
                _ => {}
            }
            if !clean.is_empty() {
                clean.push(b'/');
            }
            clean.extend_from_slice(component);
        }
        Ok(Self(clean))
    }

    /// The bytes, `.` for the directory itself, as system calls want it.
    pub(super) fn as_bytes(&self) -> &[u8] {
        if self.0.is_empty() { b"." } else { &self.0 }
    }

    pub(super) fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The directory it is in and its name there. `None` for the directory itself.
    pub(super) fn split(&self) -> Option<(Self, &[u8])> {
        if self.0.is_empty() {
            return None;
        }
        match self.0.iter().rposition(|byte| *byte == b'/') {
            Some(slash) => Some((Self(self.0[..slash].to_vec()), &self.0[slash + 1..])),
            None => Some((Self::default(), &self.0)),
        }
    }

    /// The first component, and what is below it.
    pub(super) fn first(&self) -> Option<(&[u8], Self)> {
        let (first, rest) = match self.0.iter().position(|byte| *byte == b'/') {
            Some(slash) => (&self.0[..slash], &self.0[slash + 1..]),
            None => (&self.0[..], &[][..]),
        };
        (!first.is_empty()).then(|| (first, Self(rest.to_vec())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned_or_refused() {
        let clean = |path: &[u8]| RelativePath::parse(path).map(|p| String::from_utf8(p.0).unwrap());
        assert_eq!(clean(b"./a//b/./c/"), Ok("a/b/c".into()));
        assert_eq!(clean(b"."), Ok(String::new()));
        assert_eq!(clean(b"./"), Ok(String::new()));
        assert_eq!(clean(b"..."), Ok("...".into()));
        assert_eq!(clean(b"/etc"), Err(Refusal::Absolute));
        assert_eq!(clean(b"a/../../b"), Err(Refusal::ParentDirectory));
        assert_eq!(clean(b".."), Err(Refusal::ParentDirectory));
        assert_eq!(clean(b""), Err(Refusal::ImpossibleName));
        assert_eq!(clean(b"a\0b"), Err(Refusal::ImpossibleName));
        assert_eq!(clean(&[b'a'; 256]), Err(Refusal::ImpossibleName));
        assert_eq!(clean(&b"a/".repeat(3000)), Err(Refusal::ImpossibleName));
    }

    #[test]
    fn paths_come_apart() {
        let path = RelativePath::parse(b"rootfs/dev/null").unwrap();
        let (parent, name) = path.split().unwrap();
        assert_eq!((parent.as_bytes(), name), (&b"rootfs/dev"[..], &b"null"[..]));
        let (first, rest) = path.first().unwrap();
        assert_eq!((first, rest.as_bytes()), (&b"rootfs"[..], &b"dev/null"[..]));
        let root = RelativePath::parse(b"./").unwrap();
        assert!(root.split().is_none() && root.first().is_none());
        assert_eq!(root.as_bytes(), b".");
    }
}
