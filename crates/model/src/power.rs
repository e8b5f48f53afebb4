//! Whether a container was running when it was last seen: `volatile.last_state.power`.

/// Where it is kept.
pub const KEY: &str = "volatile.last_state.power";

/// The last power state of a container. What the value says beyond this ("FROZEN" and
/// other states of a container that has processes) is running.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LastPower {
    /// It ran, or never was stopped on purpose: start it with the host.
    Running,
    /// Its processes were frozen.
    Frozen,
    /// It was stopped, or has never run.
    #[default]
    Stopped,
}

impl LastPower {
    /// Reads the value of [`KEY`]; what is absent, empty or unknown is `Stopped`.
    #[must_use]
    pub fn parse(value: Option<&str>) -> Self {
        match value {
            Some(v) if v.eq_ignore_ascii_case("RUNNING") => Self::Running,
            Some(v) if v.eq_ignore_ascii_case("FROZEN") => Self::Frozen,
            _ => Self::Stopped,
        }
    }

    /// The value to store.
    #[must_use]
    pub const fn value(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Frozen => "FROZEN",
            Self::Stopped => "STOPPED",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_lead_back_and_nonsense_does_not_start_anything() {
        for power in [LastPower::Running, LastPower::Frozen, LastPower::Stopped] {
            assert_eq!(LastPower::parse(Some(power.value())), power);
        }
        assert_eq!(LastPower::parse(None), LastPower::Stopped);
        assert_eq!(LastPower::parse(Some("")), LastPower::Stopped);
        assert_eq!(LastPower::parse(Some("BROKEN")), LastPower::Stopped);
    }
}
