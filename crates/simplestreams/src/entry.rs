//! One image of a list: what a version of a product says.

use crate::lenient::{Few, Number, Object, Text};
use api::{Config, Time};
use model::Fingerprint;
use model::arch::Architecture;
use serde::{Deserialize, Serialize};

/// The most names that one product may have.
const NAMES: usize = 64;

/// Which file of an image it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileKind {
    /// The metadata of a split image.
    Metadata,
    /// The root file system of a split image.
    Rootfs,
    /// The whole image.
    Unified,
}

/// A file to download.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Which it is.
    pub kind: FileKind,
    /// Where it is, relative to the server's address.
    pub path: String,
    /// Its SHA-256 in hexadecimal digits.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
}

/// An image of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// SHA-256 over its files.
    pub fingerprint: Fingerprint,
    /// Names that the list gives it, without architecture.
    pub names: Vec<String>,
    /// Its architecture as the list writes it.
    pub arch: String,
    /// Its architecture.
    pub architecture: Architecture,
    /// The day it was made, from its serial number.
    pub created_at: Time,
    /// The end of its support; unset when it is not told.
    pub expires_at: Time,
    /// Its properties.
    pub properties: Config,
    /// What to download: the whole image, or metadata and root file system, in this order.
    pub files: Vec<File>,
}

/// A product as a list has it.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Product {
    aliases: Text,
    arch: Text,
    os: Text,
    release: Text,
    release_title: Text,
    version: Text,
    support_eol: Text,
    variant: Text,
    lxd_requirements: Few<Text, 32>,
    requirements: Few<Text, 32>,
    versions: Few<Object<Version>, 512>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Version {
    label: Text,
    items: Few<Object<Item>, 128>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Item {
    ftype: Text,
    path: Text,
    sha256: Text,
    size: Number,
    combined_sha256: Text,
    combined_rootxz_sha256: Text,
    combined_squashfs_sha256: Text,
}

impl Product {
    /// Its images. `stripped` is the beginning that its names lose.
    pub(crate) fn entries(self, stripped: &str) -> Vec<Entry> {
        let Ok(architecture) = Architecture::parse(&self.arch.0) else { return Vec::new() };
        let names = self.names(stripped);
        let expires_at = day(&self.support_eol.0.replace('-', "")).unwrap_or_default();
        let entry = |(serial, version): &(String, Object<Version>)| {
            let version = version.0.as_ref()?;
            let created_at = day(serial)?;
            let (fingerprint, files) = version.files()?;
            Some(Entry {
                fingerprint,
                names: names.clone(),
                arch: self.arch.0.clone(),
                architecture,
                created_at,
                expires_at,
                properties: self.properties(serial, &version.label.0),
                files,
            })
        };
        self.versions.0.iter().filter_map(entry).collect()
    }

    fn names(&self, stripped: &str) -> Vec<String> {
        let names = self.aliases.0.split(',').map(str::trim);
        let names = names.map(|name| name.strip_prefix(stripped).unwrap_or(name));
        names.filter(|name| !name.is_empty()).take(NAMES).map(str::to_owned).collect()
    }

    fn properties(&self, serial: &str, label: &str) -> Config {
        let title = if self.release_title.0.is_empty() { &self.release.0 } else { &self.release_title.0 };
        let told = if label.is_empty() { String::new() } else { format!(" ({label})") };
        let description = format!("{} {title} {}{told} ({serial})", self.os.0, self.arch.0);
        let mut all: Config = [
            ("os", self.os.0.as_str()),
            ("release", &self.release.0),
            ("version", &self.version.0),
            ("architecture", &self.arch.0),
            ("variant", &self.variant.0),
            ("label", label),
            ("serial", serial),
            ("description", description.trim()),
        ]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
        for (key, value) in self.lxd_requirements.0.iter().chain(&self.requirements.0) {
            all.insert(format!("requirements.{key}"), value.0.clone());
        }
        all
    }
}

impl Version {
    /// The files of its image and their fingerprint. A list that knows no better has one fingerprint,
    /// which is then that of the tarball if there is one.
    fn files(&self) -> Option<(Fingerprint, Vec<File>)> {
        let metadata = self.item("lxd.tar.xz").or_else(|| self.item("incus.tar.xz"));
        let (squashfs, tarball) = (self.item("squashfs"), self.item("root.tar.xz"));
        if let Some(metadata) = metadata {
            let of = |text: &Text| Fingerprint::parse(&text.0).ok();
            let either = |one: &Text| of(one).or_else(|| of(&metadata.combined_sha256));
            let choices = [
                (of(&metadata.combined_squashfs_sha256), squashfs),
                (either(&metadata.combined_rootxz_sha256), tarball),
                (of(&metadata.combined_sha256), squashfs),
            ];
            for (fingerprint, rootfs) in choices {
                let both = || Some(vec![metadata.file(FileKind::Metadata)?, rootfs?.file(FileKind::Rootfs)?]);
                if let (Some(fingerprint), Some(files)) = (fingerprint, both()) {
                    return Some((fingerprint, files));
                }
            }
        }
        let whole = self.item("lxd_combined.tar.gz").or_else(|| self.item("incus_combined.tar.gz"))?;
        let file = whole.file(FileKind::Unified)?;
        Some((Fingerprint::parse(&file.sha256).ok()?, vec![file]))
    }

    fn item(&self, ftype: &str) -> Option<&Item> {
        self.items.0.iter().filter_map(|(_, item)| item.0.as_ref()).find(|item| item.ftype.0 == ftype)
    }
}

impl Item {
    fn file(&self, kind: FileKind) -> Option<File> {
        let sha256 = Fingerprint::parse(&self.sha256.0).ok()?.to_string();
        let size = self.size.0.filter(|size| *size > 0)?;
        crate::mirrors::is_path(&self.path.0).then(|| File { kind, path: self.path.0.clone(), sha256, size })
    }
}

/// The day that a text begins with, as `YYYYMMDD`.
pub(crate) fn day(text: &str) -> Option<Time> {
    let digits = text.get(..8).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))?;
    let text = format!("{}-{}-{}T00:00:00Z", &digits[..4], &digits[4..6], &digits[6..]);
    serde_json::from_value(text.into()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(version: &serde_json::Value) -> Vec<Entry> {
        let product = serde_json::json!({
            "aliases": "ubuntu/14.04, t,,trusty", "arch": "amd64", "os": "ubuntu", "release": "trusty",
            "release_title": "14.04 LTS", "version": "14.04", "support_eol": "2019-04-17",
            "supported": true, "versions": {"20160314": {"label": "release", "items": version}}
        });
        serde_json::from_value::<Product>(product).unwrap().entries("ubuntu/")
    }

    fn hash(digit: &str) -> String {
        digit.repeat(64)
    }

    #[test]
    fn a_product_of_ubuntu() {
        let image = entries(&serde_json::json!({
            "lxd.tar.xz": {"ftype": "lxd.tar.xz", "path": "a/lxd.tar.xz", "sha256": hash("1"), "size": 5,
                "combined_sha256": hash("a"), "combined_squashfs_sha256": hash("b")},
            "root.tar.xz": {"ftype": "root.tar.xz", "path": "a/root.tar.xz", "sha256": hash("2"), "size": 7},
            "squashfs": {"ftype": "squashfs", "path": "a/squashfs", "sha256": hash("3"), "size": 11},
            "disk1.img": {"ftype": "disk1.img", "path": "a/disk", "sha256": hash("4"), "size": 13}
        }));
        let image = &image[0];
        assert_eq!(image.fingerprint.as_str(), hash("b"));
        assert_eq!(image.names, ["14.04", "t", "trusty"]);
        assert_eq!(image.created_at.to_string(), "2016-03-14T00:00:00Z");
        assert_eq!(image.expires_at.to_string(), "2019-04-17T00:00:00Z");
        assert_eq!(image.properties["description"], "ubuntu 14.04 LTS amd64 (release) (20160314)");
        assert_eq!(image.properties["serial"], "20160314");
        assert_eq!(image.files.iter().map(|file| file.size).collect::<Vec<_>>(), [5, 11]);
    }

    #[test]
    fn which_files_are_taken() {
        let meta = |extra: serde_json::Value| {
            let mut item =
                serde_json::json!({"ftype": "lxd.tar.xz", "path": "l", "sha256": hash("1"), "size": 1});
            item.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            item
        };
        let root = serde_json::json!({"ftype": "root.tar.xz", "path": "r", "sha256": hash("2"), "size": 2});
        let squash = serde_json::json!({"ftype": "squashfs", "path": "s", "sha256": hash("3"), "size": 3});
        let whole =
            serde_json::json!({"ftype": "lxd_combined.tar.gz", "path": "c", "sha256": hash("4"), "size": 4});
        let disk = serde_json::json!({"ftype": "disk-kvm.img", "path": "d", "sha256": hash("5"), "size": 5});
        let one = |items: serde_json::Value| {
            entries(&items)
                .first()
                .map(|e| (e.fingerprint.to_string()[..1].to_owned(), e.files.last().unwrap().size))
        };
        let combined = meta(serde_json::json!({"combined_sha256": hash("a")}));
        let xz = meta(serde_json::json!({"combined_rootxz_sha256": hash("c")}));
        assert_eq!(one(serde_json::json!({"1": combined, "2": root, "3": squash})), Some(("a".into(), 2)));
        assert_eq!(one(serde_json::json!({"1": combined, "3": squash})), Some(("a".into(), 3)));
        assert_eq!(one(serde_json::json!({"1": xz, "2": root, "3": squash})), Some(("c".into(), 2)));
        assert_eq!(one(serde_json::json!({"4": whole, "5": disk})), Some(("4".into(), 4)));
        assert_eq!(one(serde_json::json!({"1": xz, "5": disk})), None);
        assert_eq!(one(serde_json::json!({"2": root, "3": squash, "x": 7})), None);
        let broken = meta(serde_json::json!({"combined_sha256": "../../etc"}));
        assert_eq!(one(serde_json::json!({"1": broken, "2": root})), None);
        let escaping =
            serde_json::json!({"ftype": "squashfs", "path": "../s", "sha256": hash("3"), "size": 3});
        assert_eq!(one(serde_json::json!({"1": combined, "3": escaping})), None);
    }

    #[test]
    fn days() {
        assert_eq!(day("20240229_07:42").unwrap().to_string(), "2024-02-29T00:00:00Z");
        for text in ["", "2024", "20241301", "2024-02-29", "éééé"] {
            assert_eq!(day(text), None, "{text}");
        }
    }
}
