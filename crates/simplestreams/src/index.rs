//! `streams/v1/index.json`: which lists of products there are.

use crate::lenient::{Few, Object, Text};
use serde::Deserialize;
use serde::de::Error as _;

/// The most lists that are looked at; public servers have one of images.
const LISTS: usize = 64;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Index {
    index: Few<Object<Stream>, 1024>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Stream {
    datatype: Text,
    path: Text,
    products: Products,
}

/// Whether there are any.
#[derive(Default)]
struct Products(bool);

impl<'de> Deserialize<'de> for Products {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        Ok(Self(value.as_array().is_some_and(|products| !products.is_empty())))
    }
}

/// Paths of the lists that have images, relative to the server's address.
///
/// # Errors
/// It is not JSON.
pub fn parse(text: &[u8]) -> Result<Vec<String>, serde_json::Error> {
    let index: Object<Index> = serde_json::from_slice(text)?;
    let index = index.0.ok_or_else(|| serde_json::Error::custom("not an object"))?;
    let streams = index.index.0.into_iter().filter_map(|(_, stream)| stream.0);
    let lists = streams
        .filter(|stream| stream.datatype.0 == "image-downloads" && stream.products.0)
        .map(|stream| stream.path.0)
        .filter(|path| crate::mirrors::is_path(path));
    Ok(lists.take(LISTS).collect())
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn only_lists_of_images_count() {
        let text = br#"{"format": "index:1.0", "index": {
            "images": {"datatype": "image-downloads", "path": "streams/v1/images.json", "products": ["a"]},
            "clouds": {"datatype": "image-ids", "path": "streams/v1/aws.json", "products": ["a"]},
            "empty": {"datatype": "image-downloads", "path": "streams/v1/none.json", "products": []},
            "evil": {"datatype": "image-downloads", "path": "https://elsewhere/x", "products": ["a"]},
            "odd": 3, "odder": {"datatype": [], "products": {}}}}"#;
        assert_eq!(parse(text).unwrap(), ["streams/v1/images.json"]);
        assert!(parse(b"[]").is_err());
        assert!(parse(b"<html>").is_err());
        assert!(parse(b"{\"index\": 3}").unwrap().is_empty());
    }
}
