//! What values may look like.

use crate::compression::Compression;
use crate::idmap::{IdMap, RawMapping};
use crate::snapshots::{Expiry, Pattern, Schedule};
use crate::units::{CpuAllowance, CpuLimit, MemoryLimit};

/// What is allowed where something is on or off.
pub(crate) const BOOL: &str = "true or false (or yes, no, on, off, 1, 0)";
/// What is allowed as a name of an interface.
pub(crate) const INTERFACE: &str = "an interface name of 1 to 15 bytes without '/', ':' and blanks";

/// The form of a key's values. The empty value is good in every one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grammar {
    /// Anything.
    Text,
    /// One of eight words, in any case.
    Bool,
    /// A whole number of 64 bits with sign.
    Int,
    /// A whole number of 32 bits without sign.
    Uint32,
    /// A whole number from 1 on.
    Positive,
    /// 0 to 10.
    Priority,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A size, or a share of the host's memory.
    Memory,
    /// A number of processors, or a set of them.
    Cpu,
    /// A share of the processors, or time out of a period.
    CpuAllowance,
    /// `soft:hard`, one number for both, or `unlimited`.
    Rlimit,
    /// Names of kernel modules between commas.
    Modules,
    /// A whole policy about system calls.
    Policy,
    /// Lines of a policy about system calls.
    Calls,
    /// Rules inside an AppArmor profile.
    RawApparmor,
    /// Lines `key = value` for LXC.
    RawLxc,
    /// Lines `both|uid|gid <host> <container>`.
    RawIdmap,
    /// An id map as JSON.
    IdmapJson,
    /// An Ethernet address.
    Mac,
    /// A network interface's name.
    Interface,
    /// `host:port`, `host`, `[v6]:port` or `:port`.
    Address,
    /// A program that compresses, with arguments.
    Compressor,
    /// A number of seconds above 4.
    AboveFour,
    /// Times as in `crontab(5)`, or words such as `@daily`.
    Schedule,
    /// A name with a place for a number or a date.
    SnapshotPattern,
    /// How long a snapshot stays, such as `3d 4w`.
    Expiry,
    /// Can be emptied only; this says why.
    OnlyEmpty(&'static str),
}

/// True for what counts as true: `true`, `1`, `yes`, `on`, in any case.
#[must_use]
pub fn is_true(value: &str) -> bool {
    ["true", "1", "yes", "on"].iter().any(|t| value.eq_ignore_ascii_case(t))
}

fn is_bool(value: &str) -> bool {
    is_true(value) || ["false", "0", "no", "off"].iter().any(|t| value.eq_ignore_ascii_case(t))
}

impl Grammar {
    /// Checks a value.
    ///
    /// # Errors
    /// What is wrong with it or what is allowed, as the end of a sentence.
    pub fn check(self, value: &str) -> Result<(), String> {
        if value.is_empty() {
            return Ok(());
        }
        if value.contains('\0') {
            return Err("a value can't contain the character NUL".to_owned());
        }
        match self {
            Self::Policy => return super::seccomp::parse(value).map(drop).map_err(|e| e.to_string()),
            Self::Calls => return super::seccomp::check_lines(value),
            Self::RawApparmor => return super::raw_apparmor::check(value),
            Self::RawLxc => return super::parse_raw_lxc(value).map(drop).map_err(|e| e.to_string()),
            Self::RawIdmap => return RawMapping::parse(value).map(drop).map_err(|e| e.to_string()),
            Self::IdmapJson => return IdMap::from_json(value).map(drop).map_err(|e| e.to_string()),
            Self::Schedule => return Schedule::parse(value).map(drop).map_err(|e| e.to_string()),
            Self::SnapshotPattern => return Pattern::parse(value).map(drop).map_err(|e| e.to_string()),
            Self::Expiry => return Expiry::parse(value).map(drop).map_err(|e| e.to_string()),
            Self::Compressor => return Compression::parse(value).map(drop),
            Self::OnlyEmpty(reason) => return Err(reason.to_owned()),
            _ => {}
        }
        if self.accepts(value) { Ok(()) } else { Err(format!("use {}", self.allowed())) }
    }

    fn accepts(self, value: &str) -> bool {
        match self {
            Self::Text
            | Self::RawApparmor
            | Self::Policy
            | Self::Calls
            | Self::RawLxc
            | Self::RawIdmap
            | Self::IdmapJson
            | Self::Schedule
            | Self::SnapshotPattern
            | Self::Expiry
            | Self::Compressor
            | Self::OnlyEmpty(_) => true,
            Self::Bool => is_bool(value),
            Self::Int => value.parse::<i64>().is_ok(),
            Self::Uint32 => is_number(value) && value.parse::<u32>().is_ok(),
            Self::Positive => is_number(value) && value.parse::<i64>().is_ok_and(|n| n > 0),
            Self::Priority => super::Priority::parse(value).is_some(),
            Self::OneOf(words) => words.contains(&value),
            Self::Memory => MemoryLimit::parse(value).is_ok(),
            Self::Cpu => CpuLimit::parse(value).is_ok(),
            Self::CpuAllowance => CpuAllowance::parse(value).is_ok(),
            Self::Rlimit => super::Rlimit::parse("", value).is_some(),
            Self::Modules => value.split(',').map(str::trim).all(is_module),
            Self::Mac => is_mac(value),
            Self::Interface => is_interface(value),
            Self::Address => is_address(value),
            Self::AboveFour => value.parse::<i64>().is_ok_and(|n| n > 4),
        }
    }

    /// `bool`, `integer` or `string`.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int | Self::Uint32 | Self::Priority | Self::AboveFour => "integer",
            _ => "string",
        }
    }

    /// What is allowed, to follow "use".
    #[must_use]
    pub fn allowed(self) -> String {
        match self {
            Self::Text => "any text".into(),
            Self::Bool => BOOL.into(),
            Self::Int => "a whole number".into(),
            Self::Uint32 => "a whole number from 0 to 4294967295".into(),
            Self::Positive => "a whole number from 1 on".into(),
            Self::Priority => "a whole number from 0 to 10".into(),
            Self::OneOf(words) => format!("one of {}", words.join(", ")),
            Self::Memory => "a size such as 512MiB, or a share of the host's memory such as 50%".into(),
            Self::Cpu => "a number of processors such as 2, or a set of them such as 0,2-3 or 1-1".into(),
            Self::CpuAllowance => {
                "a share such as 50%, or time out of every period such as 20ms/100ms".into()
            }
            Self::Rlimit => "a number, unlimited, or soft and hard limit such as 1000:2000".into(),
            Self::Modules => "names of kernel modules between commas".into(),
            Self::Policy => "a policy in the language of lxc.seccomp.profile".into(),
            Self::Calls => "names of system calls, one in a line, perhaps with what happens to them".into(),
            Self::RawApparmor => "rules of an AppArmor profile, such as deny /srv/** w,".into(),
            Self::RawLxc => "lines like key = value".into(),
            Self::RawIdmap => "lines like both 1000 1000 (the host's ids first)".into(),
            Self::IdmapJson => "an id map as JSON".into(),
            Self::Mac => "an Ethernet address such as 00:16:3e:01:02:03".into(),
            Self::Interface => INTERFACE.into(),
            Self::Address => "an address such as 10.0.0.1:8443, [::]:8443, :8443 or a host name".into(),
            Self::Compressor => {
                "none, squashfs, or a program such as gzip, perhaps with options such as zstd -19".into()
            }
            Self::AboveFour => "a whole number above 4".into(),
            Self::Schedule => "times such as \"0 6 * * 1-5\" or @daily, several between commas".into(),
            Self::SnapshotPattern => {
                "a name such as snap%d or {{ creation_date|date:\"2006-01-02\" }}".into()
            }
            Self::Expiry => "a time to live such as 1M 2H 3d 4w 5m 6y".into(),
            Self::OnlyEmpty(reason) => format!("nothing ({reason})"),
        }
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_module(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('-')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

/// Six pairs of hexadecimal digits with colons between.
pub(crate) fn is_mac(value: &str) -> bool {
    value.split(':').count() == 6
        && value.split(':').all(|pair| pair.len() == 2 && pair.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// As the kernel's `dev_valid_name`: 1 to 15 bytes, not a dot or two, no slash, colon or blank.
pub(crate) fn is_interface(value: &str) -> bool {
    (1..=15).contains(&value.len())
        && value != "."
        && value != ".."
        && !value.starts_with('-')
        && !value.chars().any(|c| matches!(c, '/' | ':') || c.is_whitespace() || c.is_control())
}

fn is_address(value: &str) -> bool {
    let host_good =
        |h: &str| h.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'*'));
    let port_good = |p: &str| is_number(p) && p.parse::<u16>().is_ok();
    if value.parse::<std::net::IpAddr>().is_ok() {
        return true;
    }
    if let Some(rest) = value.strip_prefix('[') {
        return rest.split_once(']').is_some_and(|(address, port)| {
            address.parse::<std::net::Ipv6Addr>().is_ok()
                && (port.is_empty() || port.strip_prefix(':').is_some_and(port_good))
        });
    }
    match value.rsplit_once(':') {
        Some((host, port)) => host_good(host) && port_good(port),
        None => host_good(value),
    }
}
