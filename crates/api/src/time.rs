//! Points in time as RFC 3339 text with up to nine digits of a second, trailing zeros cut.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A point in time. Sent as Go writes it: `2016-04-18T22:24:54.469437937Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub jiff::Timestamp);

impl Time {
    /// "Never", as servers write it: the start of 1970.
    pub const UNSET: Self = Self(jiff::Timestamp::UNIX_EPOCH);

    /// The present moment.
    #[must_use]
    pub fn now() -> Self {
        Self(jiff::Timestamp::now())
    }

    /// Seconds since 1970, below zero before it.
    #[must_use]
    pub fn unix(self) -> i64 {
        self.0.as_second()
    }

    /// The time this many seconds after 1970; [`Time::UNSET`] when out of range.
    #[must_use]
    pub fn from_unix(seconds: i64) -> Self {
        jiff::Timestamp::from_second(seconds).map_or(Self::UNSET, Self)
    }

    /// False for the two values that mean "never": 1970 and the year 1.
    #[must_use]
    pub fn is_set(self) -> bool {
        self.unix() > 0
    }
}

impl Default for Time {
    fn default() -> Self {
        Self::UNSET
    }
}

impl std::fmt::Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // jiff prints the shortest exact fraction, which is Go's RFC3339Nano.
        write!(f, "{}", self.0)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?.unwrap_or_default();
        if text.is_empty() {
            return Ok(Self::UNSET);
        }
        text.parse::<jiff::Timestamp>().map(Self).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_written_as_go_writes_it() {
        for text in ["2016-04-18T22:24:54.469437937Z", "2016-04-18T22:24:54Z", "2016-04-18T22:24:54.5Z"] {
            let time: Time = serde_json::from_str(&format!("\"{text}\"")).unwrap();
            assert_eq!(serde_json::to_string(&time).unwrap(), format!("\"{text}\""));
        }
    }

    #[test]
    fn zone_offsets_and_the_year_one_are_read() {
        let time: Time = serde_json::from_str("\"2016-04-18T22:36:20.9+01:00\"").unwrap();
        assert_eq!(time.to_string(), "2016-04-18T21:36:20.9Z");
        let never: Time = serde_json::from_str("\"0001-01-01T00:00:00Z\"").unwrap();
        assert!(!never.is_set());
    }
}
