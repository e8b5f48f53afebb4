//! The stream of blocks: headers, extended headers, data, padding.

use super::pax::Pax;
use super::sparse::{self, Extent, MAX_EXTENTS, MapText};
use super::{ArchiveError, Kind, Member};
use std::io::{ErrorKind, Read};
use tar::{GnuExtSparseHeader, Header};

const BLOCK: usize = 512;
/// Largest extended header or long name. GNU tar itself writes attributes of up to 64 KiB each.
const MAX_EXTENDED: u64 = 1024 * 1024;

/// Reads an archive from its uncompressed bytes.
pub(crate) struct Reader<R> {
    inner: R,
    offset: u64,
    limit: u64,
    /// Bytes of the current member's data that were not read yet.
    data: u64,
    /// Bytes between the end of the data and the next header.
    padding: u64,
    global: Pax,
    done: bool,
}

/// What the headers before a member's own said about it.
#[derive(Default)]
struct Ahead {
    pax: Option<Pax>,
    long_name: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
}

impl<R: Read> Reader<R> {
    /// `limit`: how many uncompressed bytes are read at most.
    pub(crate) fn new(inner: R, limit: u64) -> Self {
        Self { inner, offset: 0, limit, data: 0, padding: 0, global: Pax::default(), done: false }
    }

    /// The next member; what is left of the one before is skipped. `None` at the end.
    pub(crate) fn next_member(&mut self) -> Result<Option<Member>, ArchiveError> {
        let mut ahead = Ahead::default();
        loop {
            self.skip_data()?;
            let Some(header) = self.header()? else { return Ok(None) };
            let size = header.entry_size().map_err(|_| self.damaged("a size is not a number"))?;
            match header.entry_type().as_byte() {
                b'x' | b'X' => {
                    let data = self.extended(size)?;
                    let mut pax = self.global.clone();
                    pax.parse(&data).map_err(|what| self.damaged(what))?;
                    ahead.pax = Some(pax);
                }
                b'g' => {
                    let data = self.extended(size)?;
                    let mut global = std::mem::take(&mut self.global);
                    global.parse(&data).map_err(|what| self.damaged(what))?;
                    self.global = global;
                }
                b'L' => ahead.long_name = Some(trim_zeros(self.extended(size)?)),
                b'K' => ahead.long_link = Some(trim_zeros(self.extended(size)?)),
                // A volume's label.
                b'V' => self.begin_data(size),
                _ => return self.member(&header, ahead).map(Some),
            }
        }
    }

    /// Reads the next bytes of the current member's data, without its holes. Zero at the end.
    pub(crate) fn read_data(&mut self, buffer: &mut [u8]) -> Result<usize, ArchiveError> {
        let wanted = buffer.len().min(usize::try_from(self.data).unwrap_or(usize::MAX));
        if wanted == 0 {
            return Ok(0);
        }
        let count = self.read_some(&mut buffer[..wanted])?;
        if count == 0 {
            return Err(ArchiveError::Truncated);
        }
        self.data -= count as u64;
        Ok(count)
    }

    /// The content of a member, holes filled. The caller has checked its size.
    pub(crate) fn read_all(&mut self, member: &Member) -> Result<Vec<u8>, ArchiveError> {
        let mut content = vec![0; usize::try_from(member.real_size).unwrap_or(0)];
        let whole = [Extent { offset: 0, length: member.real_size }];
        for extent in member.sparse.as_deref().unwrap_or(&whole) {
            let mut start = usize::try_from(extent.offset).unwrap_or(usize::MAX);
            let end = start.saturating_add(usize::try_from(extent.length).unwrap_or(usize::MAX));
            while start < end {
                let Some(part) = content.get_mut(start..end) else {
                    return Err(self.damaged("a sparse file has a part beyond its end"));
                };
                match self.read_data(part)? {
                    0 => return Err(ArchiveError::Truncated),
                    count => start += count,
                }
            }
        }
        Ok(content)
    }

    fn member(&mut self, header: &Header, ahead: Ahead) -> Result<Member, ArchiveError> {
        let pax = ahead.pax.unwrap_or_else(|| self.global.clone());
        let size = pax.size.or_else(|| header.entry_size().ok()).unwrap_or(0);
        let mut path = pax
            .sparse
            .name
            .clone()
            .or(pax.path)
            .or(ahead.long_name)
            .unwrap_or_else(|| header.path_bytes().into_owned());
        let link = pax
            .link
            .or(ahead.long_link)
            .or_else(|| header.link_name_bytes().map(std::borrow::Cow::into_owned))
            .unwrap_or_default();
        let kind = kind_of(header, &path)?;
        if kind == Kind::Directory {
            while path.len() > 1 && path.ends_with(b"/") {
                path.pop();
            }
        }
        let sparse = if kind == Kind::File { self.holes(header, &pax.sparse, size)? } else { None };
        if sparse.is_none() {
            // Some programs give links a size, but nothing follows them.
            self.begin_data(if kind == Kind::File { size } else { 0 });
        }
        let (real_size, sparse) = match sparse {
            Some((real_size, extents)) => (real_size, Some(extents)),
            None => (self.data, None),
        };
        let fields = fields(header, kind, pax.uid, pax.gid).map_err(|what| self.damaged(what))?;
        Ok(Member {
            path,
            link,
            kind,
            mode: fields.mode,
            uid: fields.uid,
            gid: fields.gid,
            mtime: pax.mtime.unwrap_or((fields.mtime, 0)),
            device: fields.device,
            xattrs: pax.xattrs,
            acl_access: pax.acl_access,
            acl_default: pax.acl_default,
            real_size,
            sparse,
        })
    }

    /// The real size and the map of a file with holes; its data begins after this.
    fn holes(
        &mut self,
        header: &Header,
        pax: &super::pax::Sparse,
        size: u64,
    ) -> Result<Option<(u64, Vec<Extent>)>, ArchiveError> {
        let (real_size, extents, stored) = if header.entry_type().is_gnu_sparse() {
            let (real_size, extents) = self.old_gnu_map(header)?;
            self.begin_data(size);
            (real_size, extents, size)
        } else if pax.is_v1() {
            let real_size = pax.real_size.ok_or_else(|| self.damaged("a sparse file has no size"))?;
            self.begin_data(size);
            let mut map = MapText::default();
            let mut block = [0; BLOCK];
            loop {
                if self.data < BLOCK as u64 {
                    return Err(self.damaged("a sparse map does not end"));
                }
                self.read_exact(&mut block)?;
                self.data -= BLOCK as u64;
                if map.feed(&block).map_err(|what| self.damaged(what))? {
                    break;
                }
            }
            (real_size, map.finish(), self.data)
        } else if let (Some(real_size), Some(extents)) = (pax.real_size, &pax.map) {
            self.begin_data(size);
            (real_size, extents.clone(), size)
        } else {
            return Ok(None);
        };
        sparse::check(&extents, real_size, stored).map_err(|what| self.damaged(what))?;
        Ok(Some((real_size, extents)))
    }

    fn old_gnu_map(&mut self, header: &Header) -> Result<(u64, Vec<Extent>), ArchiveError> {
        let wrong = "a sparse file has a damaged map";
        let gnu = header.as_gnu().ok_or_else(|| self.damaged(wrong))?;
        let real_size = gnu.real_size().map_err(|_| self.damaged(wrong))?;
        let mut extents = Vec::new();
        let mut add = |parts: &[tar::GnuSparseHeader]| {
            for part in parts.iter().filter(|part| !part.is_empty()) {
                let (Ok(offset), Ok(length)) = (part.offset(), part.length()) else { return Err(wrong) };
                extents.push(Extent { offset, length });
            }
            if extents.len() > MAX_EXTENTS { Err("a sparse file has too many parts") } else { Ok(()) }
        };
        let mut result = add(&gnu.sparse);
        let mut more = gnu.is_extended();
        while more && result.is_ok() {
            let mut extension = GnuExtSparseHeader::new();
            self.read_exact(extension.as_mut_bytes())?;
            result = add(extension.sparse());
            more = extension.is_extended();
        }
        result.map_err(|what| self.damaged(what))?;
        Ok((real_size, extents))
    }

    fn header(&mut self) -> Result<Option<Header>, ArchiveError> {
        if self.done {
            return Ok(None);
        }
        let mut header = Header::new_old();
        // An archive should end with two blocks of zeros, but many end without.
        if !self.read_block(header.as_mut_bytes())? || header.as_bytes().iter().all(|byte| *byte == 0) {
            self.done = true;
            return Ok(None);
        }
        let bytes = header.as_bytes();
        let sum = bytes[..148].iter().chain(&bytes[156..]).map(|byte| u32::from(*byte)).sum::<u32>() + 8 * 32;
        match header.cksum() {
            Ok(expected) if expected == sum => Ok(Some(header)),
            _ => Err(self.damaged("a header has the wrong checksum")),
        }
    }

    /// The content of an extended header or a long name.
    fn extended(&mut self, size: u64) -> Result<Vec<u8>, ArchiveError> {
        if size > MAX_EXTENDED {
            return Err(ArchiveError::HeaderTooLarge { bytes: size, limit: MAX_EXTENDED });
        }
        self.begin_data(size);
        let mut data = vec![0; usize::try_from(size).unwrap_or(0)];
        self.read_exact(&mut data)?;
        self.data = 0;
        Ok(data)
    }

    fn begin_data(&mut self, size: u64) {
        self.data = size;
        self.padding = size.wrapping_neg() % BLOCK as u64;
    }

    fn skip_data(&mut self) -> Result<(), ArchiveError> {
        let padding = self.padding;
        let mut left = self.data.saturating_add(padding);
        (self.data, self.padding) = (0, 0);
        let mut buffer = [0; 32 * 1024];
        while left > 0 {
            let wanted = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            match self.read_some(&mut buffer[..wanted])? {
                // The padding of the last member may be missing as well.
                0 if left <= padding => break,
                0 => return Err(ArchiveError::Truncated),
                count => left -= count as u64,
            }
        }
        Ok(())
    }

    /// Fills a block. False at the end of the stream.
    fn read_block(&mut self, block: &mut [u8]) -> Result<bool, ArchiveError> {
        let mut filled = 0;
        while filled < block.len() {
            match self.read_some(&mut block[filled..])? {
                0 if filled == 0 => return Ok(false),
                0 => return Err(ArchiveError::Truncated),
                count => filled += count,
            }
        }
        Ok(true)
    }

    fn read_exact(&mut self, buffer: &mut [u8]) -> Result<(), ArchiveError> {
        if buffer.is_empty() || self.read_block(buffer)? { Ok(()) } else { Err(ArchiveError::Truncated) }
    }

    fn read_some(&mut self, buffer: &mut [u8]) -> Result<usize, ArchiveError> {
        let count = loop {
            match self.inner.read(buffer) {
                Ok(count) => break count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(ArchiveError::Read(error)),
            }
        };
        self.offset = self.offset.saturating_add(count as u64);
        if self.offset > self.limit {
            return Err(ArchiveError::TooLarge { limit: self.limit });
        }
        Ok(count)
    }

    fn damaged(&self, what: &'static str) -> ArchiveError {
        ArchiveError::Damaged { offset: self.offset, what }
    }
}

fn kind_of(header: &Header, path: &[u8]) -> Result<Kind, ArchiveError> {
    Ok(match header.entry_type().as_byte() {
        // In the oldest format a directory is a file whose name ends in a slash.
        b'0' | 0 | b'7' if path.ends_with(b"/") => Kind::Directory,
        b'0' | 0 | b'7' | b'S' => Kind::File,
        b'1' => Kind::HardLink,
        b'2' => Kind::Symlink,
        b'3' => Kind::CharDevice,
        b'4' => Kind::BlockDevice,
        b'5' => Kind::Directory,
        b'6' => Kind::Fifo,
        other => {
            return Err(ArchiveError::UnsupportedKind {
                member: path.escape_ascii().to_string(),
                kind: other.escape_ascii().to_string(),
            });
        }
    })
}

/// The numbers of a header.
struct Fields {
    mode: u32,
    uid: u32,
    gid: u32,
    mtime: i64,
    device: (u32, u32),
}

/// `Err` says what is wrong. Fields that were never written are zero.
fn fields(header: &Header, kind: Kind, uid: Option<u64>, gid: Option<u64>) -> Result<Fields, &'static str> {
    let blank = |field: &[u8]| field.iter().all(|byte| matches!(byte, 0 | b' '));
    let old = header.as_old();
    let id = |extended: Option<u64>, raw: &[u8], field: std::io::Result<u64>| {
        let id = match extended {
            Some(id) => id,
            None if blank(raw) => 0,
            None => field.map_err(|_| "an owner is not a number")?,
        };
        // The highest id means "unchanged" to chown(2).
        u32::try_from(id).ok().filter(|id| *id != u32::MAX).ok_or("an owner is out of range")
    };
    let device = |field: std::io::Result<Option<u32>>| match kind {
        Kind::CharDevice | Kind::BlockDevice => field.ok().flatten().ok_or("a device has no number"),
        _ => Ok(0),
    };
    Ok(Fields {
        mode: if blank(&old.mode) {
            0
        } else {
            header.mode().map_err(|_| "a mode is not a number")? & 0o7777
        },
        uid: id(uid, &old.uid, header.uid())?,
        gid: id(gid, &old.gid, header.gid())?,
        mtime: i64::try_from(header.mtime().unwrap_or(0)).unwrap_or(0),
        device: (device(header.device_major())?, device(header.device_minor())?),
    })
}

fn trim_zeros(mut name: Vec<u8>) -> Vec<u8> {
    if let Some(end) = name.iter().position(|byte| *byte == 0) {
        name.truncate(end);
    }
    name
}
