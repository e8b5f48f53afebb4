//! Dates as tables and texts show them, in UTC.

use api::Time;

/// `2016/03/20 02:11 UTC`, or nothing for "never".
pub(crate) fn short(time: Time) -> String {
    format("%Y/%m/%d %H:%M UTC", time)
}

/// `Mar 30, 2016 at 4:36am (UTC)`, or nothing for "never".
pub(crate) fn long(time: Time) -> String {
    format("%b %-d, %Y at %-I:%M%P (UTC)", time)
}

fn format(pattern: &str, time: Time) -> String {
    if time.is_set() { time.0.strftime(pattern).to_string() } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms() {
        let time = Time::from_unix(1_459_312_560);
        assert_eq!(short(time), "2016/03/30 04:36 UTC");
        assert_eq!(long(time), "Mar 30, 2016 at 4:36am (UTC)");
        assert_eq!(short(Time::UNSET), "");
    }
}
