//! What metadata is accepted, and how it is found in an archive.

use super::*;
use std::io::Write as _;

const TYPICAL: &str = r#"architecture: amd64
creation_date: 1496275200
expiry_date: 4102444800
properties:
  os: debian
  release: 12
  description: "Debian 12: small"
  empty:
templates:
  /etc/hostname:
    when:
      - create
      - copy
    template: hostname.tpl
  /etc/x:
    when: [start]
    create_only: true
    template: x.tpl
    properties:
      flavour: plain
unknown: [1, 2]
"#;

fn properties(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

#[test]
fn typical_metadata_is_understood() {
    let metadata = Metadata::parse(TYPICAL).unwrap();
    metadata.validate().unwrap();
    assert_eq!(metadata.creation_date, 1_496_275_200);
    assert_eq!(metadata.expiry_date, 4_102_444_800);
    assert_eq!(
        metadata.properties,
        properties(&[
            ("os", "debian"),
            ("release", "12"),
            ("description", "Debian 12: small"),
            ("empty", "")
        ])
    );
    let hostname = &metadata.templates["/etc/hostname"];
    assert_eq!((hostname.when.len(), hostname.create_only), (2, false));
    assert_eq!(hostname.template, "hostname.tpl");
    let other = &metadata.templates["/etc/x"];
    assert!(other.create_only);
    assert_eq!(other.properties, properties(&[("flavour", "plain")]));
}

#[test]
fn what_is_written_reads_the_same() {
    let mut metadata = Metadata::parse(TYPICAL).unwrap();
    metadata.properties.insert("odd".into(), "yes: \"no\" # 'x'\nline".into());
    metadata.properties.insert("long".into(), "word ".repeat(60));
    let text = metadata.to_yaml().unwrap();
    assert_eq!(Metadata::parse(&text).unwrap(), metadata, "{text}");
}

#[test]
fn incomplete_metadata_is_refused() {
    let says = |text: &str| Metadata::parse(text).and_then(|m| m.validate()).unwrap_err().to_string();
    assert_eq!(says("creation_date: 1"), "Missing architecture.");
    assert!(says("architecture: vax\ncreation_date: 1").contains("vax"));
    assert_eq!(says("architecture: x86_64"), "Missing creation date.");
    assert_eq!(says("architecture: x86_64\ncreation_date: 0"), "Missing creation date.");
    assert!(says("- a list").contains("cannot parse"));
    assert!(says("architecture: [x").contains("cannot parse"));
}

fn tarball(members: &[(&str, &[u8])]) -> tempfile::NamedTempFile {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in members {
        let mut header = tar::Header::new_ustar();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append(&header, *content).unwrap();
    }
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&builder.into_inner().unwrap()).unwrap();
    file
}

#[test]
fn it_is_found_at_the_top_level_only() {
    for name in ["metadata.yaml", "./metadata.yaml"] {
        let file = tarball(&[("rootfs/a", b"x"), (name, TYPICAL.as_bytes())]);
        assert_eq!(text_of_image(file.path()).unwrap(), TYPICAL);
        assert!(Metadata::of_image(file.path()).is_ok());
    }
    for name in ["x/metadata.yaml", "metadata.yml", "../metadata.yaml"] {
        let file = tarball(&[(name, TYPICAL.as_bytes())]);
        assert!(matches!(text_of_image(file.path()), Err(MetadataError::Missing)), "{name}");
    }
}

#[test]
fn its_size_is_bounded_and_it_is_text() {
    let large = vec![b' '; usize::try_from(MAX_BYTES).unwrap() + 1];
    let file = tarball(&[("metadata.yaml", &large)]);
    assert!(matches!(text_of_image(file.path()), Err(MetadataError::TooLarge { .. })));
    let file = tarball(&[("metadata.yaml", b"\xff\xfe")]);
    assert!(matches!(text_of_image(file.path()), Err(MetadataError::NotText)));
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"hsqs and more").unwrap();
    assert!(matches!(text_of_image(file.path()), Err(MetadataError::NotATarball)));
}

#[test]
fn aliases_that_multiply_do_not_take_the_daemon_down() {
    let mut bomb = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for level in 1..12 {
        let refs = vec![format!("*a{}", level - 1); 10].join(",");
        bomb.push_str(&format!("a{level}: &a{level} [{refs}]\n"));
    }
    // Refused or ignored, but answered.
    let _ = Metadata::parse(&bomb);
}
