//! The beginning of a stream of `rbd export-diff`: between which snapshots it leads.
//!
//! See `doc/dev/rbd-diff.rst` of Ceph: a line that names the format, then records of a tag, a length and
//! a text; those that are read here come before all data.

use std::io::{self, ErrorKind, Read};

/// Longest name that is believed, in bytes.
const LONGEST: u64 = 4096;

/// The beginning of a stream.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Header {
    /// The bytes as they came.
    pub(super) bytes: Vec<u8>,
    /// The snapshot that the receiver must have; `None`: the stream has everything.
    pub(super) from: Option<String>,
    /// The snapshot that the receiver will have.
    pub(super) to: Option<String>,
}

impl Header {
    /// Reads up to the size of the device, which comes after the names.
    pub(super) fn read(mut stream: impl Read) -> io::Result<Self> {
        let mut header = Self::default();
        let wide = match header.take(&mut stream, 12)? {
            b"rbd diff v1\n" => false,
            b"rbd diff v2\n" => true,
            _ => return Err(broken("it is no stream of rbd")),
        };
        loop {
            let tag = header.take(&mut stream, 1)?[0];
            if wide {
                header.take(&mut stream, 8)?;
            }
            match tag {
                b'f' => header.from = Some(header.text(&mut stream)?),
                b't' => header.to = Some(header.text(&mut stream)?),
                // Whatever else comes is for the program.
                _ => return Ok(header),
            }
        }
    }

    fn take(&mut self, stream: &mut impl Read, count: u64) -> io::Result<&[u8]> {
        let before = self.bytes.len();
        let read = stream.take(count).read_to_end(&mut self.bytes)?;
        if u64::try_from(read) != Ok(count) {
            return Err(broken("it ends too early"));
        }
        Ok(&self.bytes[before..])
    }

    fn text(&mut self, stream: &mut impl Read) -> io::Result<String> {
        let length = self.take(stream, 4)?;
        let length = length.iter().rev().fold(0, |sum, byte| (sum << 8) | u64::from(*byte));
        if length > LONGEST {
            return Err(broken("it names a snapshot that is too long"));
        }
        let text = self.take(stream, length)?.to_vec();
        String::from_utf8(text).map_err(|_| broken("it names a snapshot that is no text"))
    }
}

fn broken(why: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_are_named_before_the_data() {
        let text = |tag: char, text: &str| {
            let mut bytes = vec![u8::try_from(tag).unwrap()];
            bytes.extend(u32::try_from(text.len()).unwrap().to_le_bytes());
            bytes.extend(text.bytes());
            bytes
        };
        let mut stream = b"rbd diff v1\n".to_vec();
        stream.extend(text('f', "snapshot_a"));
        stream.extend(text('t', "snapshot_b"));
        stream.push(b's');
        let begun = stream.clone();
        stream.extend(67_108_864_u64.to_le_bytes());
        stream.extend(b"w data");
        let mut rest = stream.as_slice();
        let header = Header::read(&mut rest).unwrap();
        assert_eq!((header.from.as_deref(), header.to.as_deref()), (Some("snapshot_a"), Some("snapshot_b")));
        assert_eq!(header.bytes, begun);
        assert_eq!(stream.len(), begun.len() + rest.len());

        let whole = [b"rbd diff v1\n".as_slice(), &text('t', "x"), b"s"].concat();
        let header = Header::read(whole.as_slice()).unwrap();
        assert_eq!((header.from, header.to.as_deref()), (None, Some("x")));
    }

    #[test]
    fn anything_else_is_refused() {
        for stream in [
            &b""[..],
            b"rbd diff v1",
            b"rbd diff v3\ns",
            b"rbd diff v1\nt\xff\xff\xff\xff",
            b"rbd diff v1\nt\x01\x00\x00\x00\xff",
        ] {
            assert!(Header::read(stream).is_err(), "{stream:?}");
        }
    }
}
