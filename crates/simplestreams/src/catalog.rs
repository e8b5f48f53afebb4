//! All images of a server, sorted, and the names that lead to them.

use crate::entry::{Entry, File};
use api::images::{AliasEntry, Image, ImageAlias};
use model::arch::Architecture;
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// An image of a server.
#[derive(Clone, Debug)]
pub struct Listed {
    /// As a daemon would show it.
    pub image: Image,
    /// What to download: the whole image, or metadata and root file system, in this order.
    pub files: Vec<File>,
}

/// All images of a server.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    images: Vec<Listed>,
}

/// An image that was not found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FindError {
    /// None is called that.
    #[error("the image server has no image {0:?}")]
    None(String),
    /// Several begin so.
    #[error("the fingerprint {0:?} matches more than one image of the server; give more of it")]
    Several(String),
}

/// The order in which images claim their names: by system and release, the newest first.
fn order(a: &Entry, b: &Entry) -> Ordering {
    let get = |entry: &Entry, key: &str| entry.properties.get(key).cloned().unwrap_or_default();
    // Those without one come last.
    let by = |key: &str| {
        let (a, b) = (get(a, key), get(b, key));
        a.is_empty().cmp(&b.is_empty()).then(a.cmp(&b))
    };
    by("os")
        .then_with(|| by("release"))
        .then_with(|| b.created_at.cmp(&a.created_at))
        .then_with(|| get(b, "serial").cmp(&get(a, "serial")))
}

/// The names that an image asks for: plain ones are for images of this host's architecture.
fn claims(entry: &Entry, native: Architecture) -> impl Iterator<Item = String> + '_ {
    let plain = entry.names.iter().filter(move |_| entry.architecture == native).cloned();
    plain.chain(entry.names.iter().map(|name| format!("{name}/{}", entry.arch)))
}

/// Whether an image could be what a name or the beginning of a fingerprint means.
pub(crate) fn may_be(entry: &Entry, name: &str, native: Architecture) -> bool {
    begins(entry, name) || claims(entry, native).any(|claim| claim == name)
}

fn begins(entry: &Entry, name: &str) -> bool {
    !name.is_empty() && entry.fingerprint.as_str().starts_with(name)
}

/// The image that a name or the beginning of a fingerprint means, and whether it was a name.
pub(crate) fn choose(
    mut entries: Vec<Entry>,
    name: &str,
    native: Architecture,
) -> Result<(Entry, bool), FindError> {
    entries.sort_by(order);
    if let Some(place) = entries.iter().position(|entry| claims(entry, native).any(|claim| claim == name)) {
        return Ok((entries.swap_remove(place), true));
    }
    entries.retain(|entry| begins(entry, name));
    entries.dedup_by(|a, b| a.fingerprint == b.fingerprint);
    match entries.len() {
        0 => Err(FindError::None(name.to_owned())),
        1 => Ok((entries.swap_remove(0), false)),
        _ => Err(FindError::Several(name.to_owned())),
    }
}

impl Entry {
    /// As a daemon would show it.
    #[must_use]
    pub fn listed(self, aliases: Vec<String>) -> Listed {
        let size: u64 = self.files.iter().map(|file| file.size).fold(0, u64::saturating_add);
        let filename = self.files.first().and_then(|file| file.path.rsplit('/').next()).unwrap_or_default();
        let alias = |name| ImageAlias { name, ..ImageAlias::default() };
        let image = Image {
            public: true,
            aliases: aliases.into_iter().map(alias).collect(),
            architecture: self.architecture.name().to_owned(),
            filename: filename.to_owned(),
            fingerprint: self.fingerprint.to_string(),
            size: i64::try_from(size).unwrap_or(i64::MAX),
            created_at: self.created_at,
            expires_at: self.expires_at,
            uploaded_at: self.created_at,
            properties: self.properties,
            kind: "container".to_owned(),
            ..Image::default()
        };
        Listed { image, files: self.files }
    }
}

impl Catalog {
    /// Sorts the images of a server and gives each name to the first that claims it.
    #[must_use]
    pub fn new(mut entries: Vec<Entry>, native: Architecture) -> Self {
        entries.sort_by(order);
        let (mut names, mut seen) = (BTreeSet::new(), BTreeSet::new());
        entries.retain(|entry| seen.insert(entry.fingerprint.clone()));
        let listed = |entry: Entry| {
            let mine = claims(&entry, native).filter(|name| names.insert(name.clone())).collect();
            entry.listed(mine)
        };
        Self { images: entries.into_iter().map(listed).collect() }
    }

    /// All of them, by system and release, the newest first.
    #[must_use]
    pub fn images(&self) -> &[Listed] {
        &self.images
    }

    /// All names, sorted.
    #[must_use]
    pub fn aliases(&self) -> Vec<AliasEntry> {
        let entry = |listed: &Listed, alias: &ImageAlias| AliasEntry {
            name: alias.name.clone(),
            target: listed.image.fingerprint.clone(),
            kind: "container".to_owned(),
            description: String::new(),
        };
        let mut all: Vec<AliasEntry> = self
            .images
            .iter()
            .flat_map(|listed| listed.image.aliases.iter().map(move |alias| entry(listed, alias)))
            .collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// The image that a name or the beginning of a fingerprint means.
    ///
    /// # Errors
    /// There is none, or several begin so.
    pub fn resolve(&self, name: &str) -> Result<&Listed, FindError> {
        let called = |listed: &&Listed| listed.image.aliases.iter().any(|alias| alias.name == name);
        if let Some(listed) = self.images.iter().find(called) {
            return Ok(listed);
        }
        let begins = |listed: &&Listed| !name.is_empty() && listed.image.fingerprint.starts_with(name);
        let mut found = self.images.iter().filter(begins);
        match (found.next(), found.next()) {
            (None, _) => Err(FindError::None(name.to_owned())),
            (Some(one), None) => Ok(one),
            _ => Err(FindError::Several(name.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::FileKind;

    fn entry(digit: &str, release: &str, arch: &str, serial: &str) -> Entry {
        let names = vec![release[..1].to_owned(), release.to_owned()];
        let file =
            File { kind: FileKind::Unified, path: "a/b.tar.gz".to_owned(), sha256: String::new(), size: 3 };
        Entry {
            fingerprint: model::Fingerprint::parse(&digit.repeat(64)).unwrap(),
            names,
            arch: arch.to_owned(),
            architecture: Architecture::parse(arch).unwrap(),
            created_at: api::Time::from_unix(serial.parse().unwrap()),
            expires_at: api::Time::UNSET,
            properties: [("os", "ubuntu"), ("release", release), ("serial", serial)]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
            files: vec![file],
        }
    }

    fn entries() -> Vec<Entry> {
        vec![
            entry("a", "xenial", "i386", "9"),
            entry("b", "xenial", "amd64", "1"),
            entry("c", "xenial", "amd64", "2"),
            entry("d", "xerus", "amd64", "7"),
            entry("e", "bionic", "arm64", "3"),
        ]
    }

    #[test]
    fn the_newest_of_this_architecture_has_the_name() {
        let catalog = Catalog::new(entries(), Architecture::X86_64);
        let of = |name: &str| catalog.resolve(name).map(|l| l.image.fingerprint[..1].to_owned());
        assert_eq!(of("xenial").unwrap(), "c");
        assert_eq!(of("xenial/amd64").unwrap(), "c");
        assert_eq!(of("xenial/i386").unwrap(), "a");
        // "xenial" comes before "xerus", so the shared name is its.
        assert_eq!(of("x").unwrap(), "c");
        assert!(of("bionic").is_err());
        assert_eq!(of("bionic/arm64").unwrap(), "e");
        assert_eq!(of("bb").unwrap(), "b");
        assert!(of("").is_err());
        for name in ["xenial", "xenial/i386", "x", "x/i386", "bionic", "bb", "nothing"] {
            let native = Architecture::X86_64;
            let some = entries().into_iter().filter(|e| may_be(e, name, native)).collect();
            let chosen = choose(some, name, native).map(|(e, _)| e.fingerprint.to_string()[..1].to_owned());
            assert_eq!(chosen, of(name), "{name}");
        }
        let names: Vec<String> = catalog.aliases().into_iter().map(|alias| alias.name).collect();
        assert!(names.is_sorted() && names.contains(&"xerus".to_owned()), "{names:?}");
        assert_eq!(catalog.images()[0].image.properties["release"], "bionic");
    }
}
