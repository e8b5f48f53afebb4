//! A tree of files that is an image server: `streams/v1/index.json` names one list of products,
//! `streams/v1/images.json`, which names the files of images. Here are the lists, without I/O.
//!
//! What others have put into a list stays: other products, other fields, older versions.

use crate::entry::day;
use api::Time;
use api::images::Image;
use model::arch::Architecture;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Where the list of lists is.
pub const INDEX: &str = "streams/v1/index.json";
/// Where the list of products is.
pub const PRODUCTS: &str = "streams/v1/images.json";

/// One file of an image in the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeFile {
    /// Which it is.
    pub kind: TreeKind,
    /// Relative to the top of the tree.
    pub path: String,
    /// In hexadecimal digits.
    pub sha256: String,
    /// In bytes.
    pub size: u64,
}

/// What a file of an image is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TreeKind {
    /// The metadata of a split image.
    Metadata,
    /// A root file system as a squashfs.
    Squashfs,
    /// A root file system as a tarball.
    Tarball,
    /// The whole image.
    Unified,
}

/// Why a list cannot be changed.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// It is not JSON.
    #[error("this is not a list of products")]
    Json(#[from] serde_json::Error),
    /// It is something else.
    #[error("this is not a list of products: it has no object \"products\"")]
    Shape,
    /// An image that no list can have.
    #[error(transparent)]
    Architecture(#[from] model::arch::UnknownArchitecture),
}

/// A list of products.
#[derive(Clone, Debug)]
pub struct Tree {
    fields: Map<String, Value>,
    products: Map<String, Value>,
}

impl Tree {
    /// Reads a list; `None`: begins one.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: Option<&[u8]>) -> Result<Self, TreeError> {
        let Some(text) = text else {
            return Ok(Self { fields: Map::new(), products: Map::new() });
        };
        let mut fields: Map<String, Value> = serde_json::from_slice(text)?;
        match fields.remove("products") {
            Some(Value::Object(products)) => Ok(Self { fields, products }),
            _ => Err(TreeError::Shape),
        }
    }

    /// The files of an image, if the list has it.
    #[must_use]
    pub fn files(&self, fingerprint: &str) -> Option<Vec<(String, u64)>> {
        let (_, version) =
            self.versions().find(|(_, version)| fingerprints(version).contains(fingerprint))?;
        let file = |item: &Value| Some((text(item, "path").to_owned(), item.get("size")?.as_u64()?));
        version.get("items")?.as_object()?.values().map(file).collect()
    }

    /// Fingerprints of all images.
    #[must_use]
    pub fn images(&self) -> BTreeSet<String> {
        self.versions().flat_map(|(_, version)| fingerprints(version)).collect()
    }

    /// Adds an image, or brings what is said about it up to date. Its names are taken from others;
    /// `elsewhere` are names that other images of its server have; without `files` it keeps those that
    /// it has. Returns its product and version.
    ///
    /// # Errors
    /// An architecture that nobody knows.
    pub fn add(
        &mut self,
        image: &Image,
        elsewhere: &BTreeSet<String>,
        files: Option<&[TreeFile]>,
    ) -> Result<(String, String), TreeError> {
        let architecture = Architecture::parse(&image.architecture)?;
        let arch = architecture.aliases().first().copied().unwrap_or(architecture.name());
        // Names stand between commas.
        let names = image.aliases.iter().map(|alias| alias.name.as_str()).filter(|name| !name.contains(','));
        let names: BTreeSet<String> = names.map(str::to_owned).collect();
        let product = self.product_of(image, arch, &names, elsewhere);
        let old = self.take_out(&image.fingerprint, &product);
        for other in self.products.values_mut().filter(|other| text(other, "arch") == arch) {
            take_names(other, &names);
        }
        let entry = self.products.entry(product.clone()).or_insert_with(|| json!({}));
        let mut fields = entry.as_object().cloned().unwrap_or_default();
        let mut all = names_of(entry);
        all.extend(names);
        describe(&mut fields, image, arch, &all);
        let versions = fields.entry("versions").or_insert_with(|| json!({}));
        let mut listed = versions.as_object().cloned().unwrap_or_default();
        let version = version_of(&listed, image);
        match (files, old) {
            (Some(files), _) => drop(listed.insert(version.clone(), self::version(image, files))),
            (None, Some(old)) => drop(listed.insert(version.clone(), old)),
            (None, None) => {}
        }
        *versions = Value::Object(listed);
        *entry = Value::Object(fields);
        Ok((product, version))
    }

    /// Removes every version whose image is not among these, and products without versions.
    pub fn keep_only(&mut self, wanted: &BTreeSet<String>) {
        for product in self.products.values_mut() {
            if let Some(versions) = product.get_mut("versions").and_then(Value::as_object_mut) {
                versions
                    .retain(|_, version| fingerprints(version).iter().any(|print| wanted.contains(print)));
            }
        }
        let is_empty =
            |product: &Value| product.get("versions").and_then(Value::as_object).is_none_or(Map::is_empty);
        self.products.retain(|_, product| !is_empty(product));
    }

    /// The texts of the list of products and of the list of lists.
    #[must_use]
    pub fn texts(&self, now: Time) -> (String, String) {
        let mut list = self.fields.clone();
        list.insert("content_id".to_owned(), "images".into());
        list.insert("datatype".to_owned(), "image-downloads".into());
        list.insert("format".to_owned(), "products:1.0".into());
        list.insert("updated".to_owned(), now.to_string().into());
        list.insert("products".to_owned(), Value::Object(self.products.clone()));
        let names: Vec<&String> = self.products.keys().collect();
        let index = json!({
            "format": "index:1.0",
            "updated": now.to_string(),
            "index": {"images": {
                "datatype": "image-downloads",
                "format": "products:1.0",
                "path": PRODUCTS,
                "products": names,
                "updated": now.to_string(),
            }},
        });
        (format!("{:#}\n", Value::Object(list)), format!("{index:#}\n"))
    }

    /// Removes an image from all products but this one.
    fn take_out(&mut self, fingerprint: &str, product: &str) -> Option<Value> {
        let mut found = None;
        for (_, other) in self.products.iter_mut().filter(|(name, _)| *name != product) {
            let Some(versions) = other.get_mut("versions").and_then(Value::as_object_mut) else { continue };
            let name = versions.iter().find(|(_, v)| fingerprints(v).contains(fingerprint));
            if let Some(name) = name.map(|(name, _)| name.clone()) {
                found = versions.remove(&name);
            }
        }
        found
    }

    fn versions(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.products
            .values()
            .filter_map(|product| product.get("versions").and_then(Value::as_object))
            .flat_map(Map::iter)
    }

    /// The product that an image is a version of: the one that it is in, or that has one of its
    /// names and no name of another image; else a new one.
    fn product_of(
        &self,
        image: &Image,
        arch: &str,
        names: &BTreeSet<String>,
        elsewhere: &BTreeSet<String>,
    ) -> String {
        let of_others = |product: &Value| names_of(product).iter().any(|name| elsewhere.contains(name));
        let has_image = |product: &Value| {
            let versions = product.get("versions").and_then(Value::as_object);
            versions.is_some_and(|all| all.values().any(|v| fingerprints(v).contains(&image.fingerprint)))
        };
        let shares = |product: &Value| !names_of(product).is_disjoint(names);
        let same_arch = || self.products.iter().filter(|(_, product)| text(product, "arch") == arch);
        let found = same_arch()
            .find(|(_, product)| has_image(product) && !of_others(product))
            .or_else(|| same_arch().find(|(_, product)| shares(product) && !of_others(product)));
        if let Some((name, _)) = found {
            return name.clone();
        }
        let first = names.first().map_or(short(image), String::as_str);
        let (os, release) = os_and_release(image);
        let variant = image.properties.get("variant").map_or("default", String::as_str);
        let plain = [os.as_str(), release.as_str(), arch, variant].map(plain).join(":");
        // What has no name of its own must not look like a newer version of something that has one.
        if names.is_empty() || self.products.contains_key(&plain) {
            return format!("{plain}:{}", self::plain(first));
        }
        plain
    }
}

/// Fills in what a product says about all its versions.
fn describe(product: &mut Map<String, Value>, image: &Image, arch: &str, names: &BTreeSet<String>) {
    let (os, release) = os_and_release(image);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut set = |key: &str, value: String| product.insert(key.to_owned(), value.into());
    set("aliases", names.join(","));
    set("arch", arch.to_owned());
    set("os", os);
    set("release", release);
    for key in ["release_title", "release_codename", "version", "variant"] {
        if let Some(value) = image.properties.get(key) {
            set(key, value.clone());
        }
    }
    if image.expires_at.is_set() {
        set("support_eol", image.expires_at.to_string().chars().take(10).collect());
    }
    product.entry("supported").or_insert(Value::Bool(true));
    let prefix = "requirements.";
    let needed = image.properties.iter().filter_map(|(key, value)| Some((key.strip_prefix(prefix)?, value)));
    let needed: Map<String, Value> =
        needed.map(|(key, value)| (key.to_owned(), value.clone().into())).collect();
    if !needed.is_empty() {
        product.insert("lxd_requirements".to_owned(), Value::Object(needed));
    }
}

fn os_and_release(image: &Image) -> (String, String) {
    let property = |key: &str| image.properties.get(key).filter(|value| !value.is_empty()).cloned();
    let name = || image.aliases.first().map_or(short(image), |alias| alias.name.as_str()).to_owned();
    let os = property("os").unwrap_or_else(|| "custom".to_owned());
    (os, property("release").or_else(|| property("version")).unwrap_or_else(name))
}

/// One version: its files, with what they are together.
fn version(image: &Image, files: &[TreeFile]) -> Value {
    let mut items = Map::new();
    let kind_of_root = files.iter().find(|file| matches!(file.kind, TreeKind::Squashfs | TreeKind::Tarball));
    for file in files {
        let ftype = match file.kind {
            TreeKind::Metadata => "lxd.tar.xz",
            TreeKind::Squashfs => "squashfs",
            TreeKind::Tarball => "root.tar.xz",
            TreeKind::Unified => "lxd_combined.tar.gz",
        };
        let mut item = json!({"ftype": ftype, "path": file.path, "sha256": file.sha256, "size": file.size});
        if let (TreeKind::Metadata, Some(root), Some(item)) = (file.kind, kind_of_root, item.as_object_mut())
        {
            let key = if root.kind == TreeKind::Squashfs {
                "combined_squashfs_sha256"
            } else {
                "combined_rootxz_sha256"
            };
            item.insert(key.to_owned(), image.fingerprint.clone().into());
            // The only one that the oldest clients know.
            item.insert("combined_sha256".to_owned(), image.fingerprint.clone().into());
        }
        items.insert(ftype.to_owned(), item);
    }
    let mut version = Map::from_iter([("items".to_owned(), Value::Object(items))]);
    if let Some(label) = image.properties.get("label") {
        version.insert("label".to_owned(), label.clone().into());
    }
    Value::Object(version)
}

/// The name of a version: the one that the image has already, its serial number, or the time when
/// it came into its store.
fn version_of(listed: &Map<String, Value>, image: &Image) -> String {
    if let Some((name, _)) = listed.iter().find(|(_, v)| fingerprints(v).contains(&image.fingerprint)) {
        return name.clone();
    }
    let serial = image.properties.get("serial").filter(|serial| day(serial).is_some()).map(|s| plain(s));
    let digits: String =
        image.uploaded_at.to_string().chars().filter(char::is_ascii_digit).take(14).collect();
    let uploaded = format!("{}_{}", &digits[..8], &digits[8..]);
    let candidates = serial.into_iter().chain([uploaded.clone()]);
    let more = (1..).map(|n| format!("{uploaded}.{n}"));
    candidates.chain(more).find(|name| !listed.contains_key(name)).unwrap_or(uploaded)
}

/// Fingerprints of the images that a version is.
fn fingerprints(version: &Value) -> BTreeSet<String> {
    let items = version.get("items").and_then(Value::as_object);
    let mut found = BTreeSet::new();
    for item in items.into_iter().flat_map(Map::values) {
        let keys: &[&str] = match text(item, "ftype") {
            "lxd.tar.xz" | "incus.tar.xz" => {
                &["combined_sha256", "combined_squashfs_sha256", "combined_rootxz_sha256"]
            }
            "lxd_combined.tar.gz" | "incus_combined.tar.gz" => &["sha256"],
            _ => &[],
        };
        found.extend(keys.iter().map(|key| text(item, key)).filter(|t| !t.is_empty()).map(str::to_owned));
    }
    found
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn names_of(product: &Value) -> BTreeSet<String> {
    let names = text(product, "aliases").split(',').map(str::trim);
    names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

fn take_names(product: &mut Value, names: &BTreeSet<String>) {
    let left: Vec<String> = names_of(product).difference(names).cloned().collect();
    if let Some(fields) = product.as_object_mut() {
        fields.insert("aliases".to_owned(), left.join(",").into());
    }
}

fn short(image: &Image) -> &str {
    image.fingerprint.get(..12).unwrap_or(&image.fingerprint)
}

/// What can stand between colons.
fn plain(text: &str) -> String {
    let keep = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
    text.chars().map(keep).collect()
}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tests;
