//! Reads typed values out of a device's properties.

use super::table::{self, Kind};
use super::{DeviceError, Properties};
use crate::config::{Grammar, is_true};

/// A device's name, type and properties, the latter known to be properties of that type.
pub(super) struct Reader<'a> {
    name: &'a str,
    kind: &'static Kind,
    properties: &'a Properties,
}

impl<'a> Reader<'a> {
    pub(super) fn new(name: &'a str, properties: &'a Properties) -> Result<Self, DeviceError> {
        let kind = match properties.get("type").map(String::as_str) {
            None | Some("") => return Err(DeviceError::MissingType { device: name.to_owned() }),
            Some(kind) => kind,
        };
        let kind = table::kind(kind)
            .ok_or_else(|| DeviceError::InvalidType { device: name.to_owned(), value: kind.to_owned() })?;
        if let Some(key) = properties.keys().find(|key| *key != "type" && kind.property(key).is_none()) {
            return Err(DeviceError::UnknownProperty { kind: kind.name, key: key.clone() });
        }
        Ok(Self { name, kind, properties })
    }

    pub(super) const fn kind(&self) -> &'static str {
        self.kind.name
    }

    pub(super) const fn name(&self) -> &'a str {
        self.name
    }

    /// A property as text; an empty one is none.
    pub(super) fn text(&self, property: &str) -> Option<&'a str> {
        self.properties.get(property).map(String::as_str).filter(|v| !v.is_empty())
    }

    pub(super) fn missing(&self, property: &'static str) -> DeviceError {
        DeviceError::Missing { device: self.name.to_owned(), kind: self.kind.name.to_owned(), property }
    }

    pub(super) fn invalid(&self, property: &'static str, value: &str, allowed: &str) -> DeviceError {
        DeviceError::InvalidValue {
            device: self.name.to_owned(),
            property,
            value: value.to_owned(),
            allowed: allowed.to_owned(),
        }
    }

    /// A property as whatever `parse` makes of it; what the row of the table allows is what the
    /// message says.
    pub(super) fn parsed<T>(
        &self,
        property: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, DeviceError> {
        let Some(value) = self.text(property) else { return Ok(None) };
        parse(value).map(Some).ok_or_else(|| self.not_allowed(property, value))
    }

    /// A value that the row of the table does not allow.
    pub(super) fn not_allowed(&self, property: &'static str, value: &str) -> DeviceError {
        let allowed = self.kind.property(property).map_or("something else", |row| row.allowed);
        self.invalid(property, value, allowed)
    }

    pub(super) fn number<T: std::str::FromStr>(
        &self,
        property: &'static str,
    ) -> Result<Option<T>, DeviceError> {
        self.parsed(property, |v| v.bytes().all(|b| b.is_ascii_digit()).then(|| v.parse().ok()).flatten())
    }

    pub(super) fn bool(&self, property: &'static str) -> Result<Option<bool>, DeviceError> {
        self.parsed(property, |v| Grammar::Bool.check(v).ok().map(|()| is_true(v)))
    }

    /// The name of an interface of the host or of the container.
    pub(super) fn interface(&self, property: &'static str) -> Result<Option<String>, DeviceError> {
        self.parsed(property, |v| Grammar::Interface.check(v).ok().map(|()| v.to_owned()))
    }

    /// Four hexadecimal digits, in lower case.
    pub(super) fn hex4(&self, property: &'static str) -> Result<Option<String>, DeviceError> {
        self.parsed(property, |v| {
            (v.len() == 4 && v.bytes().all(|b| b.is_ascii_hexdigit())).then(|| v.to_ascii_lowercase())
        })
    }

    /// A path without `..`, whatever it is relative to, without NUL.
    pub(super) fn path(&self, property: &'static str) -> Result<Option<String>, DeviceError> {
        self.parsed(property, |v| {
            (!v.split('/').any(|c| c == "..") && !v.contains('\0')).then(|| v.to_owned())
        })
    }

    pub(super) fn mtu(&self) -> Result<Option<u32>, DeviceError> {
        match self.number::<u32>("mtu")? {
            Some(mtu) if !(68..=65536).contains(&mtu) => Err(self.not_allowed("mtu", &mtu.to_string())),
            mtu => Ok(mtu),
        }
    }
}
