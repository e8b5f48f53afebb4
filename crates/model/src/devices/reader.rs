//! Reads typed values out of a device's properties.

use super::{DeviceError, Properties};
use crate::config::is_true;

/// The properties that each type takes, besides `type`.
#[rustfmt::skip]
const KNOWN: &[(&str, &[&str])] = &[
    ("none", &[]),
    ("nic", &[
        "nictype", "parent", "name", "hwaddr", "mtu", "host_name", "vlan",
        "limits.ingress", "limits.egress", "limits.max", "ipv4.address", "ipv6.address",
        "security.mac_filtering", "maas.subnet.ipv4", "maas.subnet.ipv6",
    ]),
    ("disk", &[
        "path", "source", "pool", "size", "readonly", "optional", "recursive",
        "limits.read", "limits.write", "limits.max",
    ]),
    ("unix-char", &["source", "path", "major", "minor", "uid", "gid", "mode", "required"]),
    ("unix-block", &["source", "path", "major", "minor", "uid", "gid", "mode", "required"]),
    ("usb", &["vendorid", "productid", "uid", "gid", "mode", "required"]),
    ("gpu", &["vendorid", "productid", "id", "pci", "uid", "gid", "mode"]),
    ("infiniband", &["nictype", "parent", "name", "hwaddr", "mtu"]),
    ("proxy", &["listen", "connect", "bind"]),
];

/// A device's name, type and properties, the latter known to be properties of that type.
pub(super) struct Reader<'a> {
    name: &'a str,
    kind: &'a str,
    properties: &'a Properties,
}

impl<'a> Reader<'a> {
    pub(super) fn new(name: &'a str, properties: &'a Properties) -> Result<Self, DeviceError> {
        let kind = match properties.get("type").map(String::as_str) {
            None | Some("") => return Err(DeviceError::MissingType { device: name.to_owned() }),
            Some(kind) => kind,
        };
        let (_, known) = KNOWN
            .iter()
            .find(|(k, _)| *k == kind)
            .ok_or_else(|| DeviceError::InvalidType { device: name.to_owned() })?;
        if let Some(key) = properties.keys().find(|key| *key != "type" && !known.contains(&key.as_str())) {
            return Err(DeviceError::UnknownProperty { kind: kind.to_owned(), key: key.clone() });
        }
        Ok(Self { name, kind, properties })
    }

    pub(super) const fn kind(&self) -> &'a str {
        self.kind
    }

    pub(super) const fn name(&self) -> &'a str {
        self.name
    }

    /// A property as text; an empty one is none.
    pub(super) fn text(&self, property: &str) -> Option<&'a str> {
        self.properties.get(property).map(String::as_str).filter(|v| !v.is_empty())
    }

    pub(super) fn missing(&self, property: &'static str) -> DeviceError {
        DeviceError::Missing { device: self.name.to_owned(), kind: self.kind.to_owned(), property }
    }

    pub(super) fn invalid(&self, property: &'static str, value: &str, allowed: &str) -> DeviceError {
        DeviceError::InvalidValue {
            device: self.name.to_owned(),
            property,
            value: value.to_owned(),
            allowed: allowed.to_owned(),
        }
    }

    /// A property as whatever `parse` makes of it.
    pub(super) fn parsed<T>(
        &self,
        property: &'static str,
        allowed: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, DeviceError> {
        let Some(value) = self.text(property) else { return Ok(None) };
        parse(value).map(Some).ok_or_else(|| self.invalid(property, value, allowed))
    }

    pub(super) fn number<T: std::str::FromStr>(
        &self,
        property: &'static str,
        allowed: &str,
    ) -> Result<Option<T>, DeviceError> {
        self.parsed(property, allowed, |v| {
            v.bytes().all(|b| b.is_ascii_digit()).then(|| v.parse().ok()).flatten()
        })
    }

    pub(super) fn bool(&self, property: &'static str) -> Result<Option<bool>, DeviceError> {
        let allowed = crate::config::Grammar::Bool;
        self.parsed(property, &allowed.allowed(), |v| allowed.check(v).ok().map(|()| is_true(v)))
    }

    /// The name of an interface of the host or of the container.
    pub(super) fn interface(&self, property: &'static str) -> Result<Option<String>, DeviceError> {
        let allowed = crate::config::Grammar::Interface;
        self.parsed(property, &allowed.allowed(), |v| allowed.check(v).ok().map(|()| v.to_owned()))
    }

    /// Four hexadecimal digits, in lower case.
    pub(super) fn hex4(&self, property: &'static str) -> Result<Option<String>, DeviceError> {
        self.parsed(property, "four hexadecimal digits", |v| {
            (v.len() == 4 && v.bytes().all(|b| b.is_ascii_hexdigit())).then(|| v.to_ascii_lowercase())
        })
    }

    /// A path without `..`, whatever it is relative to, without NUL.
    pub(super) fn path(&self, property: &'static str) -> Result<Option<String>, DeviceError> {
        self.parsed(property, "a path without .. in it", |v| {
            (!v.split('/').any(|c| c == "..") && !v.contains('\0')).then(|| v.to_owned())
        })
    }

    pub(super) fn mtu(&self) -> Result<Option<u32>, DeviceError> {
        const ALLOWED: &str = "a number of bytes from 68 to 65536";
        match self.number::<u32>("mtu", ALLOWED)? {
            Some(mtu) if !(68..=65536).contains(&mtu) => Err(self.invalid("mtu", &mtu.to_string(), ALLOWED)),
            mtu => Ok(mtu),
        }
    }
}
