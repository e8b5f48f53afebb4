//! One netlink socket: a request out, all its answers in.

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkBuffer, NetlinkHeader, NetlinkMessage,
    NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use rustix::io::Errno;
use std::io;
use std::time::Duration;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// In an answer: attributes follow that explain an error.
const NLM_F_ACK_TLVS: u16 = 0x200;
/// The attribute of an error that holds a sentence.
const NLMSGERR_ATTR_MSG: u16 = 1;
const HEADER: usize = 16;
/// The kernel fills at most 32 KiB per answer of a dump.
const BUFFER: usize = 64 << 10;
/// The kernel answers in microseconds; this bounds a kernel that is stuck.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How often a dump is tried again that changed while it was read.
const DUMP_ATTEMPTS: usize = 5;

/// Why the kernel did not do what was asked over netlink.
#[derive(Debug, thiserror::Error)]
pub enum NetlinkError {
    /// There is no connection to the kernel.
    #[error("Cannot open a netlink socket")]
    Open {
        /// What the kernel said.
        source: io::Error,
    },
    /// The kernel refused.
    #[error("The kernel refused to {request}{}", sentence(.detail))]
    Refused {
        /// What was asked.
        request: &'static str,
        /// The kernel's own explanation, if it gave one.
        detail: Option<String>,
        /// What the kernel said.
        source: io::Error,
    },
    /// Nothing came back.
    #[error("No answer from the kernel to: {request}")]
    Lost {
        /// What was asked.
        request: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// The answer cannot be read.
    #[error("Cannot read the kernel's answer to: {request} ({detail})")]
    Malformed {
        /// What was asked.
        request: &'static str,
        /// What is wrong.
        detail: String,
    },
    /// The thread that talks to the kernel is gone.
    #[error("The connection to the kernel is closed")]
    Closed,
}

fn sentence(detail: &Option<String>) -> String {
    detail.as_ref().map_or_else(String::new, |d| format!(": {d}"))
}

impl NetlinkError {
    /// True when the kernel's reason is `errno`.
    #[must_use]
    pub fn is(&self, errno: Errno) -> bool {
        matches!(self, Self::Refused { source, .. } if source.raw_os_error() == Some(errno.raw_os_error()))
    }

    /// True when the thing asked about does not exist.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        [Errno::NODEV, Errno::NXIO, Errno::NOENT].into_iter().any(|e| self.is(e))
    }
}

/// What one message of an answer means.
enum Answer {
    Message(Box<RouteNetlinkMessage>),
    End,
    /// Belongs to a request that was given up.
    Stale,
}

/// A socket that checks requests strictly, as dumps of other namespaces require.
pub(crate) struct Socket {
    socket: netlink_sys::Socket,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Socket {
    pub(crate) fn open() -> Result<Self, NetlinkError> {
        Self::try_open().map_err(|source| NetlinkError::Open { source })
    }

    fn try_open() -> io::Result<Self> {
        let mut socket = netlink_sys::Socket::new(netlink_sys::protocols::NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.set_netlink_get_strict_chk(true)?;
        socket.set_cap_ack(true)?;
        socket.set_ext_ack(true)?;
        use rustix::net::sockopt::{Timeout, set_socket_timeout};
        set_socket_timeout(&socket, Timeout::Recv, Some(TIMEOUT))?;
        Ok(Self { socket, sequence: 0, buffer: vec![0; BUFFER] })
    }

    /// Changes something. `flags` are `NLM_F_CREATE` and its like.
    pub(crate) fn change(
        &mut self,
        request: &'static str,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> Result<(), NetlinkError> {
        self.talk(request, message, flags | NLM_F_ACK, &mut Vec::new()).map(drop)
    }

    /// Asks for one thing. `None` when the answer is an acknowledgement only.
    pub(crate) fn get(
        &mut self,
        request: &'static str,
        message: RouteNetlinkMessage,
    ) -> Result<Option<RouteNetlinkMessage>, NetlinkError> {
        let mut answers = Vec::new();
        self.talk(request, message, NLM_F_ACK, &mut answers)?;
        Ok(answers.pop())
    }

    /// Asks for everything of a kind.
    pub(crate) fn dump(
        &mut self,
        request: &'static str,
        message: &RouteNetlinkMessage,
    ) -> Result<Vec<RouteNetlinkMessage>, NetlinkError> {
        let mut answers = Vec::new();
        for _ in 0..DUMP_ATTEMPTS {
            answers.clear();
            if self.talk(request, message.clone(), NLM_F_DUMP, &mut answers)? {
                break;
            }
        }
        // What is still torn after so many attempts is better than nothing: one name or address
        // may be listed twice or not at all, as in every tool that reads a busy kernel.
        Ok(answers)
    }

    /// Sends a request and collects its answers. False when a dump was torn.
    fn talk(
        &mut self,
        request: &'static str,
        message: RouteNetlinkMessage,
        flags: u16,
        answers: &mut Vec<RouteNetlinkMessage>,
    ) -> Result<bool, NetlinkError> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        header.sequence_number = self.sequence;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::from(message));
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        let lost = |e: Errno| NetlinkError::Lost { request, source: e.into() };
        rustix::io::retry_on_intr(|| {
            rustix::net::send(&self.socket, &bytes, rustix::net::SendFlags::empty())
        })
        .map_err(lost)?;
        let mut whole = true;
        loop {
            let (n, _) = rustix::io::retry_on_intr(|| {
                rustix::net::recv(&self.socket, &mut self.buffer[..], rustix::net::RecvFlags::empty())
            })
            .map_err(lost)?;
            let mut rest = &self.buffer[..n];
            while rest.len() >= HEADER {
                let (answer, length, torn) = decode(request, rest, self.sequence)?;
                rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
                whole &= !torn;
                match answer {
                    Answer::Message(message) => answers.push(*message),
                    Answer::Stale => {}
                    Answer::End => return Ok(whole),
                }
            }
        }
    }
}

/// The first message in `bytes`, its length, and whether the dump it belongs to is torn.
fn decode(request: &'static str, bytes: &[u8], sequence: u32) -> Result<(Answer, usize, bool), NetlinkError> {
    let malformed = |detail: String| NetlinkError::Malformed { request, detail };
    let raw = NetlinkBuffer::new_checked(bytes).map_err(|e| malformed(e.to_string()))?;
    let length = raw.length() as usize;
    let bytes = bytes.get(..length).ok_or_else(|| malformed("it is cut short".to_owned()))?;
    if raw.sequence_number() != sequence {
        return Ok((Answer::Stale, length, false));
    }
    let answer = match raw.message_type() {
        NLMSG_DONE | NLMSG_ERROR => {
            let code = bytes.get(HEADER..HEADER + 4).and_then(|b| b.try_into().ok()).map(i32::from_ne_bytes);
            match code {
                Some(code) if code < 0 => {
                    let explained = raw.flags() & NLM_F_ACK_TLVS != 0;
                    return Err(NetlinkError::Refused {
                        request,
                        detail: explained.then(|| explanation(bytes, raw.message_type())).flatten(),
                        source: io::Error::from_raw_os_error(-code),
                    });
                }
                _ => Answer::End,
            }
        }
        _ => {
            let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(bytes)
                .map_err(|e| malformed(e.to_string()))?;
            match message.payload {
                NetlinkPayload::InnerMessage(inner) => Answer::Message(Box::new(inner)),
                _ => Answer::Stale,
            }
        }
    };
    Ok((answer, length, raw.flags() & NLM_F_DUMP_INTR != 0))
}

/// The sentence in the attributes behind an error code and the header of the request.
fn explanation(bytes: &[u8], kind: u16) -> Option<String> {
    let start = if kind == NLMSG_ERROR { HEADER + 4 + HEADER } else { HEADER + 4 };
    let mut rest = bytes.get(start..)?;
    loop {
        let length = usize::from(u16::from_ne_bytes(rest.get(0..2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(rest.get(2..4)?.try_into().ok()?);
        if kind == NLMSGERR_ATTR_MSG {
            let text = rest.get(4..length)?;
            return Some(String::from_utf8_lossy(text).trim_end_matches('\0').to_owned());
        }
        rest = rest.get(length.max(4).next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_message(code: i32, flags: u16, attributes: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let length = u32::try_from(HEADER + 4 + HEADER + attributes.len()).expect("short");
        bytes.extend(length.to_ne_bytes());
        bytes.extend(NLMSG_ERROR.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend(7_u32.to_ne_bytes());
        bytes.extend(0_u32.to_ne_bytes());
        bytes.extend(code.to_ne_bytes());
        bytes.extend([0; HEADER]);
        bytes.extend(attributes);
        bytes
    }

    #[test]
    fn refusals_carry_the_kernels_sentence() {
        let bytes = error_message(-19, NLM_F_ACK_TLVS, b"\x0c\x00\x01\x00No such\0");
        let error = decode("do it", &bytes, 7).err().expect("refused");
        assert_eq!(error.to_string(), "The kernel refused to do it: No such");
        assert!(error.is_missing());
        let bytes = error_message(-17, 0, b"");
        let error = decode("do it", &bytes, 7).err().expect("refused");
        assert_eq!(error.to_string(), "The kernel refused to do it");
        assert!(error.is(Errno::EXIST) && !error.is_missing());
    }

    #[test]
    fn broken_answers_are_errors() {
        let bytes = error_message(-19, NLM_F_ACK_TLVS, b"\x00\x00\x00\x00");
        assert!(matches!(decode("x", &bytes, 7), Err(NetlinkError::Refused { detail: None, .. })));
        assert!(decode("x", &bytes[..20], 7).is_err());
        assert!(matches!(decode("x", &bytes, 8), Ok((Answer::Stale, _, _))));
        let good = error_message(0, 0, b"");
        assert!(matches!(decode("x", &good, 7), Ok((Answer::End, _, _))));
    }

    #[test]
    fn a_missing_interface_is_recognised() {
        let mut socket = Socket::open().expect("netlink");
        assert!(socket.link_named("no-such-link").expect("answer").is_none());
        assert_eq!(socket.link_named("lo").expect("answer").expect("lo").name, "lo");
    }
}
