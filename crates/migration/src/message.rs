//! The messages on the control stream (protobuf, version 2), as LXD numbers their fields. What newer
//! daemons add is passed over; what is required there and may be missing in old ones is optional here.

use prost::Message;

/// How file systems can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub enum FsType {
    /// File by file.
    Rsync = 0,
    /// `btrfs send`.
    Btrfs = 1,
    /// `zfs send`.
    Zfs = 2,
    /// `rbd export-diff`.
    Rbd = 3,
    /// A block device and its configuration.
    BlockAndRsync = 4,
}

/// How processes can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub enum CriuType {
    /// A dump, by rsync.
    Rsync = 0,
    /// Never built.
    Phaul = 1,
    /// They are not sent although they run: files change meanwhile.
    None = 2,
}

/// A range of ids.
#[derive(Clone, PartialEq, Message)]
#[allow(missing_docs)] // the names are the protocol's own
pub struct IdMapType {
    #[prost(bool, required, tag = "1")]
    pub isuid: bool,
    #[prost(bool, required, tag = "2")]
    pub isgid: bool,
    #[prost(int32, required, tag = "3")]
    pub hostid: i32,
    #[prost(int32, required, tag = "4")]
    pub nsid: i32,
    #[prost(int32, required, tag = "5")]
    pub maprange: i32,
}

/// A key and its value.
#[derive(Clone, PartialEq, Message)]
#[allow(missing_docs)]
pub struct Config {
    #[prost(string, required, tag = "1")]
    pub key: String,
    #[prost(string, required, tag = "2")]
    pub value: String,
}

/// A device.
#[derive(Clone, PartialEq, Message)]
#[allow(missing_docs)]
pub struct Device {
    #[prost(string, required, tag = "1")]
    pub name: String,
    #[prost(message, repeated, tag = "2")]
    pub config: Vec<Config>,
}

/// A snapshot. Dates are seconds since 1970; 0: never.
#[derive(Clone, PartialEq, Message)]
#[allow(missing_docs)]
pub struct Snapshot {
    #[prost(string, required, tag = "1")]
    pub name: String,
    #[prost(message, repeated, tag = "2")]
    pub local_config: Vec<Config>,
    #[prost(string, repeated, tag = "3")]
    pub profiles: Vec<String>,
    #[prost(bool, required, tag = "4")]
    pub ephemeral: bool,
    #[prost(message, repeated, tag = "5")]
    pub local_devices: Vec<Device>,
    #[prost(int32, required, tag = "6")]
    pub architecture: i32,
    #[prost(bool, required, tag = "7")]
    pub stateful: bool,
    #[prost(int64, optional, tag = "8")]
    pub creation_date: Option<i64>,
    #[prost(int64, optional, tag = "9")]
    pub last_used_date: Option<i64>,
    #[prost(int64, optional, tag = "10")]
    pub expiry_date: Option<i64>,
}

/// What rsync can do at one side. The last two are ours; others pass over them.
#[derive(Clone, PartialEq, Eq, Message)]
#[allow(missing_docs)]
pub struct RsyncFeatures {
    #[prost(bool, optional, tag = "1")]
    pub xattrs: Option<bool>,
    #[prost(bool, optional, tag = "2")]
    pub delete: Option<bool>,
    #[prost(bool, optional, tag = "3")]
    pub compress: Option<bool>,
    #[prost(bool, optional, tag = "4")]
    pub bidirectional: Option<bool>,
    #[prost(bool, optional, tag = "1001")]
    pub hard_links: Option<bool>,
    #[prost(bool, optional, tag = "1002")]
    pub acls: Option<bool>,
}

/// What `zfs send` can do at one side.
#[derive(Clone, PartialEq, Eq, Message)]
#[allow(missing_docs)]
pub struct ZfsFeatures {
    #[prost(bool, optional, tag = "1")]
    pub compress: Option<bool>,
    #[prost(bool, optional, tag = "2")]
    pub migration_header: Option<bool>,
}

/// What `btrfs send` can do at one side.
#[derive(Clone, PartialEq, Eq, Message)]
#[allow(missing_docs)]
pub struct BtrfsFeatures {
    #[prost(bool, optional, tag = "1")]
    pub migration_header: Option<bool>,
    #[prost(bool, optional, tag = "2")]
    pub header_subvolumes: Option<bool>,
    #[prost(bool, optional, tag = "3")]
    pub header_subvolume_uuids: Option<bool>,
}

/// What there is and how it can be sent; the answer has the same form.
#[derive(Clone, PartialEq, Message)]
#[allow(missing_docs)]
pub struct MigrationHeader {
    #[prost(enumeration = "FsType", required, tag = "1")]
    pub fs: i32,
    #[prost(enumeration = "CriuType", optional, tag = "2")]
    pub criu: Option<i32>,
    #[prost(message, repeated, tag = "3")]
    pub idmap: Vec<IdMapType>,
    #[prost(string, repeated, tag = "4")]
    pub snapshot_names: Vec<String>,
    #[prost(message, repeated, tag = "5")]
    pub snapshots: Vec<Snapshot>,
    #[prost(bool, optional, tag = "7")]
    pub predump: Option<bool>,
    #[prost(message, optional, tag = "8")]
    pub rsync_features: Option<RsyncFeatures>,
    #[prost(bool, optional, tag = "9")]
    pub refresh: Option<bool>,
    #[prost(message, optional, tag = "10")]
    pub zfs_features: Option<ZfsFeatures>,
    #[prost(int64, optional, tag = "11")]
    pub volume_size: Option<i64>,
    #[prost(message, optional, tag = "12")]
    pub btrfs_features: Option<BtrfsFeatures>,
    #[prost(uint32, optional, tag = "13")]
    pub index_header_version: Option<u32>,
}

/// How it ended.
#[derive(Clone, PartialEq, Eq, Message)]
#[allow(missing_docs)]
pub struct MigrationControl {
    #[prost(bool, required, tag = "1")]
    pub success: bool,
    #[prost(string, optional, tag = "2")]
    pub message: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_those_of_other_daemons() {
        let header = MigrationHeader {
            fs: FsType::Btrfs.into(),
            criu: Some(CriuType::None.into()),
            predump: Some(false),
            ..MigrationHeader::default()
        };
        assert_eq!(header.encode_to_vec(), [0x08, 1, 0x10, 2, 0x38, 0]);
        // Required fields are there even when they say nothing.
        let control = MigrationControl { success: false, message: Some("no".into()) };
        assert_eq!(control.encode_to_vec(), [0x08, 0, 0x12, 2, b'n', b'o']);
    }

    #[test]
    fn what_newer_ones_add_is_passed_over_and_garbage_is_not() {
        // Field 99, a string, before the file system's type.
        let bytes = [0x9a, 0x06, 2, b'h', b'i', 0x08, 2, 0x68, 1];
        let header = MigrationHeader::decode(&bytes[..]).unwrap();
        assert_eq!((header.fs(), header.index_header_version), (FsType::Zfs, Some(1)));
        assert!(MigrationHeader::decode(&[0xff, 0xff, 0xff][..]).is_err());
    }
}
