//! How long a snapshot stays: `1M 2H 3d 4w 5m 6y`.

use jiff::civil::DateTime;
use jiff::{Span, ToSpan as _};

/// How long a snapshot stays.
#[derive(Clone, Copy, Debug)]
pub struct Expiry(Span);

/// Why a text says no time to live.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{part:?} is no time to live; use numbers with units, such as 1M 2H 3d 4w 5m 6y (minutes, hours, days, weeks, months, years), each unit once"
)]
pub struct ExpiryError {
    part: String,
}

impl Expiry {
    /// Reads numbers with units between blanks; each unit may be said once.
    ///
    /// # Errors
    /// [`ExpiryError`] names the part that is wrong.
    pub fn parse(text: &str) -> Result<Self, ExpiryError> {
        let mut span = Span::new();
        let mut seen = String::new();
        for part in text.split_whitespace() {
            let bad = || ExpiryError { part: part.to_owned() };
            let unit = part.chars().last().ok_or_else(bad)?;
            let digits = part.strip_suffix(unit).unwrap_or_default();
            if seen.contains(unit) || digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
                return Err(bad());
            }
            seen.push(unit);
            let number: i64 = digits.parse().map_err(|_| bad())?;
            span = match unit {
                'M' => span.try_minutes(number),
                'H' => span.try_hours(number),
                'd' => span.try_days(number),
                'w' => span.try_weeks(number),
                'm' => span.try_months(number),
                'y' => span.try_years(number),
                _ => return Err(bad()),
            }
            .map_err(|_| bad())?;
        }
        if span.is_zero() { Err(ExpiryError { part: text.to_owned() }) } else { Ok(Self(span)) }
    }

    /// The end of the life of what begins at `start`: years and months by the calendar first, the
    /// last day of a month standing for the days that it lacks. The end of all times if that is
    /// beyond it.
    #[must_use]
    pub fn after(&self, start: DateTime) -> DateTime {
        let days = self.0.get_days();
        let calendar = Span::new().years(self.0.get_years()).months(self.0.get_months());
        let moved = start
            .checked_add(calendar)
            .and_then(|time| time.checked_add(self.0.get_weeks().weeks()))
            .and_then(|time| time.checked_add(days.days()))
            .and_then(|time| time.checked_add(self.0.get_hours().hours()))
            .and_then(|time| time.checked_add(self.0.get_minutes().minutes()));
        moved.unwrap_or(DateTime::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::datetime;

    #[test]
    fn every_unit_counts() {
        let start = datetime(2024, 1, 31, 10, 0, 0, 0);
        let after = |text: &str| Expiry::parse(text).unwrap().after(start).to_string();
        assert_eq!(after("1M"), "2024-01-31T10:01:00");
        assert_eq!(after("2H"), "2024-01-31T12:00:00");
        assert_eq!(after("3d"), "2024-02-03T10:00:00");
        assert_eq!(after("4w"), "2024-02-28T10:00:00");
        assert_eq!(after("1m"), "2024-02-29T10:00:00");
        assert_eq!(after("6y"), "2030-01-31T10:00:00");
        assert_eq!(after("1M 2H 3d 4w 5m 6y"), "2030-07-31T12:01:00");
        assert_eq!(after("9000y"), DateTime::MAX.to_string());
    }

    #[test]
    fn what_is_no_time_to_live_is_refused() {
        for text in ["", "5", "d", "1x", "-1d", "1.5d", "1d 1d", "1 d", "0d", "99999999999999999999d", "1dd"]
        {
            assert!(Expiry::parse(text).is_err(), "{text}");
        }
    }
}
