//! Websocket frames as bytes (RFC 6455 §5): headers of what we send, headers of what we get, the mask.

/// The longest header that a server sends: two bytes and a 64-bit length.
pub(crate) const SERVER_HEADER: usize = 10;
/// The longest header that a client sends: that and a mask.
pub(crate) const CLIENT_HEADER: usize = 14;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opcode {
    /// More of the message before it.
    Continuation,
    /// Text; on a data stream the end of that direction.
    Text,
    /// Bytes.
    Binary,
    /// The last frame of its sender.
    Close,
    /// Wants a pong.
    Ping,
    /// Answer to a ping.
    Pong,
}

impl Opcode {
    const fn code(self) -> u8 {
        match self {
            Self::Continuation => 0,
            Self::Text => 1,
            Self::Binary => 2,
            Self::Close => 8,
            Self::Ping => 9,
            Self::Pong => 10,
        }
    }

    const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    /// Frames between the frames of a message, at most 125 bytes, never in pieces.
    pub(crate) const fn is_control(self) -> bool {
        self.code() >= 8
    }
}

/// A frame that a client may not send.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum BadFrame {
    /// Bits that only extensions use; none was agreed upon.
    #[error("a websocket frame uses an extension that was not agreed upon")]
    Extension,
    /// An unknown kind.
    #[error("a websocket frame has the unknown opcode {0}")]
    Opcode(u8),
    /// Clients must mask.
    #[error("a websocket frame from the client is not masked")]
    Unmasked,
    /// A control frame that is long or in pieces.
    #[error("a websocket control frame is longer than 125 bytes or in pieces")]
    Control,
    /// More than a file can hold.
    #[error("a websocket frame claims {0} bytes")]
    Length(u64),
}

/// The header of a client's frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Whether it ends its message.
    pub(crate) last: bool,
    /// Its kind.
    pub(crate) opcode: Opcode,
    /// Bytes of payload.
    pub(crate) length: u64,
    /// What the payload is masked with.
    pub(crate) mask: [u8; 4],
}

impl Header {
    /// Reads a header from the start of `bytes`: itself and its size, or `None` while it is incomplete.
    ///
    /// # Errors
    /// What a client may not send.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, BadFrame> {
        let [first, second, rest @ ..] = bytes else {
            return Ok(None);
        };
        if first & 0x70 != 0 {
            return Err(BadFrame::Extension);
        }
        let opcode = Opcode::from_code(first & 0x0f).ok_or(BadFrame::Opcode(first & 0x0f))?;
        if second & 0x80 == 0 {
            return Err(BadFrame::Unmasked);
        }
        let last = first & 0x80 != 0;
        let short = second & 0x7f;
        if opcode.is_control() && (short > 125 || !last) {
            return Err(BadFrame::Control);
        }
        let (length, rest, size) = match (short, rest) {
            (126, [a, b, rest @ ..]) => (u64::from(u16::from_be_bytes([*a, *b])), rest, 4),
            (127, [a, b, c, d, e, f, g, h, rest @ ..]) => {
                (u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]), rest, 10)
            }
            (126 | 127, _) => return Ok(None),
            (short, rest) => (u64::from(short), rest, 2),
        };
        if length > i64::MAX as u64 {
            return Err(BadFrame::Length(length));
        }
        let [a, b, c, d, ..] = rest else {
            return Ok(None);
        };
        Ok(Some((Self { last, opcode, length, mask: [*a, *b, *c, *d] }, size + 4)))
    }
}

/// Writes the header of a whole frame of `length` bytes so that it ends where the payload begins,
/// at the end of `space`; returns where it starts.
pub(crate) fn put_server_header(space: &mut [u8; SERVER_HEADER], opcode: Opcode, length: usize) -> usize {
    let first = 0x80 | opcode.code();
    if let Ok(short @ 0..=125) = u8::try_from(length) {
        space[8..].copy_from_slice(&[first, short]);
        8
    } else if let Ok(length) = u16::try_from(length) {
        space[6..8].copy_from_slice(&[first, 126]);
        space[8..].copy_from_slice(&length.to_be_bytes());
        6
    } else {
        space[..2].copy_from_slice(&[first, 127]);
        space[2..].copy_from_slice(&(length as u64).to_be_bytes());
        0
    }
}

/// A whole small frame.
pub(crate) fn server_frame(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut space = [0; SERVER_HEADER];
    let start = put_server_header(&mut space, opcode, payload.len());
    let mut frame = Vec::with_capacity(SERVER_HEADER - start + payload.len());
    frame.extend_from_slice(&space[start..]);
    frame.extend_from_slice(payload);
    frame
}

/// Takes the mask off `bytes`, which begin `offset` bytes into their frame.
pub(crate) fn unmask(bytes: &mut [u8], mask: [u8; 4], offset: u64) {
    // Our own client's: nothing on a unix socket has to be protected by a mask.
    if mask == [0; 4] {
        return;
    }
    let mut turned = mask;
    turned.rotate_left((offset % 4) as usize);
    let word = u32::from_ne_bytes(turned);
    let wide = u64::from(word) << 32 | u64::from(word);
    let mut chunks = bytes.chunks_exact_mut(8);
    for chunk in &mut chunks {
        if let Ok(array) = <[u8; 8]>::try_from(&*chunk) {
            chunk.copy_from_slice(&(u64::from_ne_bytes(array) ^ wide).to_ne_bytes());
        }
    }
    for (byte, key) in chunks.into_remainder().iter_mut().zip(turned.iter().cycle()) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_all_lengths() {
        for (length, header) in [
            (0, vec![0x82, 0]),
            (125, vec![0x82, 125]),
            (126, vec![0x82, 126, 0, 126]),
            (65535, vec![0x82, 126, 255, 255]),
            (65536, vec![0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let mut space = [0; SERVER_HEADER];
            let start = put_server_header(&mut space, Opcode::Binary, length);
            assert_eq!(&space[start..], header);
        }
    }

    #[test]
    fn client_headers_are_read_when_complete() {
        let bytes = [0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4, 99];
        for cut in 0..14 {
            assert_eq!(Header::parse(&bytes[..cut]), Ok(None), "{cut}");
        }
        let (header, size) = Header::parse(&bytes).unwrap().unwrap();
        assert_eq!(size, CLIENT_HEADER);
        assert_eq!(header, Header { last: true, opcode: Opcode::Binary, length: 65536, mask: [1, 2, 3, 4] });
    }

    #[test]
    fn what_clients_may_not_send() {
        assert_eq!(Header::parse(&[0xc2, 0x80]), Err(BadFrame::Extension));
        assert_eq!(Header::parse(&[0x83, 0x80]), Err(BadFrame::Opcode(3)));
        assert_eq!(Header::parse(&[0x82, 0x01]), Err(BadFrame::Unmasked));
        assert_eq!(Header::parse(&[0x89, 0xfe]), Err(BadFrame::Control));
        assert_eq!(Header::parse(&[0x09, 0x80]), Err(BadFrame::Control));
        let long = [0x82, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert!(matches!(Header::parse(&long), Err(BadFrame::Length(_))));
    }

    #[test]
    fn the_mask_goes_on_where_a_piece_begins() {
        let mask = [0x11, 0x22, 0x33, 0x44];
        let plain: Vec<u8> = (0..100).collect();
        let masked: Vec<u8> = plain.iter().zip(mask.iter().cycle()).map(|(b, m)| b ^ m).collect();
        for cut in 0..plain.len() {
            let mut copy = masked.clone();
            let (front, back) = copy.split_at_mut(cut);
            unmask(front, mask, 0);
            unmask(back, mask, cut as u64);
            assert_eq!(copy, plain);
        }
    }
}
