//! Extended headers: `length key=value\n`, where the length counts the whole record and the value
//! may contain anything, newlines and zero bytes included.

use super::sparse::Extent;

/// What extended headers say about the next member.
#[derive(Clone, Debug, Default)]
pub(super) struct Pax {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<u64>,
    pub(super) gid: Option<u64>,
    pub(super) mtime: Option<(i64, u32)>,
    pub(super) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) acl_access: Option<Vec<u8>>,
    pub(super) acl_default: Option<Vec<u8>>,
    pub(super) sparse: Sparse,
}

/// What they say about holes: three formats share these keys.
#[derive(Clone, Debug, Default)]
pub(super) struct Sparse {
    pub(super) major: Option<u64>,
    pub(super) minor: Option<u64>,
    pub(super) name: Option<Vec<u8>>,
    pub(super) real_size: Option<u64>,
    /// Formats 0.0 and 0.1; in 1.0 the map is in front of the data.
    pub(super) map: Option<Vec<Extent>>,
    /// Format 0.0 gives offset and length in two records.
    pending_offset: Option<u64>,
}

impl Sparse {
    pub(super) fn is_v1(&self) -> bool {
        self.major == Some(1) && self.minor == Some(0)
    }
}

const XATTR: &[u8] = b"SCHILY.xattr.";

impl Pax {
    /// Adds the records of one extended header. `Err` says what is wrong with them.
    pub(super) fn parse(&mut self, mut data: &[u8]) -> Result<(), &'static str> {
        // A sparse map of format 0.0 starts anew with each header that has one.
        while !data.is_empty() {
            if data.iter().all(|byte| *byte == 0) {
                break;
            }
            let (key, value, rest) = record(data).ok_or("a record of an extended header is malformed")?;
            self.set(key, value)?;
            data = rest;
        }
        Ok(())
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), &'static str> {
        match key {
            b"path" => self.path = Some(value.to_vec()),
            b"linkpath" => self.link = Some(value.to_vec()),
            b"size" => self.size = Some(number(value)?),
            b"uid" => self.uid = Some(number(value)?),
            b"gid" => self.gid = Some(number(value)?),
            b"mtime" => self.mtime = Some(time(value)?),
            b"SCHILY.acl.access" => self.acl_access = Some(value.to_vec()),
            b"SCHILY.acl.default" => self.acl_default = Some(value.to_vec()),
            _ if key.starts_with(XATTR) => {
                let name = key[XATTR.len()..].to_vec();
                self.xattrs.retain(|(known, _)| *known != name);
                self.xattrs.push((name, value.to_vec()));
            }
            _ if key.starts_with(b"GNU.sparse.") => self.sparse.set(&key[b"GNU.sparse.".len()..], value)?,
            // Anything else does not change what ends up on disk.
            _ => {}
        }
        Ok(())
    }
}

impl Sparse {
    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), &'static str> {
        match key {
            b"major" => self.major = Some(number(value)?),
            b"minor" => self.minor = Some(number(value)?),
            b"name" => self.name = Some(value.to_vec()),
            b"size" | b"realsize" => self.real_size = Some(number(value)?),
            b"offset" => self.pending_offset = Some(number(value)?),
            b"numbytes" => {
                let offset =
                    self.pending_offset.take().ok_or("a sparse map has a length without an offset")?;
                self.map.get_or_insert_default().push(Extent { offset, length: number(value)? });
            }
            b"map" => {
                let numbers: Vec<u64> = value
                    .split(|b| *b == b',')
                    .filter(|n| !n.is_empty())
                    .map(number)
                    .collect::<Result<_, _>>()?;
                if !numbers.len().is_multiple_of(2) {
                    return Err("a sparse map has an offset without a length");
                }
                let extent = |pair: &[u64]| Extent { offset: pair[0], length: pair[1] };
                self.map = Some(numbers.chunks_exact(2).map(extent).collect());
            }
            _ => {}
        }
        Ok(())
    }
}

/// The first record: key, value, and what follows.
fn record(data: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = data.iter().position(|byte| *byte == b' ')?;
    let length = usize::try_from(number(&data[..space]).ok()?).ok()?;
    let record = data.get(space + 1..length)?;
    let (newline, record) = record.split_last()?;
    let equals = record.iter().position(|byte| *byte == b'=')?;
    (*newline == b'\n').then(|| (&record[..equals], &record[equals + 1..], &data[length..]))
}

pub(super) fn number(text: &[u8]) -> Result<u64, &'static str> {
    let text = std::str::from_utf8(text).map_err(|_| "a number is not one")?;
    text.trim().parse().map_err(|_| "a number is not one")
}

/// Decimal seconds, maybe negative, maybe with a fraction of any length.
fn time(text: &[u8]) -> Result<(i64, u32), &'static str> {
    let wrong = "a time is not one";
    let text = std::str::from_utf8(text).map_err(|_| wrong)?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let negative = whole.starts_with('-');
    let seconds: i64 = whole.parse().map_err(|_| wrong)?;
    let mut nanos: u32 = 0;
    for position in 0..9 {
        let digit = match fraction.as_bytes().get(position) {
            None => 0,
            Some(digit @ b'0'..=b'9') => u32::from(digit - b'0'),
            Some(_) => return Err(wrong),
        };
        nanos = nanos * 10 + digit;
    }
    if negative && nanos > 0 {
        return Ok((seconds.checked_sub(1).ok_or(wrong)?, 1_000_000_000 - nanos));
    }
    Ok((seconds, nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record_of(key: &str, value: &[u8]) -> Vec<u8> {
        let body = key.len() + value.len() + 3;
        let mut length = body + 1;
        while length != body + length.to_string().len() {
            length = body + length.to_string().len();
        }
        [length.to_string().as_bytes(), b" ", key.as_bytes(), b"=", value, b"\n"].concat()
    }

    #[test]
    fn values_may_hold_newlines_and_zeros() {
        let value = b"\x01\n\x00=\n 12 path=/x\n";
        let mut data = record_of("SCHILY.xattr.security.capability", value);
        data.extend(record_of("path", b"a\nb"));
        let mut pax = Pax::default();
        pax.parse(&data).unwrap();
        assert_eq!(pax.xattrs, [(b"security.capability".to_vec(), value.to_vec())]);
        assert_eq!(pax.path.unwrap(), b"a\nb");
    }

    #[test]
    fn times_have_fractions_and_signs() {
        assert_eq!(time(b"12"), Ok((12, 0)));
        assert_eq!(time(b"12.5"), Ok((12, 500_000_000)));
        assert_eq!(time(b"1.0000000019"), Ok((1, 1)));
        assert_eq!(time(b"-1.25"), Ok((-2, 750_000_000)));
        assert_eq!(time(b"-0.25"), Ok((-1, 750_000_000)));
        for wrong in ["", "x", "1.x", "99999999999999999999"] {
            assert!(time(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn broken_records_are_refused() {
        for wrong in [&b"5 a=b"[..], b"6 a=b", b"x a=b\n", b"999 a=b\n", b"5 ab\n", b"0 a=b\n", b" a=b\n"] {
            assert!(Pax::default().parse(wrong).is_err(), "{wrong:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(data: Vec<u8>) {
            let _ = Pax::default().parse(&data);
        }
    }
}
