//! Archives made to do harm are refused, and leave nothing behind.

use std::io::Write;
use std::path::Path;
use tar::{Builder, EntryType, Header};
use testkit::{TestDaemon, daemon};

type Archive = Builder<flate2::write::GzEncoder<Vec<u8>>>;

const METADATA: &str = "architecture: x86_64\ncreation_date: 1704067200\nproperties: {}\n";

/// A unified image: what it needs, then what the test adds.
fn image(metadata: &str, add: impl FnOnce(&mut Archive)) -> Vec<u8> {
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut archive = Builder::new(gzip);
    entry(&mut archive, b"metadata.yaml", EntryType::Regular, b"", metadata.as_bytes());
    entry(&mut archive, b"rootfs", EntryType::Directory, b"", b"");
    entry(&mut archive, b"rootfs/ok", EntryType::Regular, b"", b"fine");
    add(&mut archive);
    archive.into_inner().unwrap().finish().unwrap()
}

/// An entry whose names no library would write.
fn entry(archive: &mut Archive, name: &[u8], kind: EntryType, link: &[u8], content: &[u8]) {
    let mut header = Header::new_gnu();
    let old = header.as_gnu_mut().expect("a header of GNU's kind");
    old.name[..name.len()].copy_from_slice(name);
    old.linkname[..link.len()].copy_from_slice(link);
    header.set_entry_type(kind);
    header.set_mode(if kind == EntryType::Directory { 0o755 } else { 0o644 });
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(content.len() as u64);
    if matches!(kind, EntryType::Block | EntryType::Char) {
        header.set_device_major(1).expect("a small number");
        header.set_device_minor(3).expect("a small number");
    }
    header.set_cksum();
    archive.append(&header, content).expect("memory");
}

/// Upload and make a container from it: one of them must fail, and nothing may remain.
fn must_be_refused(d: &TestDaemon, what: &str, image: &[u8]) {
    let api = d.api();
    let response = api.request("POST", "/1.0/images", &[], image);
    let mut refusal = String::new();
    if response.status == 202 {
        let ended = api.wait(response.json()["operation"].as_str().expect("an operation"));
        if ended["status"] == "Success" {
            let print = ended["metadata"]["fingerprint"].as_str().expect("a fingerprint").to_owned();
            let body =
                serde_json::json!({"name": "victim", "source": {"type": "image", "fingerprint": print}});
            let made = api.operation("POST", "/1.0/containers", &body);
            assert_eq!(made["status"], "Failure", "{what}: a container was made of it");
            refusal.push_str(made["err"].as_str().unwrap_or_default());
            assert_eq!(api.get("/1.0/containers/victim").status, 404, "{what}");
            let _ = api.operation("DELETE", &format!("/1.0/images/{print}"), &serde_json::json!({}));
        } else {
            refusal.push_str(ended["err"].as_str().unwrap_or_default());
        }
    } else {
        assert!((400..500).contains(&response.status), "{what}: {}", response.status);
        refusal.push_str(&response.error());
    }
    assert!(refusal.len() > 10, "{what}: no reason is given: {refusal:?}");
    for place in ["images", "storage-pools/default/images", "storage-pools/default/containers", "containers"]
    {
        let left: Vec<_> =
            std::fs::read_dir(d.lxd_dir().join(place)).into_iter().flatten().flatten().collect();
        assert!(left.is_empty(), "{what}: left in {place}: {left:?}");
    }
    assert_eq!(api.get("/1.0").status, 200, "{what}: the daemon answers");
}

#[test]
fn paths_that_lead_out_are_refused() {
    let d = daemon!(TestDaemon::builder().without_image());
    let outside = d.scratch().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("precious"), "untouched").unwrap();
    let target = outside.to_string_lossy().into_owned();
    let evil = format!("{target}/evil");
    let file = EntryType::Regular;
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("absolute path", image(METADATA, |a| entry(a, evil.as_bytes(), file, b"", b"x"))),
        ("dot dot", image(METADATA, |a| entry(a, b"rootfs/../../../../evil", file, b"", b"x"))),
        (
            "through a link that the archive made",
            image(METADATA, |a| {
                entry(a, b"rootfs/way", EntryType::Symlink, target.as_bytes(), b"");
                entry(a, b"rootfs/way/evil", file, b"", b"x");
            }),
        ),
        (
            "through a climbing link",
            image(METADATA, |a| {
                entry(
                    a,
                    b"rootfs/way",
                    EntryType::Symlink,
                    format!("../../../../../../../../..{target}").as_bytes(),
                    b"",
                );
                entry(a, b"rootfs/way/evil", file, b"", b"x");
            }),
        ),
        (
            "over a link to a file",
            image(METADATA, |a| {
                entry(a, b"rootfs/way", EntryType::Symlink, format!("{target}/precious").as_bytes(), b"");
                entry(a, b"rootfs/way", file, b"", b"overwritten");
                entry(a, b"rootfs/../x", file, b"", b"so that it is refused in any case");
            }),
        ),
        (
            "hard link out",
            image(METADATA, |a| {
                entry(a, b"rootfs/way", EntryType::Link, format!("{target}/precious").as_bytes(), b"");
            }),
        ),
        (
            "hard link that climbs",
            image(METADATA, |a| {
                entry(a, b"rootfs/way", EntryType::Link, b"rootfs/../../../../../../etc/shadow", b"");
            }),
        ),
        ("rootfs is a link", {
            let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            let mut archive = Builder::new(gzip);
            entry(&mut archive, b"metadata.yaml", file, b"", METADATA.as_bytes());
            entry(&mut archive, b"rootfs", EntryType::Symlink, target.as_bytes(), b"");
            entry(&mut archive, b"rootfs/evil", file, b"", b"x");
            archive.into_inner().unwrap().finish().unwrap()
        }),
    ];
    for (what, bytes) in cases {
        must_be_refused(&d, what, &bytes);
        assert_eq!(std::fs::read_to_string(outside.join("precious")).unwrap(), "untouched", "{what}");
        assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 1, "{what}: something was made outside");
    }
}

#[test]
fn device_nodes_outside_dev_are_refused() {
    let d = daemon!(TestDaemon::builder().without_image());
    for kind in [EntryType::Block, EntryType::Char] {
        must_be_refused(
            &d,
            "device node",
            &image(METADATA, |a| entry(a, b"rootfs/root/disk", kind, b"", b"")),
        );
    }
}

#[test]
fn metadata_that_makes_no_sense_is_refused() {
    let d = daemon!(TestDaemon::builder().without_image());
    let cases = [
        ("no architecture", "creation_date: 1704067200\n"),
        ("unknown architecture", "architecture: pdp11\ncreation_date: 1704067200\n"),
        ("no date", "architecture: x86_64\n"),
        ("no map", "- a\n- b\n"),
        ("no YAML", "architecture: [x86_64\n"),
    ];
    for (what, metadata) in cases {
        must_be_refused(&d, what, &image(metadata, |_| ()));
    }
    must_be_refused(&d, "not an archive", &[b'x'; 4096]);
    must_be_refused(
        &d,
        "half an archive",
        &image(METADATA, |a| {
            entry(a, b"rootfs/big", EntryType::Regular, b"", &[7; 100_000]);
        })[..300],
    );
    must_be_refused(&d, "nothing", &[]);
}

#[test]
fn a_template_cannot_read_the_hosts_files() {
    let d = daemon!(TestDaemon::builder().without_image());
    std::fs::write(d.scratch().join("secret"), "of the host").unwrap();
    let climbing = format!("../../../../../../../../../..{}/secret", d.scratch().display());
    for template in [climbing, format!("{}/secret", d.scratch().display()), "link.tpl".to_owned()] {
        let metadata = format!(
            "architecture: x86_64\ncreation_date: 1\ntemplates:\n  /stolen:\n    when: [create, start]\n    \
             template: {template}\n"
        );
        let bytes = image(&metadata, |archive| {
            entry(archive, b"templates", EntryType::Directory, b"", b"");
            let secret = d.scratch().join("secret");
            entry(
                archive,
                b"templates/link.tpl",
                EntryType::Symlink,
                secret.as_os_str().as_encoded_bytes(),
                b"",
            );
        });
        let file = d.scratch().join("image.tar.gz");
        std::fs::write(&file, bytes).unwrap();
        let imported = d.lxc(&["image", "import", file.to_str().expect("text"), "--alias", "evil"]);
        if imported.status.success() {
            // It has no init, so that starting it fails in any case, after the templates.
            let _ = d.lxc(&["launch", "evil", "victim"]);
            let stolen = d.lxd_dir().join("storage-pools/default/containers/victim/rootfs/stolen");
            let text = std::fs::read_to_string(stolen).unwrap_or_default();
            assert!(!text.contains("of the host"), "{template}");
            let _ = d.lxc(&["delete", "--force", "victim"]);
            let _ = d.lxc(&["image", "delete", "evil"]);
        }
    }
}

/// Rule R9.
#[test]
fn bombs_are_refused_before_they_fill_memory_or_disk() {
    let d = daemon!(TestDaemon::builder().without_image());
    // One GiB of metadata in about a MiB.
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let mut archive = Builder::new(gzip);
    let mut header = Header::new_gnu();
    header.set_path("metadata.yaml").unwrap();
    header.set_size(1 << 30);
    header.set_mode(0o644);
    header.set_cksum();
    archive.append(&header, std::io::Read::take(std::io::repeat(b' '), 1 << 30)).unwrap();
    let bomb = archive.into_inner().unwrap().finish().unwrap();
    let before = memory_of(d.pid().as_raw_nonzero().get());
    must_be_refused(&d, "huge metadata", &bomb);
    let grown = memory_of(d.pid().as_raw_nonzero().get()).saturating_sub(before);
    assert!(grown < 100 << 20, "the daemon grew by {} MiB", grown >> 20);
}

/// Resident bytes of a process.
fn memory_of(pid: i32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a running daemon");
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).expect("its memory");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}

#[test]
fn a_hostile_squashfs_is_refused_too() {
    let d = daemon!(TestDaemon::builder().without_image());
    let root = d.scratch().join("root");
    std::fs::create_dir_all(root.join("root")).unwrap();
    let _ =
        testkit::run(std::process::Command::new("mknod").arg(root.join("root/disk")).args(["b", "7", "0"]))
            .expect_success();
    let squashfs = d.scratch().join("root.squashfs");
    pack(&root, &squashfs);
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut archive = Builder::new(gzip);
    entry(&mut archive, b"metadata.yaml", EntryType::Regular, b"", METADATA.as_bytes());
    let metadata = archive.into_inner().unwrap().finish().unwrap();
    let part = |name: &str, bytes: &[u8]| {
        let mut part = format!(
            "--frontier\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{name}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        )
        .into_bytes();
        part.write_all(bytes).unwrap();
        part.extend_from_slice(b"\r\n");
        part
    };
    let mut body = part("metadata", &metadata);
    body.extend(part("rootfs", &std::fs::read(&squashfs).unwrap()));
    body.extend_from_slice(b"--frontier--\r\n");
    let api = d.api();
    let response = api.request(
        "POST",
        "/1.0/images",
        &[("Content-Type", "multipart/form-data; boundary=frontier")],
        &body,
    );
    if response.status == 202 {
        let ended = api.wait(response.json()["operation"].as_str().unwrap());
        if ended["status"] == "Success" {
            let print = ended["metadata"]["fingerprint"].clone();
            let create =
                serde_json::json!({"name": "victim", "source": {"type": "image", "fingerprint": print}});
            assert_eq!(api.operation("POST", "/1.0/containers", &create)["status"], "Failure");
        }
    }
    assert_eq!(api.get("/1.0/containers/victim").status, 404);
    let pool = d.lxd_dir().join("storage-pools/default");
    let found = testkit::run(std::process::Command::new("find").arg(&pool).args(["-type", "b"])).text();
    assert_eq!(found, "");
}

fn pack(root: &Path, squashfs: &Path) {
    let _ = testkit::run(
        std::process::Command::new("mksquashfs").arg(root).arg(squashfs).args(["-quiet", "-no-progress"]),
    )
    .expect_success();
}
