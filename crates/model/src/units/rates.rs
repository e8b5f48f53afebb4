//! Rates of networks and disks.

use super::{Bytes, UnitError, split_number};

/// Bits per second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BitRate(pub u64);

impl BitRate {
    /// Reads a whole number and nothing, `bit`, `kbit` … `Ebit` (powers of 1000) or `Kibit` …
    /// `Eibit` (powers of 1024). Empty is 0.
    ///
    /// # Errors
    /// For anything else, and for rates that 64 bits cannot hold.
    pub fn parse(text: &str) -> Result<Self, UnitError> {
        const ALLOWED: &str = "a whole number of bits per second, or one with kbit, Mbit, Gbit, Tbit (powers of 1000) or Kibit, Mibit, Gibit, Tibit (powers of 1024)";
        if text.is_empty() {
            return Ok(Self(0));
        }
        let error = || UnitError::new(text, ALLOWED);
        let (number, suffix) = split_number(text).ok_or_else(error)?;
        let factor: u64 = match suffix {
            "" | "bit" => 1,
            "kbit" => 1000,
            "Mbit" => 1_000_000,
            "Gbit" => 1_000_000_000,
            "Tbit" => 1_000_000_000_000,
            "Pbit" => 1_000_000_000_000_000,
            "Ebit" => 1_000_000_000_000_000_000,
            "Kibit" => 1 << 10,
            "Mibit" => 1 << 20,
            "Gibit" => 1 << 30,
            "Tibit" => 1 << 40,
            "Pibit" => 1 << 50,
            "Eibit" => 1 << 60,
            _ => return Err(error()),
        };
        number.checked_mul(factor).map(Self).ok_or_else(error)
    }
}

/// How much a disk may do in a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskRate {
    /// Operations.
    Iops(u64),
    /// Bytes.
    Bytes(Bytes),
}

impl DiskRate {
    /// Reads `<N>iops` (also spelled `Iops`) or a size.
    ///
    /// # Errors
    /// For anything else.
    pub fn parse(text: &str) -> Result<Self, UnitError> {
        match text.strip_suffix("iops").or_else(|| text.strip_suffix("Iops")) {
            None => Bytes::parse(text).map(Self::Bytes),
            Some(number) => match split_number(number) {
                Some((iops, "")) => Ok(Self::Iops(iops)),
                _ => Err(UnitError::new(
                    text,
                    "a size such as 30MB (per second), or operations such as 200iops",
                )),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bit_rates() {
        for (text, rate) in [
            ("", 0),
            ("100", 100),
            ("8bit", 8),
            ("10Mbit", 10_000_000),
            ("1Kibit", 1024),
            ("1Gbit", 1_000_000_000),
        ] {
            assert_eq!(BitRate::parse(text), Ok(BitRate(rate)), "{text}");
        }
        for bad in ["x", "-1Mbit", "1mbit", "1MB", "20Ebit", "1 Mbit"] {
            assert!(BitRate::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn disk_rates() {
        assert_eq!(DiskRate::parse("200iops"), Ok(DiskRate::Iops(200)));
        assert_eq!(DiskRate::parse("20Iops"), Ok(DiskRate::Iops(20)));
        assert_eq!(DiskRate::parse("30MB"), Ok(DiskRate::Bytes(Bytes(30_000_000))));
        for bad in ["iops", "-1iops", "1.5iops", "30MB/s", "1 iops"] {
            assert!(DiskRate::parse(bad).is_err(), "{bad}");
        }
    }
}
