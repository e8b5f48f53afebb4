//! Which volume is meant: `[remote:]pool` and `[type/]volume[/snapshot]`.

use crate::args::WhichVolume;
use crate::session::{Session, Target};
use anyhow::{Context as _, ensure};
use client::{Client, VolumePlace};
use std::fmt;

/// The kind of volumes that people make.
pub(super) const CUSTOM: &str = "custom";

/// What a volume is called in its pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    /// `custom`, `container` or `image`.
    pub(super) kind: String,
    pub(super) volume: String,
    pub(super) snapshot: Option<String>,
}

/// A volume and the server that has it.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) client: Client,
    pub(super) remote: String,
    pub(super) pool: String,
    pub(super) name: Name,
}

impl Name {
    /// Reads `[type/]volume[/snapshot]`. A type is one only with something behind it.
    pub(super) fn parse(text: &str) -> anyhow::Result<Self> {
        let (kind, rest) = match text.split_once('/') {
            Some((CUSTOM, rest)) => (CUSTOM, rest),
            Some(("container" | "containers", rest)) => ("container", rest),
            Some(("image" | "images", rest)) => ("image", rest),
            _ => (CUSTOM, text),
        };
        let (volume, snapshot) = match rest.split_once('/') {
            Some((volume, snapshot)) => (volume, Some(snapshot)),
            None => (rest, None),
        };
        let good = |name: &str| !name.is_empty() && !name.contains('/');
        ensure!(
            good(volume) && snapshot.is_none_or(good),
            "\"{text}\" is no name of a volume: use VOLUME, VOLUME/SNAPSHOT, container/CONTAINER or image/FINGERPRINT"
        );
        Ok(Self { kind: kind.to_owned(), volume: volume.to_owned(), snapshot: snapshot.map(str::to_owned) })
    }

    /// What it is: made by people.
    pub(super) fn must_be_custom(&self, what: &str) -> anyhow::Result<()> {
        ensure!(
            self.kind == CUSTOM,
            "Only volumes of your own can be {what}; {} is {} {}",
            self.volume,
            if self.kind == "image" { "an" } else { "a" },
            self.kind
        );
        Ok(())
    }

    /// What it is: no snapshot.
    pub(super) fn must_be_whole(&self, what: &str) -> anyhow::Result<()> {
        ensure!(self.snapshot.is_none(), "{self} is a snapshot, and only volumes can be {what}");
        Ok(())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.volume)?;
        self.snapshot.iter().try_for_each(|snapshot| write!(f, "/{snapshot}"))
    }
}

impl Place {
    pub(super) fn of(session: &Session, which: &WhichVolume) -> anyhow::Result<Self> {
        Self::new(session, &which.pool, &which.volume)
    }

    pub(super) fn new(session: &Session, pool: &str, volume: &str) -> anyhow::Result<Self> {
        let (client, Target { remote, name }) = session.named(pool, "storage pool")?;
        ensure!(!name.contains('/'), "\"{name}\" is no name of a pool; the volume is an argument of its own");
        Ok(Self { client, remote, pool: name, name: Name::parse(volume)? })
    }

    /// Reads `[remote:]pool/volume[/snapshot]`; without a remote it is on the server that is given.
    pub(super) fn joined(session: &Session, text: &str, server: Option<&str>) -> anyhow::Result<Self> {
        let mut target = session.target(text)?;
        if let (Some(server), false) = (server, text.contains(':')) {
            server.clone_into(&mut target.remote);
        }
        let (pool, volume) = target
            .name
            .split_once('/')
            .filter(|(pool, _)| !pool.is_empty())
            .with_context(|| format!("\"{text}\" names no volume in a pool: use POOL/VOLUME"))?;
        let client = session.client(&target.remote)?;
        Ok(Self { client, pool: pool.to_owned(), name: Name::parse(volume)?, remote: target.remote })
    }

    /// The volume, for requests.
    pub(super) fn at(&self) -> VolumePlace<'_> {
        VolumePlace { pool: &self.pool, kind: &self.name.kind, name: &self.name.volume }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let parse = |text: &str| {
            let name = Name::parse(text).map_err(|_| ())?;
            Ok::<_, ()>((name.kind, name.volume, name.snapshot.unwrap_or_default()))
        };
        let is = |kind: &str, volume: &str, snapshot: &str| {
            Ok((kind.to_owned(), volume.to_owned(), snapshot.to_owned()))
        };
        assert_eq!(parse("data"), is("custom", "data", ""));
        assert_eq!(parse("data/snap0"), is("custom", "data", "snap0"));
        assert_eq!(parse("custom/data"), is("custom", "data", ""));
        assert_eq!(parse("custom/data/snap0"), is("custom", "data", "snap0"));
        assert_eq!(parse("container/c1"), is("container", "c1", ""));
        assert_eq!(parse("containers/c1/snap0"), is("container", "c1", "snap0"));
        assert_eq!(parse("image/75182b"), is("image", "75182b", ""));
        assert_eq!(parse("custom"), is("custom", "custom", ""));
        for bad in ["", "/", "a/", "/a", "a/b/c", "custom/", "custom/a/b/c"] {
            assert_eq!(parse(bad), Err(()), "{bad}");
        }
    }
}
