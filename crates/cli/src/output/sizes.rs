//! Sizes as texts show them: steps of 1024, two digits.

/// `0 bytes`, `9.57kB`, `106.79MB`.
pub(crate) fn bytes(count: i64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if count < 1024 {
        return format!("{count} bytes");
    }
    let mut value = count as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.2}{}", UNITS[unit])
}

/// As [`bytes`], for what is never below zero.
pub(crate) fn unsigned(count: u64) -> String {
    bytes(i64::try_from(count).unwrap_or(i64::MAX))
}

/// `118.17MB`, whatever the size.
pub(crate) fn megabytes(count: i64) -> String {
    format!("{:.2}MB", count as f64 / 1024.0 / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps() {
        assert_eq!(bytes(570), "570 bytes");
        assert_eq!(bytes(124 * 1024), "124.00kB");
        assert_eq!(bytes(847_327_232), "808.07MB");
        assert_eq!(bytes(i64::MAX), "8.00EB");
        assert_eq!(megabytes(828_375), "0.79MB");
    }
}
