//! Processor architectures: numbers in the database, names on the wire, and what runs where.

use serde::{Deserialize, Serialize};

/// An architecture, with the number that it has in databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
#[allow(missing_docs)] // the names say it
pub enum Architecture {
    I686 = 1,
    X86_64 = 2,
    Armv7l = 3,
    Aarch64 = 4,
    Ppc = 5,
    Ppc64 = 6,
    Ppc64le = 7,
    S390x = 8,
}

/// The name of an architecture that is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Architecture {name:?} isn't known: use i686, x86_64, armv7l, aarch64, ppc, ppc64, ppc64le or s390x")]
pub struct UnknownArchitecture {
    /// The text as it came.
    pub name: String,
}

impl Architecture {
    /// All of them, by number.
    pub const ALL: [Self; 8] = [
        Self::I686,
        Self::X86_64,
        Self::Armv7l,
        Self::Aarch64,
        Self::Ppc,
        Self::Ppc64,
        Self::Ppc64le,
        Self::S390x,
    ];

    /// The number used in databases.
    #[must_use]
    pub const fn id(self) -> u8 {
        self as u8
    }

    /// The architecture with this number.
    #[must_use]
    pub fn from_id(id: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|a| i64::from(a.id()) == id)
    }

    /// The kernel's name (`uname -m`), which is also the name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::I686 => "i686",
            Self::X86_64 => "x86_64",
            Self::Armv7l => "armv7l",
            Self::Aarch64 => "aarch64",
            Self::Ppc => "ppc",
            Self::Ppc64 => "ppc64",
            Self::Ppc64le => "ppc64le",
            Self::S390x => "s390x",
        }
    }

    /// Other names that are understood, the distributions' own first.
    #[must_use]
    pub const fn aliases(self) -> &'static [&'static str] {
        match self {
            Self::I686 => &["i386", "386"],
            Self::X86_64 => &["amd64"],
            Self::Armv7l => &["armhf", "armel", "arm"],
            Self::Aarch64 => &["arm64"],
            Self::Ppc => &["powerpc"],
            Self::Ppc64 => &["powerpc64"],
            Self::Ppc64le => &["ppc64el"],
            Self::S390x => &[],
        }
    }

    /// Reads a name or an alias.
    ///
    /// # Errors
    /// When no architecture is called that.
    pub fn parse(text: &str) -> Result<Self, UnknownArchitecture> {
        Self::ALL
            .into_iter()
            .find(|a| a.name() == text || a.aliases().contains(&text))
            .ok_or_else(|| UnknownArchitecture { name: text.to_owned() })
    }

    /// What else a host of this architecture runs.
    #[must_use]
    pub const fn personalities(self) -> &'static [Self] {
        match self {
            Self::X86_64 => &[Self::I686],
            Self::Aarch64 => &[Self::Armv7l],
            Self::Ppc64 => &[Self::Ppc],
            Self::I686 | Self::Armv7l | Self::Ppc | Self::Ppc64le | Self::S390x => &[],
        }
    }

    /// True if a host of this architecture runs containers of the other one.
    #[must_use]
    pub fn runs(self, other: Self) -> bool {
        self == other || self.personalities().contains(&other)
    }

    /// True if its long integers have 32 bits: containers of such an architecture get the
    /// 32-bit `personality(2)`.
    #[must_use]
    pub const fn is_32_bit(self) -> bool {
        matches!(self, Self::I686 | Self::Armv7l | Self::Ppc)
    }
}

impl std::fmt::Display for Architecture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

impl std::str::FromStr for Architecture {
    type Err = UnknownArchitecture;
    fn from_str(text: &str) -> Result<Self, UnknownArchitecture> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Architecture {
    type Error = UnknownArchitecture;
    fn try_from(text: String) -> Result<Self, UnknownArchitecture> {
        Self::parse(&text)
    }
}

impl From<Architecture> for String {
    fn from(architecture: Architecture) -> Self {
        architecture.name().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_aliases_and_numbers_lead_back() {
        for (index, architecture) in Architecture::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(architecture.id()), index + 1);
            assert_eq!(Architecture::from_id(i64::from(architecture.id())), Some(architecture));
            assert_eq!(Architecture::parse(architecture.name()), Ok(architecture));
            for alias in architecture.aliases() {
                assert_eq!(Architecture::parse(alias), Ok(architecture));
            }
        }
        assert_eq!(Architecture::from_id(0), None);
        assert_eq!(Architecture::from_id(9), None);
        assert!(Architecture::parse("vax").unwrap_err().to_string().contains("vax"));
        assert!(Architecture::parse("").is_err());
    }

    #[test]
    fn personalities() {
        assert!(Architecture::X86_64.runs(Architecture::I686));
        assert!(!Architecture::I686.runs(Architecture::X86_64));
        assert!(Architecture::I686.is_32_bit());
    }
}
