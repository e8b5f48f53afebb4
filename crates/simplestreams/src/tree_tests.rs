//! Lists that are made are read by the reader of lists.

use super::*;
use crate::entry::Entry;
use api::images::ImageAlias;

fn hash(digit: char) -> String {
    digit.to_string().repeat(64)
}

fn image(digit: char, aliases: &[&str], properties: &[(&str, &str)]) -> Image {
    Image {
        fingerprint: hash(digit),
        architecture: "x86_64".to_owned(),
        aliases: aliases
            .iter()
            .map(|name| ImageAlias { name: (*name).to_owned(), ..Default::default() })
            .collect(),
        properties: properties.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        uploaded_at: serde_json::from_value("2026-11-22T23:01:02.5Z".into()).unwrap(),
        ..Image::default()
    }
}

fn split(digit: char, root: TreeKind) -> Vec<TreeFile> {
    let file = |kind, name: &str| TreeFile {
        kind,
        path: format!("images/{}/{name}", hash(digit)),
        sha256: hash('e'),
        size: 7,
    };
    vec![file(TreeKind::Metadata, "lxd.tar.xz"), file(root, "rootfs")]
}

fn unified(digit: char) -> Vec<TreeFile> {
    let path = format!("images/{}/lxd.tar.gz", hash(digit));
    vec![TreeFile { kind: TreeKind::Unified, path, sha256: hash(digit), size: 9 }]
}

fn add(tree: &mut Tree, image: &Image, elsewhere: &[&str], files: &[TreeFile]) -> (String, String) {
    let elsewhere = elsewhere.iter().map(|name| (*name).to_owned()).collect();
    tree.add(image, &elsewhere, Some(files)).unwrap()
}

/// As any client reads it: fingerprint's first digit, names, serial.
fn read(tree: &Tree) -> Vec<(String, Vec<String>, String)> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut keep = |entry| {
        entries.push(entry);
        Ok(())
    };
    let text = tree.texts(Time::now()).0;
    crate::products::read(text.as_bytes(), "", &mut keep).unwrap();
    let line = |e: Entry| (e.fingerprint.as_str()[..1].to_owned(), e.names, e.properties["serial"].clone());
    let mut lines: Vec<_> = entries.into_iter().map(line).collect();
    lines.sort();
    lines
}

const DEBIAN: &[(&str, &str)] = &[("os", "Debian"), ("release", "bookworm"), ("serial", "20260101_0102")];

#[test]
fn images_of_every_form_are_found_again() {
    let mut tree = Tree::parse(None).unwrap();
    add(&mut tree, &image('a', &["debian/12"], DEBIAN), &["web"], &split('a', TreeKind::Squashfs));
    add(&mut tree, &image('b', &["tar"], &[]), &[], &split('b', TreeKind::Tarball));
    add(&mut tree, &image('c', &[], DEBIAN), &[], &unified('c'));
    let mut other = image('d', &["debian/12"], DEBIAN);
    other.architecture = "aarch64".to_owned();
    add(&mut tree, &other, &[], &split('d', TreeKind::Squashfs));
    let line = |digit: &str, names: &[&str], serial: &str| {
        (digit.to_owned(), names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>(), serial.to_owned())
    };
    let expected = [
        line("a", &["debian/12"], "20260101_0102"),
        line("b", &["tar"], "20261122_230102"),
        line("c", &[], "20260101_0102"),
        line("d", &["debian/12"], "20260101_0102"),
    ];
    assert_eq!(read(&tree), expected);
    let index = tree.texts(Time::now()).1;
    assert_eq!(crate::index::parse(index.as_bytes()).unwrap(), [PRODUCTS]);
    // Once more changes nothing.
    let text = tree.texts(Time::UNSET);
    let mut again = Tree::parse(Some(text.0.as_bytes())).unwrap();
    add(&mut again, &image('a', &["debian/12"], DEBIAN), &["web"], &split('a', TreeKind::Squashfs));
    assert_eq!(again.texts(Time::UNSET), text);
    let files = again.files(&hash('a')).unwrap();
    assert_eq!(files.len(), 2);
    assert!(files.iter().all(|(path, size)| path.starts_with("images/aaa") && *size == 7));
    assert_eq!(again.files(&hash('f')), None);
}

#[test]
fn a_name_follows_its_image_and_older_versions_stay() {
    let mut tree = Tree::parse(None).unwrap();
    let (first, _) = add(&mut tree, &image('a', &["web", "www"], DEBIAN), &[], &unified('a'));
    // The names have moved to a newer image with the same serial number.
    let (second, version) = add(&mut tree, &image('b', &["web", "www"], DEBIAN), &[], &unified('b'));
    assert_eq!((first.as_str(), second.as_str()), ("Debian:bookworm:amd64:default", first.as_str()));
    assert_eq!(version, "20261122_230102");
    assert_eq!(read(&tree).len(), 2);
    // One of them has moved on, the other has not.
    let (third, _) = add(&mut tree, &image('c', &["www"], DEBIAN), &["web"], &unified('c'));
    assert_eq!(third, "Debian:bookworm:amd64:default:www");
    let names: Vec<_> = read(&tree).into_iter().map(|(digit, names, _)| (digit, names.join(","))).collect();
    let expected = [("a", "web"), ("b", "web"), ("c", "www")].map(|(d, n)| (d.to_owned(), n.to_owned()));
    assert_eq!(names, expected);
    // Something without a name is no newer version of anything.
    let (fourth, _) = add(&mut tree, &image('d', &[], DEBIAN), &["web", "www"], &unified('d'));
    assert_eq!(fourth, "Debian:bookworm:amd64:default:dddddddddddd");
    // It gets a name that nobody has; its files stay what they are.
    tree.add(&image('d', &["new"], DEBIAN), &["web".to_owned(), "www".to_owned()].into(), None).unwrap();
    assert_eq!(
        read(&tree).into_iter().filter(|(digit, names, _)| digit == "d" && *names == ["new"]).count(),
        1
    );
    tree.keep_only(&[hash('b'), hash('d')].into());
    assert_eq!(tree.images(), [hash('b'), hash('d')].into());
}

#[test]
fn what_others_have_put_in_stays_and_what_is_no_list_is_refused() {
    let text =
        json!({"creator": "somebody", "products": {"x:1": {"note": 1, "versions": {}}, "y": 7}}).to_string();
    let mut tree = Tree::parse(Some(text.as_bytes())).unwrap();
    add(&mut tree, &image('a', &["a"], &[]), &[], &unified('a'));
    let made: Value = serde_json::from_str(&tree.texts(Time::now()).0).unwrap();
    assert_eq!((&made["creator"], &made["products"]["x:1"]["note"]), (&json!("somebody"), &json!(1)));
    assert_eq!(made["products"]["custom:a:amd64:default"]["release"], "a");
    for bad in ["", "[]", "{}", "{\"products\": 1}", "{\"products\": {}"] {
        assert!(Tree::parse(Some(bad.as_bytes())).is_err(), "{bad}");
    }
    let mut unknown = image('b', &[], &[]);
    unknown.architecture = "z80".to_owned();
    assert!(tree.add(&unknown, &BTreeSet::new(), None).is_err());
    let odd = image('c', &["a,b", "ü x"], &[("os", "A:b"), ("requirements.secureboot", "false")]);
    let (product, _) = add(&mut tree, &odd, &[], &unified('c'));
    assert_eq!(product, "A-b:a-b:amd64:default");
    let made: Value = serde_json::from_str(&tree.texts(Time::now()).0).unwrap();
    assert_eq!(made["products"][&product]["aliases"], "ü x");
}
