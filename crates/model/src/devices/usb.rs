//! `usb`: all USB devices of a vendor, or of one kind.

use super::{DeviceError, NodeAccess, Reader};

/// Which USB devices appear inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usb {
    /// Four hexadecimal digits in lower case.
    pub vendor: String,
    /// Four hexadecimal digits in lower case; none: all of the vendor's.
    pub product: Option<String>,
    /// Owner and mode inside.
    pub access: NodeAccess,
    /// One must be there at start.
    pub required: bool,
}

pub(super) fn parse(read: &Reader<'_>) -> Result<Usb, DeviceError> {
    Ok(Usb {
        vendor: read.hex4("vendorid")?.ok_or_else(|| read.missing("vendorid"))?,
        product: read.hex4("productid")?,
        access: NodeAccess::read(read)?,
        required: read.bool("required")?.unwrap_or(false),
    })
}
