//! The last bytes of a stream.

use std::collections::VecDeque;

/// Keeps the last `capacity` bytes that were pushed. Takes memory only for what is there.
#[derive(Debug)]
pub(super) struct Ring {
    bytes: VecDeque<u8>,
    capacity: usize,
}

impl Ring {
    pub(super) fn new(capacity: usize) -> Self {
        Self { bytes: VecDeque::new(), capacity }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        let last = &bytes[bytes.len().saturating_sub(self.capacity)..];
        let excess = (self.bytes.len() + last.len()).saturating_sub(self.capacity);
        self.bytes.drain(..excess);
        self.bytes.extend(last);
    }

    pub(super) fn clear(&mut self) {
        self.bytes = VecDeque::new();
    }

    pub(super) fn to_vec(&self) -> Vec<u8> {
        let (front, back) = self.bytes.as_slices();
        [front, back].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::Ring;

    #[test]
    fn only_the_last_bytes_stay() {
        let mut ring = Ring::new(5);
        ring.push(b"abc");
        assert_eq!(ring.to_vec(), b"abc");
        ring.push(b"defg");
        assert_eq!(ring.to_vec(), b"cdefg");
        ring.push(b"0123456789");
        assert_eq!(ring.to_vec(), b"56789");
        ring.clear();
        assert!(ring.to_vec().is_empty());
    }

    #[test]
    fn a_ring_of_nothing_keeps_nothing() {
        let mut ring = Ring::new(0);
        ring.push(b"abc");
        assert!(ring.to_vec().is_empty());
    }
}
