//! Members of a tar archive into a stream: ustar, and an extended header (`pax(1p)`) in front of
//! what ustar has no room for. Holes stay holes (format 1.0 of GNU tar).

use super::{Extent, Kind, Member};
use std::io::{self, Write};

const BLOCK: usize = 512;
/// Names in the header, and what may stand before their last slashes.
const NAME: usize = 100;
const PREFIX: usize = 155;
/// The largest user or group in the header.
const LARGEST_ID: u32 = 0o7_777_777;
/// The largest size and time in the header.
const LARGEST: u64 = 0o77_777_777_777;
/// The largest extended header that the reader takes, in bytes.
const LARGEST_EXTENDED: usize = 1024 * 1024;

/// Writes an archive.
pub(crate) struct Writer<W> {
    inner: W,
    /// Data of the present member that is still to come.
    left: u64,
    padding: usize,
}

impl<W: Write> Writer<W> {
    /// Writes to `inner`, in small pieces.
    pub(crate) fn new(inner: W) -> Self {
        Self { inner, left: 0, padding: 0 }
    }

    /// Begins a member. Of a file, `real_size` bytes must follow, or as many as its parts have.
    ///
    /// # Errors
    /// `InvalidInput` for attributes beyond all measure; what writing gives.
    pub(crate) fn begin(&mut self, member: &Member) -> io::Result<()> {
        let map = member.sparse.as_deref().map(map_text).unwrap_or_default();
        let stored = match (&member.sparse, member.kind) {
            (Some(extents), _) => extents.iter().map(|extent| extent.length).sum(),
            (None, Kind::File) => member.real_size,
            (None, _) => 0,
        };
        let size = stored + map.len() as u64;
        let mut header = [0; BLOCK];
        let extended = fields(&mut header, member, size);
        if extended.len() > LARGEST_EXTENDED {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "its attributes are too large for an archive",
            ));
        }
        if !extended.is_empty() {
            self.extended(&extended)?;
        }
        self.inner.write_all(&header)?;
        self.inner.write_all(&map)?;
        self.left = stored;
        self.padding = padding(size);
        self.end_of_data()
    }

    /// Adds data of the member that was begun, never more than was said.
    pub(crate) fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.left = self.left.checked_sub(bytes.len() as u64).ok_or(io::ErrorKind::InvalidInput)?;
        self.inner.write_all(bytes)?;
        self.end_of_data()
    }

    /// Ends the archive.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        if self.left > 0 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.inner.write_all(&[0; 2 * BLOCK])?;
        self.inner.flush()?;
        Ok(self.inner)
    }

    fn end_of_data(&mut self) -> io::Result<()> {
        if self.left == 0 && self.padding > 0 {
            self.inner.write_all(&[0; BLOCK][..std::mem::take(&mut self.padding)])?;
        }
        Ok(())
    }

    fn extended(&mut self, records: &[u8]) -> io::Result<()> {
        let mut header = [0; BLOCK];
        put(&mut header, 0, b"././@PaxHeader");
        octal(&mut header[124..136], records.len() as u64);
        for (from, to) in [(100, 108), (108, 116), (116, 124), (136, 148)] {
            octal(&mut header[from..to], 0);
        }
        seal(&mut header, b'x');
        self.inner.write_all(&header)?;
        self.inner.write_all(records)?;
        self.inner.write_all(&[0; BLOCK][..padding(records.len() as u64)])
    }
}

fn padding(size: u64) -> usize {
    usize::try_from(size.wrapping_neg() % BLOCK as u64).unwrap_or(0)
}

/// Fills in the header; gives the records that must stand before it.
fn fields(header: &mut [u8; BLOCK], member: &Member, size: u64) -> Vec<u8> {
    let mut extended = Vec::new();
    let mut path = member.path.clone();
    if member.kind == Kind::Directory && !path.ends_with(b"/") {
        path.push(b'/');
    }
    if member.sparse.is_some() {
        record(&mut extended, b"GNU.sparse.major", b"1");
        record(&mut extended, b"GNU.sparse.minor", b"0");
        record(&mut extended, b"GNU.sparse.name", &path);
        record(&mut extended, b"GNU.sparse.realsize", member.real_size.to_string().as_bytes());
        put(header, 0, b"GNUSparseFile.0/sparse");
    } else if let Some((prefix, name)) = split(&path) {
        put(header, 0, name);
        put(header, 345, prefix);
    } else {
        record(&mut extended, b"path", &path);
        put(header, 0, &path[..NAME]);
    }
    if member.link.len() > NAME {
        record(&mut extended, b"linkpath", &member.link);
    }
    put(header, 157, &member.link[..member.link.len().min(NAME)]);
    let mut number = |field: std::ops::Range<usize>, key: &[u8], value: u64, largest: u64| {
        if value > largest {
            record(&mut extended, key, value.to_string().as_bytes());
        }
        octal(&mut header[field], if value > largest { 0 } else { value });
    };
    number(108..116, b"uid", member.uid.into(), LARGEST_ID.into());
    number(116..124, b"gid", member.gid.into(), LARGEST_ID.into());
    number(124..136, b"size", size, LARGEST);
    octal(&mut header[100..108], u64::from(member.mode & 0o7777));
    let (seconds, nanoseconds) = member.mtime;
    let plain = u64::try_from(seconds).ok().filter(|seconds| *seconds <= LARGEST);
    if plain.is_none() || nanoseconds > 0 {
        record(&mut extended, b"mtime", time(seconds, nanoseconds).as_bytes());
    }
    octal(&mut header[136..148], plain.unwrap_or(0));
    if matches!(member.kind, Kind::CharDevice | Kind::BlockDevice) {
        octal(&mut header[329..337], member.device.0.into());
        octal(&mut header[337..345], member.device.1.into());
    }
    attributes(&mut extended, member);
    seal(header, kind(member.kind));
    extended
}

fn attributes(extended: &mut Vec<u8>, member: &Member) {
    let lists =
        [(&b"SCHILY.acl.access"[..], &member.acl_access), (b"SCHILY.acl.default", &member.acl_default)];
    for (key, list) in lists {
        if let Some(list) = list {
            record(extended, key, list);
        }
    }
    for (name, value) in &member.xattrs {
        record(extended, &[b"SCHILY.xattr.", name.as_slice()].concat(), value);
    }
}

fn kind(kind: Kind) -> u8 {
    match kind {
        Kind::File => b'0',
        Kind::HardLink => b'1',
        Kind::Symlink => b'2',
        Kind::CharDevice => b'3',
        Kind::BlockDevice => b'4',
        Kind::Directory => b'5',
        Kind::Fifo => b'6',
    }
}

/// Magic, kind and checksum.
fn seal(header: &mut [u8; BLOCK], kind: u8) {
    header[156] = kind;
    header[257..265].copy_from_slice(b"ustar\x0000");
    header[148..156].fill(b' ');
    let sum: u64 = header.iter().map(|byte| u64::from(*byte)).sum();
    octal(&mut header[148..155], sum);
}

fn put(header: &mut [u8; BLOCK], at: usize, bytes: &[u8]) {
    header[at..at + bytes.len()].copy_from_slice(bytes);
}

/// Digits with leading zeros, and a zero byte behind them.
fn octal(field: &mut [u8], mut value: u64) {
    let digits = field.len() - 1;
    for digit in field[..digits].iter_mut().rev() {
        // Three bits always fit.
        *digit = b'0' + u8::try_from(value & 7).unwrap_or(0);
        value >>= 3;
    }
}

/// A name in the two fields that the header has for it.
fn split(path: &[u8]) -> Option<(&[u8], &[u8])> {
    if path.len() <= NAME {
        return Some((b"", path));
    }
    // A directory's own slash is no place to split at.
    let slashes = (1..path.len() - 1).filter(|at| path[*at] == b'/');
    let fits = |at: &usize| *at <= PREFIX && path.len() - at - 1 <= NAME;
    slashes.into_iter().find(fits).map(|at| (&path[..at], &path[at + 1..]))
}

/// `length key=value\n`, where the length counts its own digits.
fn record(records: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let body = key.len() + value.len() + 3;
    let mut length = body + 1;
    while length != body + length.to_string().len() {
        length = body + length.to_string().len();
    }
    for part in [length.to_string().as_bytes(), b" ", key, b"=", value, b"\n"] {
        records.extend_from_slice(part);
    }
}

/// A decimal number; before 1970 the fraction counts backwards as well.
fn time(seconds: i64, nanoseconds: u32) -> String {
    let total = i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds);
    let sign = if total < 0 { "-" } else { "" };
    let (whole, part) = (total.unsigned_abs() / 1_000_000_000, total.unsigned_abs() % 1_000_000_000);
    let text = format!("{sign}{whole}.{part:09}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Where the parts of a file with holes belong, padded to whole blocks.
fn map_text(extents: &[Extent]) -> Vec<u8> {
    let mut text = format!("{}\n", extents.len());
    for extent in extents {
        text.push_str(&format!("{}\n{}\n", extent.offset, extent.length));
    }
    let mut text = text.into_bytes();
    text.resize(text.len().next_multiple_of(BLOCK), 0);
    text
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
