//! What somebody probably meant who wrote something else.

/// The known word that takes the fewest changes to get to, if there are few enough.
pub(crate) fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Longer words than any key would only cost time.
    if given.len() > 64 {
        return None;
    }
    let most = (given.len() / 4).clamp(1, 3);
    let candidates = known.into_iter().map(|word| (distance(given.as_bytes(), word.as_bytes()), word));
    candidates.filter(|(distance, _)| *distance <= most).min_by_key(|(distance, _)| *distance).map(|(_, w)| w)
}

/// How many letters have to be added, removed, replaced or exchanged with their neighbour.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut least = (above[j] + usize::from(x != y)).min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && x == &b[j - 1] && y == &a[i - 1] {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut above, row);
    }
    above.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_seen_and_other_words_are_not() {
        let known = ["limits.memory", "limits.memory.swap", "limits.cpu", "boot.autostart"];
        let meant = |given| nearest(given, known);
        assert_eq!(meant("limits.memroy"), Some("limits.memory"));
        assert_eq!(meant("limit.cpu"), Some("limits.cpu"));
        assert_eq!(meant("Limits.cpu"), Some("limits.cpu"));
        assert_eq!(meant("boot.autostrat"), Some("boot.autostart"));
        assert_eq!(meant("memory"), None);
        assert_eq!(meant(""), None);
        assert_eq!(meant(&"limits.cpu".repeat(1000)), None);
    }

    #[test]
    fn distances() {
        for (a, b, expected) in [("", "", 0), ("a", "", 1), ("ab", "ba", 1), ("kitten", "sitting", 3)] {
            assert_eq!(distance(a.as_bytes(), b.as_bytes()), expected, "{a} {b}");
        }
    }
}
