//! `infiniband`: an InfiniBand interface.

use super::{DeviceError, Reader};

/// An InfiniBand interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Infiniband {
    /// How it is passed through.
    pub kind: InfinibandKind,
    /// The host's interface.
    pub parent: String,
    /// Its name inside; none: the first free `ib<N>`.
    pub name: Option<String>,
    /// Its address in lower case: 20 or 8 bytes.
    pub hwaddr: Option<String>,
    /// Largest packet in bytes; none: the parent's.
    pub mtu: Option<u32>,
}

/// How an InfiniBand interface is passed through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InfinibandKind {
    /// The host's interface itself.
    Physical,
    /// A virtual function of it.
    Sriov,
}

pub(super) fn parse(read: &Reader<'_>) -> Result<Infiniband, DeviceError> {
    let nictype = read.text("nictype").ok_or(DeviceError::MissingNicType)?;
    let kind = match nictype {
        "physical" => InfinibandKind::Physical,
        "sriov" => InfinibandKind::Sriov,
        _ => return Err(DeviceError::BadNicType { nictype: nictype.to_owned() }),
    };
    Ok(Infiniband {
        kind,
        parent: read
            .interface("parent")?
            .ok_or_else(|| DeviceError::MissingParent { nictype: nictype.to_owned() })?,
        name: read.interface("name")?,
        hwaddr: read.parsed("hwaddr", |v| {
            let good = |pair: &str| pair.len() == 2 && pair.bytes().all(|b| b.is_ascii_hexdigit());
            (matches!(v.split(':').count(), 20 | 8) && v.split(':').all(good)).then(|| v.to_ascii_lowercase())
        })?,
        mtu: read.mtu()?,
    })
}
