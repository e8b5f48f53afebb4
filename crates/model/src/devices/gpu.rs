//! `gpu`: graphics cards.

use super::{DeviceError, NodeAccess, Reader};

/// Which graphics cards appear inside: those that fit everything said, all when nothing is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gpu {
    /// Four hexadecimal digits in lower case.
    pub vendor: Option<String>,
    /// Four hexadecimal digits in lower case.
    pub product: Option<String>,
    /// The number in `/dev/dri/card<N>`.
    pub card: Option<u32>,
    /// PCI address such as `0000:01:00.0`, in lower case.
    pub pci: Option<String>,
    /// Owner and mode inside.
    pub access: NodeAccess,
}

pub(super) fn parse(read: &Reader<'_>) -> Result<Gpu, DeviceError> {
    Ok(Gpu {
        vendor: read.hex4("vendorid")?,
        product: read.hex4("productid")?,
        card: read.number("id")?,
        pci: read.parsed("pci", pci)?,
        access: NodeAccess::read(read)?,
    })
}

/// `[domain:]bus:device.function`, in hexadecimal.
fn pci(text: &str) -> Option<String> {
    let (slot, function) = text.rsplit_once('.')?;
    let parts: Vec<&str> = slot.split(':').collect();
    let hex = |t: &str, digits| t.len() == digits && t.bytes().all(|b| b.is_ascii_hexdigit());
    let good = match parts[..] {
        [domain, bus, device] => hex(domain, 4) && hex(bus, 2) && hex(device, 2),
        [bus, device] => hex(bus, 2) && hex(device, 2),
        _ => false,
    };
    (good && hex(function, 1)).then(|| text.to_ascii_lowercase())
}
