//! Names of interfaces and hardware addresses.

use std::fmt;
use std::str::FromStr;

/// Why a text is no interface name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "Invalid interface name {name:?}: use 1 to 15 characters without spaces, '/', ':' and quotes, not \".\" or \"..\""
)]
pub struct InterfaceNameError {
    /// The text.
    pub name: String,
}

/// The name of a network interface, as the kernel accepts it (`dev_valid_name`), without quotes
/// and control characters so that it can stand in rules.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceName(String);

impl InterfaceName {
    /// Checks a name.
    ///
    /// # Errors
    /// The kernel would refuse it, or it holds a quote or backslash.
    pub fn parse(name: &str) -> Result<Self, InterfaceNameError> {
        let good = (1..=15).contains(&name.len())
            && name != "."
            && name != ".."
            && name.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'/' | b':' | b'"' | b'\\'));
        if good { Ok(Self(name.to_owned())) } else { Err(InterfaceNameError { name: name.to_owned() }) }
    }

    /// A name for the host's end of a pair: `veth` and eight hexadecimal digits.
    #[must_use]
    pub fn veth(random: u32) -> Self {
        Self(format!("veth{random:08x}"))
    }

    /// A name for the interface between a pair and its bridge.
    pub(crate) fn between(hash: u32) -> Self {
        Self(format!("ifb{hash:08x}"))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for InterfaceName {
    type Err = InterfaceNameError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl From<&model::names::NetworkName> for InterfaceName {
    /// The rule for names of networks is the narrower one.
    fn from(name: &model::names::NetworkName) -> Self {
        Self(name.as_str().to_owned())
    }
}

/// Why a text is no hardware address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Invalid hardware address {text:?}: use six hexadecimal bytes such as 00:16:3e:12:34:56")]
pub struct MacError {
    /// The text.
    pub text: String,
}

/// An Ethernet address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddress(pub [u8; 6]);

impl MacAddress {
    /// An address for a container's interface, in the range that belongs to containers.
    #[must_use]
    pub fn generate(random: [u8; 3]) -> Self {
        let [a, b, c] = random;
        Self([0x00, 0x16, 0x3e, a, b, c])
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl FromStr for MacAddress {
    type Err = MacError;
    fn from_str(text: &str) -> Result<Self, MacError> {
        let bad = || MacError { text: text.to_owned() };
        let mut bytes = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part = parts.next().ok_or_else(bad)?;
            if part.len() != 2 || !part.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(bad());
            }
            *byte = u8::from_str_radix(part, 16).map_err(|_| bad())?;
        }
        if parts.next().is_some() { Err(bad()) } else { Ok(Self(bytes)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interface_names() {
        for good in ["a", "eth0", "lxdbr0", "br-lan.10", "fifteen-letters"] {
            assert_eq!(InterfaceName::parse(good).expect(good).as_str(), good);
        }
        for bad in ["", ".", "..", "a b", "a/b", "a:1", "a\"", "a\\", "sixteen-letters-", "é", "a\n"] {
            assert!(InterfaceName::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(InterfaceName::veth(0x1a).as_str(), "veth0000001a");
    }

    #[test]
    fn hardware_addresses() {
        let mac = MacAddress::generate([0xab, 0, 1]);
        assert_eq!(mac.to_string(), "00:16:3e:ab:00:01");
        assert_eq!("00:16:3E:AB:00:01".parse(), Ok(mac));
        for bad in ["", "00:16:3e:ab:00", "00:16:3e:ab:00:01:02", "00:16:3e:ab:0:1", "+0:16:3e:ab:00:01"] {
            assert!(bad.parse::<MacAddress>().is_err(), "{bad:?}");
        }
    }
}
