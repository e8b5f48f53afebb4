//! Maps of the parts of a file that are not holes.

use super::pax::number;

/// Most parts that one file may have: a map of that many is 4 MiB in memory.
pub(crate) const MAX_EXTENTS: usize = 256 * 1024;

/// A run of data in a file with holes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Where it begins in the file.
    pub(crate) offset: u64,
    /// How many bytes.
    pub(crate) length: u64,
}

/// Checks that parts follow each other inside the file and are as long together as what is stored.
pub(super) fn check(extents: &[Extent], real_size: u64, stored: u64) -> Result<(), &'static str> {
    let mut end = 0;
    let mut sum = 0u64;
    for extent in extents {
        if extent.offset < end {
            return Err("a sparse file has parts that overlap");
        }
        end = extent.offset.checked_add(extent.length).ok_or("a sparse file has a part beyond all sizes")?;
        sum = sum.checked_add(extent.length).ok_or("a sparse file has parts beyond all sizes")?;
    }
    if end > real_size {
        return Err("a sparse file has a part beyond its end");
    }
    if sum != stored {
        return Err("a sparse file has other data than its map says");
    }
    Ok(())
}

/// Takes apart the map that PAX format 1.0 puts in front of the data: decimal numbers, one per
/// line; the first says how many pairs follow. Fed block by block.
#[derive(Default)]
pub(super) struct MapText {
    count: Option<usize>,
    digits: Vec<u8>,
    offset: Option<u64>,
    extents: Vec<Extent>,
}

impl MapText {
    /// Adds a block. True when the map is complete; the rest of that block is padding.
    pub(super) fn feed(&mut self, block: &[u8]) -> Result<bool, &'static str> {
        for byte in block {
            if *byte != b'\n' {
                if self.digits.len() >= 20 {
                    return Err("a sparse map has a number beyond all sizes");
                }
                self.digits.push(*byte);
                continue;
            }
            let value = number(&self.digits)?;
            self.digits.clear();
            match (self.count, self.offset.take()) {
                (None, _) => {
                    let count = usize::try_from(value).unwrap_or(usize::MAX);
                    if count > MAX_EXTENTS {
                        return Err("a sparse file has too many parts");
                    }
                    self.count = Some(count);
                }
                (Some(_), None) => self.offset = Some(value),
                (Some(_), Some(offset)) => self.extents.push(Extent { offset, length: value }),
            }
            if self.count == Some(self.extents.len()) && self.offset.is_none() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) fn finish(self) -> Vec<Extent> {
        self.extents
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_may_span_blocks() {
        let mut map = MapText::default();
        assert_eq!(map.feed(b"2\n0\n5\n10"), Ok(false));
        assert_eq!(map.feed(b"24\n7\n\0\0\0"), Ok(true));
        let expected = [Extent { offset: 0, length: 5 }, Extent { offset: 1024, length: 7 }];
        assert_eq!(map.finish(), expected);
        assert_eq!(MapText::default().feed(b"0\n"), Ok(true));
        assert!(MapText::default().feed(b"99999999\n").is_err());
        assert!(MapText::default().feed(b"000000000000000000000000000000").is_err());
    }

    #[test]
    fn maps_that_lie_are_refused() {
        let e = |offset, length| Extent { offset, length };
        assert_eq!(check(&[e(0, 5), e(10, 5)], 20, 10), Ok(()));
        assert!(check(&[e(0, 5), e(4, 5)], 20, 10).is_err());
        assert!(check(&[e(0, 5)], 4, 5).is_err());
        assert!(check(&[e(0, 5)], 5, 6).is_err());
        assert!(check(&[e(u64::MAX, 5)], 5, 5).is_err());
    }
}
