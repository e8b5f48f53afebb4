//! Trees of files as public image servers have them, made from the busybox image.

use crate::images::busybox_image;
use crate::run::run;
use crate::sandbox::Unavailable;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a list says about a kind of image.
#[derive(Clone, Copy, Debug)]
pub struct Product<'a> {
    /// Names, separated by commas.
    pub aliases: &'a str,
    /// As distributions write it: `amd64`.
    pub arch: &'a str,
    /// The system.
    pub os: &'a str,
    /// The code name of its release.
    pub release: &'a str,
    /// The number of its release.
    pub version: &'a str,
}

impl Product<'static> {
    /// Ubuntu 16.04, as Ubuntu's own server lists it.
    pub const XENIAL: Self = Self {
        aliases: "16.04,x,xenial,default,lts",
        arch: "amd64",
        os: "ubuntu",
        release: "xenial",
        version: "16.04",
    };
    /// Ubuntu 14.04.
    pub const TRUSTY: Self =
        Self { aliases: "14.04,t,trusty", arch: "amd64", os: "ubuntu", release: "trusty", version: "14.04" };
    /// Debian 12, as servers for many systems list it.
    pub const DEBIAN: Self = Self {
        aliases: "debian/12/default,debian/12,debian/bookworm/default,debian/bookworm",
        arch: "amd64",
        os: "Debian",
        release: "bookworm",
        version: "12",
    };
}

/// A directory that a web server can serve, with lists of images and the images.
pub struct StreamsTree {
    directory: PathBuf,
    unpacked: tempfile::TempDir,
    products: Map<String, Value>,
}

fn sha256(files: &[&Path]) -> String {
    let mut hash = Sha256::new();
    for file in files {
        hash.update(std::fs::read(file).expect("a file that was just made"));
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

impl StreamsTree {
    /// A tree without images.
    ///
    /// # Errors
    /// The busybox image cannot be built here.
    ///
    /// # Panics
    /// When there is no room.
    pub fn new(directory: &Path) -> Result<Self, Unavailable> {
        let image = busybox_image()?;
        for name in ["mksquashfs", "xz", "tar"] {
            if crate::find_program(name).is_none() {
                return Err(Unavailable(format!("the program {name} is not installed")));
            }
        }
        let unpacked = tempfile::Builder::new().prefix("lvt-tree-").tempdir_in("/tmp").expect("a directory");
        let mut tar = Command::new("tar");
        let _ = run(tar.arg("-C").arg(unpacked.path()).arg("-xzf").arg(image)).expect_success();
        let root = unpacked.path().join("rootfs");
        let mut squash = Command::new("mksquashfs");
        let _ =
            run(squash.arg(&root).arg(unpacked.path().join("squashfs")).arg("-no-progress").arg("-quiet"))
                .expect_success();
        std::fs::create_dir_all(directory.join("streams/v1")).expect("a directory");
        let tree = Self { directory: directory.to_owned(), unpacked, products: Map::new() };
        tree.write();
        Ok(tree)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.directory
    }

    /// The path of a file of an image, below the tree.
    #[must_use]
    pub fn file(&self, product: &Product<'_>, serial: &str, name: &str) -> String {
        format!("images/{}/{}/{serial}/{name}", product.release, product.arch)
    }

    /// Adds an image with a squashfs; its fingerprint.
    ///
    /// # Panics
    /// When there is no room.
    #[track_caller]
    pub fn add(&mut self, product: &Product<'_>, serial: &str) -> String {
        let metadata = self.metadata(product, serial);
        let squashfs = self.directory.join(self.file(product, serial, "root.squashfs"));
        std::fs::copy(self.unpacked.path().join("squashfs"), &squashfs).expect("room");
        let combined = sha256(&[&metadata, &squashfs]);
        let items = json!({
            "lxd.tar.xz": self.item(&metadata, "lxd.tar.xz", json!({"combined_squashfs_sha256": combined})),
            "squashfs": self.item(&squashfs, "squashfs", json!({})),
            // What is no container.
            "disk1.img": {"ftype": "disk1.img", "path": "server/disk1.img", "sha256": combined, "size": 1},
        });
        self.list(product, serial, &items);
        combined
    }

    /// Adds an image whose root file system is a tarball; its fingerprint.
    ///
    /// # Panics
    /// When there is no room.
    #[track_caller]
    pub fn add_tarball(&mut self, product: &Product<'_>, serial: &str) -> String {
        let metadata = self.metadata(product, serial);
        let root = self.directory.join(self.file(product, serial, "root.tar.xz"));
        let mut tar = Command::new("tar");
        let rootfs = self.unpacked.path().join("rootfs");
        let _ = run(tar.arg("-C").arg(rootfs).arg("-cJf").arg(&root).arg(".")).expect_success();
        let combined = sha256(&[&metadata, &root]);
        let items = json!({
            "lxd.tar.xz": self.item(&metadata, "lxd.tar.xz", json!({"combined_sha256": combined})),
            "root.tar.xz": self.item(&root, "root.tar.xz", json!({})),
        });
        self.list(product, serial, &items);
        combined
    }

    /// Adds an image that is one tarball; its fingerprint.
    ///
    /// # Panics
    /// When there is no room.
    #[track_caller]
    pub fn add_unified(&mut self, product: &Product<'_>, serial: &str) -> String {
        let _ = self.metadata(product, serial);
        let whole = self.directory.join(self.file(product, serial, "combined.tar.gz"));
        let mut tar = Command::new("tar");
        tar.arg("-C").arg(self.unpacked.path()).arg("-czf").arg(&whole);
        let _ = run(tar.args(["metadata.yaml", "rootfs", "templates"])).expect_success();
        let items = json!({"lxd_combined.tar.gz": self.item(&whole, "lxd_combined.tar.gz", json!({"combined_sha256": ""}))});
        self.list(product, serial, &items);
        sha256(&[&whole])
    }

    /// Takes a version out of the lists; its files stay.
    pub fn remove(&mut self, product: &Product<'_>, serial: &str) {
        if let Some(product) = self.products.get_mut(&key(product)) {
            product["versions"].as_object_mut().and_then(|versions| versions.remove(serial));
        }
        self.write();
    }

    /// Makes the metadata tarball of an image.
    fn metadata(&self, product: &Product<'_>, serial: &str) -> PathBuf {
        let path = self.directory.join(self.file(product, serial, "lxd.tar.xz"));
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("room");
        let text = format!(
            "architecture: x86_64\ncreation_date: 1457913600\nproperties:\n  os: {}\n  release: {}\n  serial: \"{serial}\"\n  \
             description: {} {} ({serial})\ntemplates:\n  /etc/hostname:\n    when: [create, copy]\n    template: hostname.tpl\n",
            product.os, product.release, product.os, product.release
        );
        std::fs::write(self.unpacked.path().join("metadata.yaml"), text).expect("room");
        let templates = self.unpacked.path().join("templates");
        std::fs::create_dir_all(&templates).expect("room");
        std::fs::write(templates.join("hostname.tpl"), "{{ container.name }}\n").expect("room");
        let mut tar = Command::new("tar");
        tar.arg("-C").arg(self.unpacked.path()).arg("-cJf").arg(&path).args(["metadata.yaml", "templates"]);
        let _ = run(&mut tar).expect_success();
        path
    }

    fn item(&self, path: &Path, ftype: &str, more: Value) -> Value {
        let below = path.strip_prefix(&self.directory).expect("a file of the tree");
        let size = path.metadata().expect("a file that was just made").len();
        let mut item = json!({"ftype": ftype, "path": below, "sha256": sha256(&[path]), "size": size});
        if let (Value::Object(item), Value::Object(more)) = (&mut item, more) {
            item.extend(more);
        }
        item
    }

    fn list(&mut self, product: &Product<'_>, serial: &str, items: &Value) {
        let Product { aliases, arch, os, release, version } = product;
        let entry = self.products.entry(key(product)).or_insert_with(|| {
            json!({
                "aliases": aliases, "arch": arch, "os": os, "release": release, "version": version,
                "release_title": version, "supported": true, "support_eol": "2039-04-21", "versions": {},
            })
        });
        entry["versions"][serial] = json!({"label": "release", "pubname": "x", "items": items});
        self.write();
    }

    fn write(&self) {
        let lists = "streams/v1/com.ubuntu.cloud:released:download.json";
        let names: Vec<&String> = self.products.keys().collect();
        let index = json!({"format": "index:1.0", "index": {
            "com.ubuntu.cloud:released:aws": {"datatype": "image-ids", "path": "streams/v1/aws.json", "products": ["x"]},
            "com.ubuntu.cloud:released:download": {
                "datatype": "image-downloads", "format": "products:1.0", "path": lists, "products": names
            },
        }});
        let products = json!({
            "format": "products:1.0", "content_id": "com.ubuntu.cloud:released:download",
            "datatype": "image-downloads", "products": self.products
        });
        for (path, value) in [("streams/v1/index.json", index), (lists, products)] {
            let path = self.directory.join(path);
            let fresh = path.with_extension("new");
            std::fs::write(&fresh, value.to_string()).expect("room");
            std::fs::rename(&fresh, &path).expect("room");
        }
    }
}

fn key(product: &Product<'_>) -> String {
    format!("com.ubuntu.cloud:server:{}:{}:{}", product.os, product.version, product.arch)
}
