//! What is offered and what is chosen. No I/O.
//!
//! A source offers the way that its storage prefers, and always rsync; a sink takes the same way if its
//! own storage can, else rsync. The only way that storage has so far is rsync; a native stream becomes
//! a variant of [`Transfer`], chosen in [`choose`] and checked in [`accept`].

use crate::Error;
use crate::message::{FsType, MigrationHeader, RsyncFeatures};
use tools::rsync::Features;

/// How files are carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transfer {
    /// By rsync at both ends.
    Rsync(Features),
}

/// What both sides have agreed upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// How files are carried.
    pub transfer: Transfer,
    /// Files change while they are sent: the container comes a second time.
    pub twice: bool,
    /// The sink has something already and asks for some snapshots only.
    pub refresh: bool,
}

/// What our side can do, as a header says it.
pub(crate) fn say(features: Features) -> RsyncFeatures {
    RsyncFeatures {
        xattrs: Some(features.xattrs),
        delete: Some(features.delete),
        compress: Some(features.compress),
        // That the options are negotiated at all.
        bidirectional: Some(true),
        hard_links: Some(features.hard_links),
        acls: Some(features.acls),
    }
}

/// What the other side can do. One that says nothing knows none of it.
pub(crate) fn hear(said: Option<&RsyncFeatures>) -> Features {
    said.map_or(Features::default(), |said| Features {
        xattrs: said.xattrs(),
        delete: said.delete(),
        compress: said.compress(),
        hard_links: said.hard_links(),
        acls: said.acls(),
    })
}

/// The sink's choice, from the source's offer.
pub(crate) fn choose(offer: &MigrationHeader) -> Transfer {
    Transfer::Rsync(Features::ALL.and(hear(offer.rsync_features.as_ref())))
}

/// What the sink's answer means to the source.
///
/// # Errors
/// It wants what was not offered.
pub(crate) fn accept(answer: &MigrationHeader) -> Result<Transfer, Error> {
    match FsType::try_from(answer.fs) {
        Ok(FsType::Rsync) => Ok(Transfer::Rsync(Features::ALL.and(hear(answer.rsync_features.as_ref())))),
        _ => Err(Error::Unoffered("another kind of stream than rsync")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(fs: i32, features: Option<RsyncFeatures>) -> MigrationHeader {
        MigrationHeader { fs, rsync_features: features, ..MigrationHeader::default() }
    }

    #[test]
    fn the_common_part_is_chosen() {
        let lxd = RsyncFeatures {
            xattrs: Some(true),
            delete: Some(true),
            compress: Some(true),
            bidirectional: Some(true),
            ..RsyncFeatures::default()
        };
        let common = Features { hard_links: false, acls: false, ..Features::ALL };
        assert_eq!(choose(&header(2, Some(lxd))), Transfer::Rsync(common));
        assert_eq!(choose(&header(77, Some(say(Features::ALL)))), Transfer::Rsync(Features::ALL));
        // The oldest daemons do not negotiate.
        assert_eq!(choose(&header(0, None)), Transfer::Rsync(Features::default()));
        assert_eq!(hear(Some(&say(Features::ALL))), Features::ALL);
    }

    #[test]
    fn what_was_not_offered_is_refused() {
        assert!(accept(&header(0, None)).is_ok());
        for fs in [1, 2, 3, 4, -1, 99] {
            assert!(accept(&header(fs, None)).is_err(), "{fs}");
        }
    }
}
