//! A list of products, read piece by piece: one product at a time is in memory.

use crate::entry::{Entry, Product};
use crate::lenient::Object;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use std::fmt;
use std::io::{self, Read};

/// The most images of one list.
const MOST: usize = 100_000;

/// Hands each image of a list to `keep`, in the order of the list. `stripped` is the beginning that
/// names lose. Unknown things and images that lack something are left out.
///
/// # Errors
/// It is not JSON, or ends early; what `from` and `keep` fail with, as text.
pub fn read(
    from: impl Read,
    stripped: &str,
    keep: &mut dyn FnMut(Entry) -> io::Result<()>,
) -> Result<(), serde_json::Error> {
    let mut json = serde_json::Deserializer::from_reader(from);
    json.deserialize_map(List { stripped, keep })?;
    json.end()
}

struct List<'a> {
    stripped: &'a str,
    keep: &'a mut dyn FnMut(Entry) -> io::Result<()>,
}

impl<'de> Visitor<'de> for List<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of products")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { stripped, keep } = self;
        while let Some(key) = map.next_key::<crate::lenient::Text>()? {
            if key.0 == "products" {
                map.next_value_seed(Products { stripped, keep: &mut *keep })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

struct Products<'a> {
    stripped: &'a str,
    keep: &'a mut dyn FnMut(Entry) -> io::Result<()>,
}

impl<'de> DeserializeSeed<'de> for Products<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Products<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("products by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut count = 0;
        while let Some((IgnoredAny, product)) = map.next_entry::<IgnoredAny, Object<Product>>()? {
            let entries = product.0.map(|product| product.entries(self.stripped)).unwrap_or_default();
            count += entries.len();
            if count > MOST {
                return Err(A::Error::custom(format_args!("more than {MOST} images")));
            }
            entries.into_iter().try_for_each(&mut *self.keep).map_err(A::Error::custom)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(text: &[u8]) -> Result<Vec<Entry>, serde_json::Error> {
        let mut entries = Vec::new();
        let mut keep = |entry| {
            entries.push(entry);
            Ok(())
        };
        read(text, "", &mut keep).map(|()| entries)
    }

    fn list() -> String {
        let hash = "a".repeat(64);
        serde_json::json!({
            "content_id": "images", "format": "products:1.0",
            "products": {
                "debian:12:amd64:default": {
                    "aliases": "debian/12,debian/bookworm", "arch": "amd64", "os": "Debian",
                    "release": "bookworm", "variant": "default",
                    "versions": {"20240101_05:24": {"items": {
                        "lxd.tar.xz": {"ftype": "lxd.tar.xz", "path": "a", "sha256": hash, "size": 1,
                            "combined_squashfs_sha256": hash, "combined_disk-kvm-img_sha256": hash},
                        "root.squashfs": {"ftype": "squashfs", "path": "b", "sha256": hash, "size": 2},
                        "disk.qcow2": {"ftype": "disk-kvm.img", "path": "c", "sha256": hash, "size": 3}
                    }}}
                },
                "odd:1": 7, "odd:2": {"arch": "mips"}, "odd:3": {"arch": "amd64", "versions": {"1": {}}}
            }
        })
        .to_string()
    }

    #[test]
    fn odd_products_do_no_harm() {
        let images = all(list().as_bytes()).unwrap();
        assert_eq!(images.len(), 1);
        assert_eq!(images[0].properties["description"], "Debian bookworm amd64 (20240101_05:24)");
        assert_eq!(images[0].properties["variant"], "default");
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for text in ["", "<html>", "[]", "{\"products\": []}", "{\"products\": {}} x"] {
            assert!(all(text.as_bytes()).is_err(), "{text}");
        }
        let deep = format!("{{\"products\": {{\"a\": {}{}}}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(all(deep.as_bytes()).unwrap().is_empty());
        let whole = list();
        assert!(all(&whole.as_bytes()[..whole.len() - 1]).is_err());
        let full = read(whole.as_bytes(), "", &mut |_| Err(io::Error::other("disk is full"))).unwrap_err();
        assert!(full.to_string().contains("disk is full"), "{full}");
    }

    proptest! {
        #[test]
        fn no_input_is_too_odd(bytes: Vec<u8>, place in 0_usize..900, with in ".{0,12}") {
            let _ = all(&bytes);
            let mut text = list();
            if text.is_char_boundary(place.min(text.len())) {
                let end = (place + with.len()).min(text.len());
                if text.is_char_boundary(end) {
                    text.replace_range(place.min(end)..end, &with);
                }
            }
            let _ = all(text.as_bytes());
        }
    }
}
