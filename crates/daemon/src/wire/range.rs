//! The `Range` header (RFC 9110 §14): one run of bytes. Several runs are answered with the whole.

use http::{HeaderMap, header};

/// A part of a file that it does not have.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("The file has {size} bytes, so the range '{range}' is not in it")]
pub(crate) struct RangeError {
    range: String,
    size: u64,
}

/// Some of a file's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    /// The first byte.
    pub(crate) start: u64,
    /// How many.
    pub(crate) length: u64,
}

impl Range {
    /// What part of a file of `size` bytes is asked for; `None`: all of it.
    ///
    /// # Errors
    /// A part that is not there.
    pub(crate) fn requested(headers: &HeaderMap, size: u64) -> Result<Option<Self>, RangeError> {
        let text = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
        let Some(set) = text.and_then(|text| text.trim().strip_prefix("bytes=")) else {
            return Ok(None);
        };
        let Some((first, last)) = set.split_once('-').filter(|_| !set.contains(',')) else {
            return Ok(None);
        };
        let outside = || RangeError { range: set.to_owned(), size };
        let (start, end) = match (first.trim().parse::<u64>(), last.trim().parse::<u64>()) {
            (Ok(start), Ok(last)) if start <= last => (start, last.saturating_add(1).min(size)),
            (Ok(start), Err(_)) if last.trim().is_empty() => (start, size),
            (Err(_), Ok(count)) if first.trim().is_empty() && count > 0 => (size.saturating_sub(count), size),
            _ => return Ok(None),
        };
        if start >= end {
            return Err(outside());
        }
        Ok(Some(Self { start, length: end - start }))
    }

    /// The `Content-Range` of the answer.
    pub(crate) fn content_range(self, size: u64) -> String {
        format!("bytes {}-{}/{size}", self.start, self.start + self.length - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requested(range: &str) -> Result<Option<Range>, RangeError> {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, range.parse().unwrap());
        Range::requested(&headers, 10)
    }

    #[test]
    fn one_run_of_bytes() {
        let range = |start, length| Ok(Some(Range { start, length }));
        assert_eq!(requested("bytes=0-3"), range(0, 4));
        assert_eq!(requested("bytes=4-"), range(4, 6));
        assert_eq!(requested("bytes=-3"), range(7, 3));
        assert_eq!(requested("bytes=-30"), range(0, 10));
        assert_eq!(requested("bytes=8-99"), range(8, 2));
        assert_eq!(Range { start: 4, length: 6 }.content_range(10), "bytes 4-9/10");
    }

    #[test]
    fn what_is_not_understood_means_everything() {
        for text in ["lines=1-2", "bytes=1-2,4-5", "bytes=5-2", "bytes=a-b", "bytes=-", "bytes=-0"] {
            assert_eq!(requested(text), Ok(None), "{text}");
        }
        assert_eq!(Range::requested(&HeaderMap::new(), 10), Ok(None));
    }

    #[test]
    fn what_is_behind_the_end_is_refused() {
        assert!(requested("bytes=10-").is_err());
        assert!(requested("bytes=11-12").is_err());
    }
}
