//! The typed form of an expanded configuration: read once, then used as types.

use super::{Config, ConfigError, Limits, Priority, RawLxc, check::excerpt, find, get, is_true};
use crate::idmap::RawMapping;
use crate::power::{self, LastPower};
use crate::units::{CpuAllowance, CpuLimit, MemoryLimit, UnitError};
use std::time::Duration;

/// What an expanded configuration says, for the keys that this version acts on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    /// `boot.autorestart`.
    pub autorestart: bool,
    /// `boot.autostart`; `None`: as it was when last seen.
    pub autostart: Option<bool>,
    /// `boot.autostart.delay`.
    pub autostart_delay: Duration,
    /// `boot.autostart.priority`: the highest first.
    pub autostart_priority: i64,
    /// `boot.host_shutdown_timeout`.
    pub host_shutdown_timeout: Duration,
    /// `boot.stop.priority`: the highest first.
    pub stop_priority: i64,
    /// `environment.*`, sorted by name, without the prefix.
    pub environment: Vec<(String, String)>,
    /// `limits.*`.
    pub limits: Limits,
    /// `linux.kernel_modules`.
    pub kernel_modules: Vec<String>,
    /// `security.privileged`.
    pub privileged: bool,
    /// `security.nesting`.
    pub nesting: bool,
    /// `raw.lxc`; what it says about ids is in `idmapping`.
    pub raw_lxc: RawLxc,
    /// `raw.apparmor`: lines added to its profile.
    pub raw_apparmor: String,
    /// What is said about ids.
    pub idmapping: Idmapping,
    /// What is said about system calls.
    pub syscalls: Syscalls,
    /// `volatile.last_state.power`.
    pub last_power: LastPower,
}

/// What a configuration says about ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Idmapping {
    /// `security.idmap.isolated`.
    pub isolated: bool,
    /// `security.idmap.base`.
    pub base: Option<u32>,
    /// `security.idmap.size`.
    pub size: Option<u32>,
    /// `raw.idmap`, then `lxc.idmap`.
    pub raw: Vec<RawMapping>,
}

/// What a configuration says about system calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Syscalls {
    /// `raw.seccomp`: the whole policy.
    Raw(String),
    /// `security.syscalls.whitelist`: the lines that are allowed.
    Whitelist(String),
    /// Everything but these.
    Blacklist {
        /// The usual dangerous ones.
        default: bool,
        /// Those of the compatible 32-bit architecture.
        compat: bool,
        /// `security.syscalls.blacklist`: further lines.
        lines: String,
    },
}

impl Syscalls {
    /// True if nothing at all is filtered.
    #[must_use]
    pub const fn is_unfiltered(&self) -> bool {
        matches!(self, Self::Blacklist { default: false, compat: false, lines } if lines.is_empty())
    }
}

/// A value of `limits.kernel.*`; `None` is "unlimited".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rlimit {
    /// `nofile`, `nproc`, …
    pub name: String,
    /// What is enforced.
    pub soft: Option<u64>,
    /// How far the soft limit can be raised.
    pub hard: Option<u64>,
}

impl Rlimit {
    /// Reads `soft:hard`, one number for both, or `unlimited` in place of either.
    #[must_use]
    pub fn parse(name: &str, value: &str) -> Option<Self> {
        let (soft, hard) = value.split_once(':').unwrap_or((value, value));
        let amount = |text: &str| match text {
            "unlimited" => Some(None),
            _ if text.starts_with('+') => None,
            _ => text.parse().ok().map(Some),
        };
        let (soft, hard) = (amount(soft)?, amount(hard)?);
        // The kernel refuses a soft limit above the hard one.
        let fits = hard.is_none_or(|hard| soft.is_some_and(|soft| soft <= hard));
        fits.then(|| Self { name: name.to_owned(), soft, hard })
    }
}

impl Effective {
    /// Reads an expanded configuration. Keys that are not known are passed over: a database that
    /// a newer version has written must not keep containers from starting.
    ///
    /// # Errors
    /// For a value that its key cannot have.
    pub fn parse(config: &Config) -> Result<Self, ConfigError> {
        let read = Reader { config };
        Ok(Self {
            autorestart: read.bool("boot.autorestart")?.unwrap_or(false),
            autostart: read.bool("boot.autostart")?,
            autostart_delay: read.seconds("boot.autostart.delay", 0)?,
            autostart_priority: read.int("boot.autostart.priority")?.unwrap_or(0),
            host_shutdown_timeout: read.seconds("boot.host_shutdown_timeout", 30)?,
            stop_priority: read.int("boot.stop.priority")?.unwrap_or(0),
            environment: read.family("environment."),
            limits: read.limits()?,
            kernel_modules: read.list("linux.kernel_modules")?,
            privileged: read.bool("security.privileged")?.unwrap_or(false),
            nesting: read.bool("security.nesting")?.unwrap_or(false),
            raw_lxc: read.raw_lxc()?,
            raw_apparmor: read.value("raw.apparmor")?.unwrap_or_default().to_owned(),
            idmapping: Idmapping {
                isolated: read.bool("security.idmap.isolated")?.unwrap_or(false),
                base: read.parsed("security.idmap.base")?,
                size: read.parsed("security.idmap.size")?,
                raw: read.raw_idmap()?,
            },
            syscalls: read.syscalls()?,
            last_power: LastPower::parse(get(config, power::KEY)),
        })
    }
}

struct Reader<'a> {
    config: &'a Config,
}

impl Reader<'_> {
    /// The value, checked by its row of the table.
    fn value(&self, key: &str) -> Result<Option<&str>, ConfigError> {
        let Some(value) = get(self.config, key) else { return Ok(None) };
        if let Some(Err(reason)) = find(key).map(|row| row.grammar.check(value)) {
            return Err(self.invalid(key, value, reason));
        }
        Ok(Some(value))
    }

    fn invalid(&self, key: &str, value: &str, reason: String) -> ConfigError {
        ConfigError::InvalidValue { key: key.to_owned(), value: excerpt(value), reason }
    }

    fn bool(&self, key: &str) -> Result<Option<bool>, ConfigError> {
        Ok(self.value(key)?.map(is_true))
    }

    fn parsed<T: std::str::FromStr>(&self, key: &str) -> Result<Option<T>, ConfigError>
    where
        T::Err: std::fmt::Display,
    {
        let Some(value) = self.value(key)? else { return Ok(None) };
        value.parse().map(Some).map_err(|e: T::Err| self.invalid(key, value, e.to_string()))
    }

    fn int(&self, key: &str) -> Result<Option<i64>, ConfigError> {
        self.parsed(key)
    }

    /// Below zero counts as none.
    fn seconds(&self, key: &str, default: u64) -> Result<Duration, ConfigError> {
        let seconds = self.int(key)?.map_or(default, |s| u64::try_from(s).unwrap_or(0));
        Ok(Duration::from_secs(seconds))
    }

    fn limits(&self) -> Result<Limits, ConfigError> {
        Ok(Limits {
            cpu: self.unit("limits.cpu", CpuLimit::parse)?,
            cpu_allowance: self.unit("limits.cpu.allowance", CpuAllowance::parse)?,
            cpu_priority: self.priority("limits.cpu.priority")?.unwrap_or(Priority::MAX),
            disk_priority: self.priority("limits.disk.priority")?,
            memory: self.unit("limits.memory", MemoryLimit::parse)?,
            memory_hard: self.value("limits.memory.enforce")? != Some("soft"),
            swap: self.bool("limits.memory.swap")?.unwrap_or(true),
            swap_priority: self.priority("limits.memory.swap.priority")?,
            network_priority: self.priority("limits.network.priority")?,
            processes: self.parsed("limits.processes")?,
            kernel: self.rlimits()?,
        })
    }

    fn unit<T>(
        &self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, UnitError>,
    ) -> Result<Option<T>, ConfigError> {
        let Some(value) = self.value(key)? else { return Ok(None) };
        parse(value).map(Some).map_err(|e| self.invalid(key, value, format!("use {}", e.allowed)))
    }

    fn priority(&self, key: &str) -> Result<Option<Priority>, ConfigError> {
        Ok(self.value(key)?.and_then(Priority::parse))
    }

    fn rlimits(&self) -> Result<Vec<Rlimit>, ConfigError> {
        let limits = self.family("limits.kernel.");
        let parse = |(name, value): (String, String)| {
            let key = format!("limits.kernel.{name}");
            let reason = "use a number, unlimited, or soft and hard limit such as 1000:2000";
            Rlimit::parse(&name, &value).ok_or_else(|| self.invalid(&key, &value, reason.to_owned()))
        };
        limits.into_iter().map(parse).collect()
    }

    /// Names with commas between.
    fn list(&self, key: &str) -> Result<Vec<String>, ConfigError> {
        let names = self.value(key)?.unwrap_or_default().split(',').map(str::trim);
        Ok(names.filter(|name| !name.is_empty()).map(ToOwned::to_owned).collect())
    }

    fn family(&self, prefix: &str) -> Vec<(String, String)> {
        let pairs = self.config.iter().filter(|(_, value)| !value.is_empty());
        pairs.filter_map(|(k, v)| Some((k.strip_prefix(prefix)?.to_owned(), v.clone()))).collect()
    }

    fn raw_idmap(&self) -> Result<Vec<RawMapping>, ConfigError> {
        let value = get(self.config, "raw.idmap").unwrap_or_default();
        let mut raw =
            RawMapping::parse(value).map_err(|e| self.invalid("raw.idmap", value, e.to_string()))?;
        raw.extend(self.raw_lxc()?.idmap);
        Ok(raw)
    }

    fn raw_lxc(&self) -> Result<RawLxc, ConfigError> {
        let value = get(self.config, "raw.lxc").unwrap_or_default();
        super::parse_raw_lxc(value).map_err(|e| self.invalid("raw.lxc", value, e.to_string()))
    }

    fn syscalls(&self) -> Result<Syscalls, ConfigError> {
        let text = |key| get(self.config, key).map(ToOwned::to_owned);
        if let Some(policy) = text("raw.seccomp") {
            return Ok(Syscalls::Raw(policy));
        }
        // The later names first: who sets both has learnt them last.
        let either = |new, old| text(new).or_else(|| text(old));
        if let Some(lines) = either("security.syscalls.allow", "security.syscalls.whitelist") {
            return Ok(Syscalls::Whitelist(lines));
        }
        Ok(Syscalls::Blacklist {
            default: match self.bool("security.syscalls.deny_default")? {
                Some(default) => default,
                None => self.bool("security.syscalls.blacklist_default")?.unwrap_or(true),
            },
            compat: match self.bool("security.syscalls.deny_compat")? {
                Some(compat) => compat,
                None => self.bool("security.syscalls.blacklist_compat")?.unwrap_or(false),
            },
            lines: either("security.syscalls.deny", "security.syscalls.blacklist").unwrap_or_default(),
        })
    }
}
