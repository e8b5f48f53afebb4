//! Traffic control: how fast an interface may send, and what is done with what it receives.
//!
//! The messages are written byte by byte: the structures are those of `linux/pkt_sched.h` and
//! `linux/pkt_cls.h`.

use super::{NetlinkError, Socket};
use netlink_packet_core::{DefaultNla, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::tc::{TcAttribute, TcMessage};
use rustix::io::Errno;

/// `TC_H_ROOT`: what an interface sends.
const ROOT: u32 = 0xffff_ffff;
/// `TC_H_INGRESS`: what it receives.
const INGRESS: u32 = 0xffff_fff1;
/// The handle of the queue of what it receives.
const INGRESS_HANDLE: u32 = 0xffff_0000;
/// Priority 1, every protocol in network order.
const EVERYTHING: u32 = 1 << 16 | (0x0003_u16.to_be() as u32);
const TCA_OPTIONS: u16 = 2;
/// `TC_LINKLAYER_ETHERNET`: the kernel needs no table to know what a packet costs.
const ETHERNET: u8 = 1;
/// The kernel counts time in units of 64 nanoseconds here.
const TICK: u128 = 64;
/// What may pass at once before policing drops, in bytes.
const POLICE_BURST: u128 = 1 << 20;

/// What is done with everything that an interface receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// More than that many bytes per second is dropped.
    Police(u64),
    /// It leaves by the interface of that number.
    Redirect(u32),
}

fn attribute(out: &mut Vec<u8>, kind: u16, value: &[u8]) {
    // The longest value here has a little more than a kilobyte.
    let length = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
    out.extend(length.to_ne_bytes());
    out.extend(kind.to_ne_bytes());
    out.extend(value);
    out.resize(out.len().next_multiple_of(4), 0);
}

/// `struct tc_ratespec`; rates above 32 bits stand in an attribute of their own.
fn rate_spec(rate: u64) -> [u8; 12] {
    let mut spec = [0; 12];
    spec[0] = 3;
    spec[1] = ETHERNET;
    spec[8..].copy_from_slice(&u32::try_from(rate).unwrap_or(u32::MAX).to_ne_bytes());
    spec
}

/// What may leave at once, and what may wait, in bytes: ten milliseconds and a tenth of a second,
/// but enough for some packets.
fn bucket(rate: u64) -> (u32, u32) {
    let bounded = |bytes: u64, least: u32| u32::try_from(bytes).unwrap_or(u32::MAX / 4).max(least);
    let burst = bounded(rate / 100, 16 << 10).min(u32::MAX / 4);
    (burst, burst.saturating_add(bounded(rate / 10, 128 << 10).min(u32::MAX / 4)))
}

/// The options of a token bucket.
fn bucket_options(rate: u64) -> Vec<u8> {
    let (burst, limit) = bucket(rate);
    let mut parameters = rate_spec(rate).to_vec();
    parameters.extend([0; 12]);
    parameters.extend(limit.to_ne_bytes());
    parameters.extend([0; 8]);
    let mut options = Vec::new();
    attribute(&mut options, 1, &parameters);
    attribute(&mut options, 6, &burst.to_ne_bytes());
    if rate > u64::from(u32::MAX) {
        attribute(&mut options, 4, &rate.to_ne_bytes());
    }
    options
}

/// An action of a filter.
fn action(kind: &str, options: &[u8]) -> Vec<u8> {
    let mut inner = Vec::new();
    attribute(&mut inner, 1, format!("{kind}\0").as_bytes());
    attribute(&mut inner, 2, options);
    let mut list = Vec::new();
    attribute(&mut list, 1, &inner);
    list
}

fn police(rate: u64) -> Vec<u8> {
    const SHOT: u32 = 2;
    let burst = POLICE_BURST * 1_000_000_000 / u128::from(rate.max(1)) / TICK;
    let burst = u32::try_from(burst).unwrap_or(u32::MAX).max(1);
    let mut parameters = Vec::new();
    // Number, action, limit, burst, largest packet.
    for word in [0, SHOT, 0, burst, u32::MAX] {
        parameters.extend(word.to_ne_bytes());
    }
    parameters.extend(rate_spec(rate));
    parameters.extend([0; 24]);
    let mut options = Vec::new();
    attribute(&mut options, 1, &parameters);
    // A table that the kernel wants to see and does not use.
    attribute(&mut options, 2, &[0; 1024]);
    if rate > u64::from(u32::MAX) {
        attribute(&mut options, 8, &rate.to_ne_bytes());
    }
    action("police", &options)
}

fn redirect(index: u32) -> Vec<u8> {
    const STOLEN: u32 = 4;
    const EGRESS_REDIRECT: u32 = 1;
    let mut parameters = Vec::new();
    for word in [0, 0, STOLEN, 0, 0, EGRESS_REDIRECT, index] {
        parameters.extend(word.to_ne_bytes());
    }
    let mut options = Vec::new();
    attribute(&mut options, 2, &parameters);
    action("mirred", &options)
}

/// A filter that matches everything.
fn filter_options(received: Received) -> Vec<u8> {
    // `struct tc_u32_sel`: one key that compares nothing, and the end of the search.
    let mut selector = [0; 32];
    selector[0] = 1;
    selector[2] = 1;
    let action = match received {
        Received::Police(rate) => police(rate),
        Received::Redirect(index) => redirect(index),
    };
    let mut options = Vec::new();
    attribute(&mut options, 5, &selector);
    attribute(&mut options, 7, &action);
    options
}

fn message(index: u32, parent: u32, handle: u32, kind: &str, options: Option<Vec<u8>>) -> TcMessage {
    let mut message = TcMessage::with_index(index.cast_signed());
    message.header.parent = parent.into();
    message.header.handle = handle.into();
    if !kind.is_empty() {
        message.attributes.push(TcAttribute::Kind(kind.to_owned()));
    }
    message.attributes.extend(options.map(|bytes| TcAttribute::Other(DefaultNla::new(TCA_OPTIONS, bytes))));
    message
}

impl Socket {
    /// Lets an interface send at most so many bytes per second.
    pub(crate) fn shape(&mut self, index: u32, rate: u64) -> Result<(), NetlinkError> {
        let message = message(index, ROOT, 1 << 16, "tbf", Some(bucket_options(rate)));
        let message = RouteNetlinkMessage::NewQueueDiscipline(message);
        self.change("limit what an interface sends", message, NLM_F_CREATE | NLM_F_REPLACE)
    }

    /// Lets an interface send as fast as it can.
    pub(crate) fn unshape(&mut self, index: u32) -> Result<(), NetlinkError> {
        self.delete_queue(index, ROOT, 1 << 16)
    }

    /// Has everything that an interface receives go through a filter, in place of any other.
    pub(crate) fn filter_received(&mut self, index: u32, received: Received) -> Result<(), NetlinkError> {
        self.unfilter_received(index)?;
        let queue = message(index, INGRESS, INGRESS_HANDLE, "ingress", Some(Vec::new()));
        let queue = RouteNetlinkMessage::NewQueueDiscipline(queue);
        self.change("queue what an interface receives", queue, NLM_F_CREATE | NLM_F_EXCL)?;
        let mut filter = message(index, INGRESS_HANDLE, 0, "u32", Some(filter_options(received)));
        filter.header.info = EVERYTHING;
        let filter = RouteNetlinkMessage::NewTrafficFilter(filter);
        self.change("limit what an interface receives", filter, NLM_F_CREATE | NLM_F_EXCL)
    }

    /// Takes the filter away, if there is one.
    pub(crate) fn unfilter_received(&mut self, index: u32) -> Result<(), NetlinkError> {
        self.delete_queue(index, INGRESS, INGRESS_HANDLE)
    }

    fn delete_queue(&mut self, index: u32, parent: u32, handle: u32) -> Result<(), NetlinkError> {
        let message = RouteNetlinkMessage::DelQueueDiscipline(message(index, parent, handle, "", None));
        match self.change("take a limit away", message, 0) {
            Err(e) if e.is(Errno::NOENT) || e.is(Errno::INVAL) => Ok(()),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_have_the_sizes_of_the_kernels() {
        assert_eq!(bucket_options(1_250_000).len(), (4 + 36) + (4 + 4));
        assert_eq!(bucket_options(5_000_000_000).len(), (4 + 36) + (4 + 4) + (4 + 8));
        let police = police(1_250_000);
        // One action: its name and its options, the latter parameters and a table.
        assert_eq!(police.len(), 4 + (4 + 8) + 4 + (4 + 56) + (4 + 1024));
        assert_eq!(redirect(7).len(), 4 + (4 + 8) + 4 + (4 + 28));
    }

    #[test]
    fn buckets_hold_some_packets_and_grow_with_the_rate() {
        assert_eq!(bucket(1), (16 << 10, (16 << 10) + (128 << 10)));
        let (burst, limit) = bucket(125_000_000);
        assert_eq!((burst, limit), (1_250_000, 1_250_000 + 12_500_000));
        assert!(bucket(u64::MAX).1 < u32::MAX);
    }
}
