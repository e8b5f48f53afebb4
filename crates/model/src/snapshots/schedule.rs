//! When snapshots are taken: the five fields of `crontab(5)`, or words such as `@daily`, several
//! of them between commas.

use jiff::ToSpan as _;
use jiff::civil::{DateTime, Time};

/// When snapshots are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule(Vec<Line>);

/// Why a text is no schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{part:?} is no time of a schedule; use minute, hour, day of the month, month and day of the week such as \"0 6 * * 1-5\", or @hourly, @daily, @midnight, @weekly, @monthly, @annually, @yearly or @never, several of them between commas"
)]
pub struct ScheduleError {
    part: String,
}

/// One line of `crontab(5)`: bit n of a field is set if it holds for n.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Line {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Day of the month and of the week are both restricted: either is enough then.
    either_day: bool,
}

/// How far the search for the next time goes: the 29th of February comes within eight years.
const HORIZON_YEARS: i64 = 9;

impl Schedule {
    /// Reads a schedule; of several lines each counts.
    ///
    /// # Errors
    /// [`ScheduleError`] names the part that is wrong.
    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        let mut lines = Vec::new();
        for part in parts(text) {
            let spelled = match part.to_ascii_lowercase().as_str() {
                "@never" => continue,
                "@hourly" => "0 * * * *",
                "@daily" | "@midnight" => "0 0 * * *",
                "@weekly" => "0 0 * * 0",
                "@monthly" => "0 0 1 * *",
                "@annually" | "@yearly" => "0 0 1 1 *",
                _ => part,
            };
            lines.push(Line::parse(spelled).ok_or_else(|| ScheduleError { part: part.to_owned() })?);
        }
        Ok(Self(lines))
    }

    /// The first time after `after` (whole minutes) that is in the schedule, if there is one.
    #[must_use]
    pub fn next(&self, after: DateTime) -> Option<DateTime> {
        self.0.iter().filter_map(|line| line.next(after)).min()
    }
}

/// Lines are divided by commas, and so are the values within a field: only there no blank follows.
fn parts(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, _) in text.match_indices(',') {
        let (before, after) = (text[start..at].trim(), &text[at + 1..]);
        let divides = before.starts_with('@')
            || after.is_empty()
            || after.starts_with(|c: char| c == '@' || c.is_whitespace());
        if divides {
            parts.push(before);
            start = at + 1;
        }
    }
    parts.push(text[start..].trim());
    parts
}

impl Line {
    fn parse(text: &str) -> Option<Self> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = fields.as_slice() else { return None };
        let week = field(weekdays, 0, 7, &WEEKDAYS)?;
        Some(Self {
            minutes: field(minutes, 0, 59, &[])?,
            hours: field(hours, 0, 23, &[])?,
            days: field(days, 1, 31, &[])?,
            months: field(months, 1, 12, &MONTHS)?,
            // Sunday is 0 and 7.
            weekdays: (week | week >> 7) & 0x7f,
            either_day: !days.starts_with('*') && !weekdays.starts_with('*'),
        })
    }

    fn is_day(&self, time: DateTime) -> bool {
        let day = has(self.days, time.day());
        let weekday = has(self.weekdays, time.weekday().to_sunday_zero_offset());
        if self.either_day { day || weekday } else { day && weekday }
    }

    /// Skips whole months, days and hours that are not meant.
    fn next(&self, after: DateTime) -> Option<DateTime> {
        let mut time =
            after.with().second(0).subsec_nanosecond(0).build().ok()?.checked_add(1.minute()).ok()?;
        let end = after.checked_add(HORIZON_YEARS.years()).ok()?;
        while time < end {
            if !has(self.months, time.month()) {
                time = time
                    .first_of_month()
                    .with()
                    .time(Time::midnight())
                    .build()
                    .ok()?
                    .checked_add(1.month())
                    .ok()?;
            } else if !self.is_day(time) {
                time = time.with().time(Time::midnight()).build().ok()?.checked_add(1.day()).ok()?;
            } else if !has(self.hours, time.hour()) {
                time = time.with().minute(0).build().ok()?.checked_add(1.hour()).ok()?;
            } else if !has(self.minutes, time.minute()) {
                time = time.checked_add(1.minute()).ok()?;
            } else {
                return Some(time);
            }
        }
        None
    }
}

const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const MONTHS: [&str; 13] =
    ["", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

fn has(bits: u64, number: i8) -> bool {
    u32::try_from(number).is_ok_and(|number| bits >> number & 1 == 1)
}

/// A list of values, ranges and steps: `*`, `5`, `1-5`, `*/10`, `1-30/2`, `mon-fri`.
fn field(text: &str, low: u32, high: u32, names: &[&str]) -> Option<u64> {
    text.split(',').try_fold(0, |bits, item| Some(bits | values(item, low, high, names)?))
}

fn values(item: &str, low: u32, high: u32, names: &[&str]) -> Option<u64> {
    let (range, step) = match item.split_once('/') {
        Some((range, step)) => (range, number(step, &[])?),
        None => (item, 1),
    };
    let (first, last) = match range.split_once('-') {
        _ if range == "*" => (low, high),
        Some((first, last)) => (number(first, names)?, number(last, names)?),
        // `5/10` is from 5 on.
        None if item.contains('/') => (number(range, names)?, high),
        None => (number(range, names)?, number(range, names)?),
    };
    if step == 0 || first < low || last > high || first > last {
        return None;
    }
    let step = usize::try_from(step).ok()?;
    Some((first..=last).step_by(step).fold(0, |bits, value| bits | 1 << value))
}

fn number(text: &str, names: &[&str]) -> Option<u32> {
    let named = names.iter().position(|name| !name.is_empty() && text.eq_ignore_ascii_case(name));
    match named {
        Some(place) => u32::try_from(place).ok(),
        None if text.len() <= 2 && text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok(),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::datetime;

    /// The next `count` times after noon of Thursday, the 29th of February 2024.
    fn next(text: &str, count: usize) -> Vec<String> {
        let schedule = Schedule::parse(text).unwrap();
        let mut time = datetime(2024, 2, 29, 12, 0, 30, 5);
        let mut times = Vec::new();
        for _ in 0..count {
            let Some(found) = schedule.next(time) else { break };
            times.push(found.strftime("%Y-%m-%d %H:%M").to_string());
            time = found;
        }
        times
    }

    #[test]
    fn fields_mean_what_crontab_says() {
        assert_eq!(next("* * * * *", 2), ["2024-02-29 12:01", "2024-02-29 12:02"]);
        assert_eq!(
            next("*/20 13 * * *", 4),
            ["2024-02-29 13:00", "2024-02-29 13:20", "2024-02-29 13:40", "2024-03-01 13:00"]
        );
        assert_eq!(next("50/5 * * * *", 2), ["2024-02-29 12:50", "2024-02-29 12:55"]);
        assert_eq!(next("0 6 * * 1-5", 2), ["2024-03-01 06:00", "2024-03-04 06:00"]);
        assert_eq!(next("0 6 * * mon,SUN", 2), ["2024-03-03 06:00", "2024-03-04 06:00"]);
        assert_eq!(next("0 0 * * 7", 1), ["2024-03-03 00:00"]);
        assert_eq!(next("30 1 31 * *", 2), ["2024-03-31 01:30", "2024-05-31 01:30"]);
        assert_eq!(next("0 0 29 feb *", 1), ["2028-02-29 00:00"]);
        assert_eq!(next("0 0 13 * 5", 2), ["2024-03-01 00:00", "2024-03-08 00:00"], "either day is enough");
        assert_eq!(next("0 0 31 2 *", 1), Vec::<String>::new());
    }

    #[test]
    fn words_and_several_lines() {
        assert_eq!(next("@hourly", 1), ["2024-02-29 13:00"]);
        assert_eq!(next("@Daily", 1), ["2024-03-01 00:00"]);
        assert_eq!(next("@weekly", 1), ["2024-03-03 00:00"]);
        assert_eq!(next("@monthly", 1), ["2024-03-01 00:00"]);
        assert_eq!(next("@yearly", 1), ["2025-01-01 00:00"]);
        assert_eq!(next("@never", 1), Vec::<String>::new());
        assert_eq!(next("@daily,@weekly", 3), ["2024-03-01 00:00", "2024-03-02 00:00", "2024-03-03 00:00"]);
        assert_eq!(
            next("0,30 13 * * *, 15 12 * * *", 3),
            ["2024-02-29 12:15", "2024-02-29 13:00", "2024-02-29 13:30"]
        );
        assert_eq!(next("0 13 * * *,@hourly", 1), ["2024-02-29 13:00"]);
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        for text in [
            "",
            "@",
            "@sometimes",
            "* * * *",
            "* * * * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "* * * * 8",
            "5-1 * * * *",
            "*/0 * * * *",
            "a * * * *",
            "-1 * * * *",
            "1- * * * *",
            "@daily,",
            "+5 * * * *",
            "*/-5 * * * *",
            "* * * foo *",
        ] {
            assert!(Schedule::parse(text).is_err(), "{text}");
        }
    }
}
