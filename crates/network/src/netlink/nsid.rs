//! Numbers by which this namespace knows others.

use super::{NetlinkError, Socket};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::nsid::{NsidAttribute, NsidMessage};
use rustix::io::Errno;
use std::os::fd::{AsRawFd as _, BorrowedFd};

fn message(netns: BorrowedFd<'_>) -> Result<NsidMessage, NetlinkError> {
    let fd = u32::try_from(netns.as_raw_fd()).map_err(|_| NetlinkError::Malformed {
        request: "look up a namespace",
        detail: "the descriptor is negative".to_owned(),
    })?;
    let mut message = NsidMessage::default();
    message.attributes.push(NsidAttribute::Fd(fd));
    Ok(message)
}

impl Socket {
    /// The number of a namespace; it gets one if it has none. The kernel forgets it together with
    /// the namespace.
    pub(crate) fn nsid(&mut self, netns: BorrowedFd<'_>) -> Result<i32, NetlinkError> {
        if let Some(id) = self.known_nsid(netns)? {
            return Ok(id);
        }
        let mut new = message(netns)?;
        new.attributes.push(NsidAttribute::Id(-1));
        match self.change("number a namespace", RouteNetlinkMessage::NewNsId(new), 0) {
            Ok(()) => {}
            // Somebody else was quicker.
            Err(e) if e.is(Errno::EXIST) => {}
            Err(e) => return Err(e),
        }
        self.known_nsid(netns)?.ok_or_else(|| NetlinkError::Malformed {
            request: "number a namespace",
            detail: "it has no number".to_owned(),
        })
    }

    fn known_nsid(&mut self, netns: BorrowedFd<'_>) -> Result<Option<i32>, NetlinkError> {
        let answer = self.get("look up a namespace", RouteNetlinkMessage::GetNsId(message(netns)?))?;
        let Some(RouteNetlinkMessage::NewNsId(answer)) = answer else { return Ok(None) };
        let id = answer
            .attributes
            .iter()
            .find_map(|a| if let NsidAttribute::Id(id) = a { Some(*id) } else { None });
        Ok(id.filter(|id| *id >= 0))
    }
}
