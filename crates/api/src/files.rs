//! Header names of `/containers/<n>/files` (`rest-api` §7.7).

/// Owner, as a user id inside the container.
pub const UID: &str = "x-lxd-uid";
/// Group, as a group id inside the container.
pub const GID: &str = "x-lxd-gid";
/// Permission bits in octal with a leading zero.
pub const MODE: &str = "x-lxd-mode";
/// `file`, `directory` or `symlink`.
pub const TYPE: &str = "x-lxd-type";
/// `overwrite` or `append`.
pub const WRITE: &str = "x-lxd-write";
