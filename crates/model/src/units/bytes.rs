//! Numbers of bytes.

use super::{UnitError, split_number};

/// A number of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(pub u64);

const ALLOWED: &str = "a whole number of bytes, or one with kB, MB, GB, TB, PB, EB (powers of 1000) or KiB, MiB, GiB, TiB, PiB, EiB (powers of 1024)";

/// Names of the powers of 1000; those of 1024 are made from their first letters.
const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];

impl Bytes {
    /// Reads a size: a whole number and nothing, ` bytes`, `B`, `kB` … `EB` (powers of 1000) or
    /// `KiB` … `EiB` (powers of 1024). Empty is 0. Case matters.
    ///
    /// # Errors
    /// For anything else, and for sizes that 64 bits cannot hold.
    pub fn parse(text: &str) -> Result<Self, UnitError> {
        if text.is_empty() {
            return Ok(Self(0));
        }
        let error = || UnitError::new(text, ALLOWED);
        let (number, suffix) = split_number(text).ok_or_else(error)?;
        let factor = match suffix {
            "" | "B" | " bytes" => 1,
            _ => factor(suffix).ok_or_else(error)?,
        };
        number.checked_mul(factor).map(Self).ok_or_else(error)
    }

    /// For people, in powers of 1000: `213B`, `1.50kB`, with this many decimals.
    #[must_use]
    pub fn human(self, decimals: usize) -> String {
        self.human_in(1000, decimals, |power| UNITS.get(power).copied().unwrap_or("EB").to_owned())
    }

    /// For people, in powers of 1024: `213B`, `1.50KiB`, with this many decimals.
    #[must_use]
    pub fn human_binary(self, decimals: usize) -> String {
        self.human_in(1024, decimals, |power| match power {
            0 => "B".to_owned(),
            _ => format!("{}iB", ["", "K", "M", "G", "T", "P", "E"].get(power).copied().unwrap_or("E")),
        })
    }

    #[allow(clippy::cast_precision_loss)] // it is rounded for people anyway
    fn human_in(self, base: u64, decimals: usize, unit: impl Fn(usize) -> String) -> String {
        if self.0 < base {
            return format!("{}B", self.0);
        }
        let mut value = self.0 as f64;
        let mut power = 0;
        while value >= base as f64 && power < 6 {
            value /= base as f64;
            power += 1;
        }
        format!("{value:.decimals$}{}", unit(power))
    }
}

/// The factor of `kB` or `KiB` and their like.
fn factor(suffix: &str) -> Option<u64> {
    let power = |letters: &str, letter: &str| {
        (letter.len() == 1).then(|| letters.find(letter)).flatten().and_then(|i| u32::try_from(i + 1).ok())
    };
    if let Some(letter) = suffix.strip_suffix("iB") {
        return 1024_u64.checked_pow(power("KMGTPE", letter)?);
    }
    1000_u64.checked_pow(power("kMGTPE", suffix.strip_suffix('B')?)?)
}

impl std::fmt::Display for Bytes {
    /// The exact number, readable by [`Bytes::parse`].
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}B", self.0)
    }
}

/// How much memory: a number of bytes or a share of the host's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryLimit {
    /// This much.
    Bytes(Bytes),
    /// This many hundredths of what the host has.
    Percent(u64),
}

impl MemoryLimit {
    /// Reads a size or `N%`.
    ///
    /// # Errors
    /// For anything else, for nothing at all, and for more than 100%.
    pub fn parse(text: &str) -> Result<Self, UnitError> {
        const SOME: &str = "a size such as 512MiB, or a share of the host's memory such as 50%";
        let Some(number) = text.strip_suffix('%') else {
            return match Bytes::parse(text)? {
                Bytes(0) => Err(UnitError::new(text, SOME)),
                bytes => Ok(Self::Bytes(bytes)),
            };
        };
        match split_number(number) {
            Some((percent @ 1..=100, "")) => Ok(Self::Percent(percent)),
            _ => Err(UnitError::new(text, SOME)),
        }
    }

    /// The limit on a host with this much memory; whole hundredths are counted.
    #[must_use]
    pub const fn of(self, total: Bytes) -> Bytes {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Percent(percent) => Bytes((total.0 / 100).saturating_mul(percent)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_of_both_grammars() {
        let sizes = [
            ("", 0),
            ("0", 0),
            ("7", 7),
            ("7B", 7),
            ("7 bytes", 7),
            ("1kB", 1000),
            ("1MB", 1_000_000),
            ("2GB", 2_000_000_000),
            ("1TB", 1_000_000_000_000),
            ("1EB", 1_000_000_000_000_000_000),
            ("1KiB", 1024),
            ("3MiB", 3 << 20),
            ("1GiB", 1 << 30),
            ("1TiB", 1 << 40),
            ("1PiB", 1 << 50),
            ("15EiB", 15 << 60),
        ];
        for (text, bytes) in sizes {
            assert_eq!(Bytes::parse(text), Ok(Bytes(bytes)), "{text}");
        }
        for bad in [
            "-1", "1K", "1M", "1KB", "1kb", "1kiB", "1 MB", " 1MB", "1.5GB", "MB", "16EiB", "19EB", "1BB",
            "1MBB", "1iB",
        ] {
            let error = Bytes::parse(bad).unwrap_err().to_string();
            assert!(error.starts_with(&format!("Invalid value: {bad}: use")), "{error}");
        }
    }

    #[test]
    fn sizes_for_people() {
        assert_eq!(Bytes(0).human(2), "0B");
        assert_eq!(Bytes(999).human(2), "999B");
        assert_eq!(Bytes(1500).human(2), "1.50kB");
        assert_eq!(Bytes(2_000_000_000).human(2), "2.00GB");
        assert_eq!(Bytes(1023).human_binary(2), "1023B");
        assert_eq!(Bytes(1536).human_binary(1), "1.5KiB");
        assert_eq!(Bytes(5 << 30).human_binary(2), "5.00GiB");
        assert_eq!(Bytes(u64::MAX).human_binary(0), "16EiB");
    }

    #[test]
    fn memory() {
        assert_eq!(MemoryLimit::parse("1GiB"), Ok(MemoryLimit::Bytes(Bytes(1 << 30))));
        assert_eq!(MemoryLimit::parse("50%").unwrap().of(Bytes(1099)), Bytes(500));
        for bad in ["101%", "0%", "0", "0MB", "%", "-1%", "1.5%", "x"] {
            assert!(MemoryLimit::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in "\\PC{0,30}") {
            let _ = (Bytes::parse(&text), MemoryLimit::parse(&text));
        }

        #[test]
        fn exact_text_leads_back(bytes: u64) {
            prop_assert_eq!(Bytes::parse(&Bytes(bytes).to_string()), Ok(Bytes(bytes)));
        }
    }
}
