//! Archives that try to get out, to hide something or to fill the disk: all are refused, and
//! nothing of them remains.

use super::*;

/// Unpacks, expects a refusal of `member`, and that nothing remains here or outside.
fn refused(tar: Tar, member: &str) -> Refusal {
    let place = Place::new();
    let outside = place.path("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("victim"), "untouched").unwrap();
    let error = place.unpack_bytes(&tar.bytes()).unwrap_err();
    assert!(!place.path("dest").exists(), "something remains after: {error}");
    assert_eq!(std::fs::read_to_string(outside.join("victim")).unwrap(), "untouched");
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 1, "something was written outside");
    match error {
        UnpackError::Refused { member: found, why } => {
            assert_eq!(found, member);
            why
        }
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn paths_that_leave() {
    let image = || Tar::image();
    assert_eq!(refused(image().file("/etc/passwd", b"x"), "/etc/passwd"), Refusal::Absolute);
    assert_eq!(
        refused(image().file("../outside/victim", b"x"), "../outside/victim"),
        Refusal::ParentDirectory
    );
    assert_eq!(refused(image().file("rootfs/../../x", b"x"), "rootfs/../../x"), Refusal::ParentDirectory);
    assert_eq!(refused(image().file("rootfs/a/..", b"x"), "rootfs/a/.."), Refusal::ParentDirectory);
    assert_eq!(refused(image().directory("rootfs/.."), "rootfs/.."), Refusal::ParentDirectory);
}

#[test]
fn names_that_no_file_system_has() {
    let long = format!("rootfs/{}", "n".repeat(256));
    assert_eq!(refused(Tar::image().file(&long, b""), &long), Refusal::ImpossibleName);
    let deep = format!("rootfs{}", "/d".repeat(3000));
    assert_eq!(refused(Tar::image().file(&deep, b""), &deep), Refusal::ImpossibleName);
    let zero = Tar::image().pax(&[("path", b"rootfs/a\0b")]).file("rootfs/c", b"");
    assert_eq!(refused(zero, "rootfs/a\\x00b"), Refusal::ImpossibleName);
}

#[test]
fn writing_through_links() {
    let absolute = Tar::image().symlink("rootfs/a", "/").file("rootfs/a/tmp/x", b"x");
    assert_eq!(refused(absolute, "rootfs/a/tmp/x"), Refusal::ThroughSymlink);
    let up = Tar::image().symlink("rootfs/a", "../../outside").file("rootfs/a/victim", b"x");
    assert_eq!(refused(up, "rootfs/a/victim"), Refusal::ThroughSymlink);
    let inside = Tar::image().directory("rootfs/b").symlink("rootfs/a", "b").file("rootfs/a/x", b"x");
    assert_eq!(refused(inside, "rootfs/a/x"), Refusal::ThroughSymlink);
    let deeper = Tar::image().symlink("rootfs/a", "/").directory("rootfs/a/b/c");
    assert_eq!(refused(deeper, "rootfs/a/b/c"), Refusal::ThroughSymlink);
    let below_file = Tar::image().file("rootfs/a", b"").file("rootfs/a/b", b"x");
    assert_eq!(refused(below_file, "rootfs/a/b"), Refusal::BelowNonDirectory);
}

#[test]
fn links_in_the_place_of_the_images_parts() {
    let root = Tar::default().file("metadata.yaml", METADATA.as_bytes()).symlink("rootfs", "/");
    assert_eq!(refused(root, "rootfs"), Refusal::WrongKind { expected: "directory" });
    let metadata = Tar::default().symlink("metadata.yaml", "/etc/passwd");
    assert_eq!(refused(metadata, "metadata.yaml"), Refusal::WrongKind { expected: "file" });
    let templates = Tar::image().symlink("templates", "/etc");
    assert_eq!(refused(templates, "templates"), Refusal::WrongKind { expected: "directory" });
    let template = Tar::image().symlink("templates/a", "/etc/shadow");
    assert_eq!(refused(template, "templates/a"), Refusal::WrongKind { expected: "file" });
}

#[test]
fn a_link_that_is_replaced_is_not_written_through() {
    let place = Place::new();
    let victim = place.write("victim", b"untouched");
    let tar = Tar::image().symlink("rootfs/a", victim.to_str().unwrap()).file("rootfs/a", b"mine");
    place.unpack_bytes(&tar.bytes()).unwrap();
    assert_eq!(std::fs::read(&victim).unwrap(), b"untouched");
    let file = place.path("dest/rootfs/a");
    assert!(file.symlink_metadata().unwrap().is_file());
    assert_eq!(std::fs::read(file).unwrap(), b"mine");
}

#[test]
fn a_file_that_is_replaced_does_not_change_its_other_name() {
    let place = Place::new();
    let tar = Tar::image().file("rootfs/a", b"1").link("rootfs/b", "rootfs/a").file("rootfs/b", b"2");
    place.unpack_bytes(&tar.bytes()).unwrap();
    assert_eq!(std::fs::read(place.path("dest/rootfs/a")).unwrap(), b"1");
    assert_eq!(std::fs::read(place.path("dest/rootfs/b")).unwrap(), b"2");
}

#[test]
fn directories_and_files_do_not_replace_each_other() {
    let tar = Tar::image().directory("rootfs/a").file("rootfs/a", b"");
    assert_eq!(refused(tar, "rootfs/a"), Refusal::ReplacesDirectory);
    let tar = Tar::image().directory("rootfs/a").symlink("rootfs/a", "/etc");
    assert_eq!(refused(tar, "rootfs/a"), Refusal::ReplacesDirectory);
    let tar = Tar::image().file("rootfs/a", b"").directory("rootfs/a");
    assert_eq!(refused(tar, "rootfs/a"), Refusal::DirectoryOverFile);
    let tar = Tar::image().symlink("rootfs/a", "/etc").directory("rootfs/a");
    assert_eq!(refused(tar, "rootfs/a"), Refusal::DirectoryOverFile);
}

#[test]
fn hard_links_that_leave() {
    let outside = |target: &str| Refusal::LinkOutside { target: target.into() };
    for target in [
        "/etc/shadow",
        "../outside/victim",
        "rootfs/../../outside/victim",
        "metadata.yaml",
        "templates/x",
        "",
    ] {
        assert_eq!(refused(Tar::image().link("rootfs/a", target), "rootfs/a"), outside(target));
    }
    let nothing = Refusal::LinkToNothing { target: "rootfs/b".into() };
    assert_eq!(refused(Tar::image().link("rootfs/a", "rootfs/b").file("rootfs/b", b""), "rootfs/a"), nothing);
    let through = Tar::image().symlink("rootfs/l", "/etc").link("rootfs/a", "rootfs/l/shadow");
    assert_eq!(refused(through, "rootfs/a"), Refusal::LinkToNothing { target: "rootfs/l/shadow".into() });
    let directory = Tar::image().directory("rootfs/d").link("rootfs/a", "rootfs/d");
    assert_eq!(refused(directory, "rootfs/a"), Refusal::LinkToOther { target: "rootfs/d".into() });
}

#[test]
fn a_hard_link_to_a_symbolic_link_is_to_the_link() {
    let place = Place::new();
    let tar = Tar::image().symlink("rootfs/l", "/etc/shadow").link("rootfs/a", "rootfs/l");
    place.unpack_bytes(&tar.bytes()).unwrap();
    assert_eq!(std::fs::read_link(place.path("dest/rootfs/a")).unwrap(), Path::new("/etc/shadow"));
}

#[test]
fn devices_outside_of_dev() {
    for kind in [b'3', b'4'] {
        for name in ["rootfs/sda", "rootfs/tmp/dev/sda", "rootfs/dev"] {
            let tar = Tar::image().member(name.as_bytes(), kind, b"", b"", (8, 0));
            assert_eq!(refused(tar, name), Refusal::DeviceOutsideDev);
        }
    }
    let moved =
        Tar::image().member(b"rootfs/dev/sda", b'4', b"", b"", (8, 0)).link("rootfs/a", "rootfs/dev/sda");
    if have("devices_outside_of_dev", &[]) {
        assert_eq!(refused(moved, "rootfs/a"), Refusal::LinkToOther { target: "rootfs/dev/sda".into() });
    }
}

#[test]
fn symbolic_links_without_a_target() {
    assert_eq!(refused(Tar::image().symlink("rootfs/a", ""), "rootfs/a"), Refusal::BadSymlink);
    let long = "t".repeat(4096);
    assert_eq!(refused(Tar::image().symlink("rootfs/a", &long), "rootfs/a"), Refusal::BadSymlink);
    let zero = Tar::image().pax(&[("linkpath", b"a\0b")]).symlink("rootfs/a", "x");
    assert_eq!(refused(zero, "rootfs/a"), Refusal::BadSymlink);
}

#[test]
fn lists_that_are_none() {
    let tar = Tar::image().pax(&[("SCHILY.acl.access", b"nonsense")]).file("rootfs/a", b"");
    assert_eq!(refused(tar, "rootfs/a"), Refusal::BadAcl);
}

#[test]
fn bombs() {
    let place = Place::new();
    let limits = Limits { total_bytes: 1 << 20, file_bytes: 1 << 30, entries: 100, keep_free: 0 };
    let unpack = |tar: Tar| {
        let image = place.write("image.tar", &tar.bytes());
        let error = place.unpack_with(image, None, limits).unwrap_err();
        assert!(!place.path("dest").exists());
        error
    };
    let large = unpack(Tar::image().file("rootfs/a", &vec![0; 2 << 20]));
    assert!(matches!(
        large,
        UnpackError::Archive { source: crate::archive::ArchiveError::TooLarge { .. }, .. }
    ));
    let many = (0..200).fold(Tar::image(), |tar, n| tar.file(&format!("rootfs/{n}"), b""));
    assert!(matches!(unpack(many), UnpackError::TooManyMembers { limit: 100 }));
    let ignored = (0..200).fold(Tar::image(), |tar, n| tar.file(&format!("ignored/{n}"), b""));
    assert!(matches!(unpack(ignored), UnpackError::TooManyMembers { limit: 100 }));
    let sparse = Tar::image()
        .pax(&[("GNU.sparse.size", b"9000000000000000000"), ("GNU.sparse.map", b"0,1")])
        .file("rootfs/a", b"x");
    let huge = Refusal::TooLarge { size: 9_000_000_000_000_000_000, limit: 1 << 30 };
    assert!(matches!(unpack(sparse), UnpackError::Refused { why, .. } if why == huge));
}

#[test]
fn compressed_bombs_end_at_the_bound() {
    if !have("compressed_bombs_end_at_the_bound", &["xz", "zstd", "gzip", "bzip2"]) {
        return;
    }
    let place = Place::new();
    place.write("a.tar", &Tar::image().file("rootfs/a", &vec![0; 32 << 20]).bytes());
    for (program, suffix) in [("xz -T0", "xz"), ("zstd -q", "zst"), ("gzip", "gz"), ("bzip2", "bz2")] {
        assert!(shell(place.dir.path(), &format!("{program} -kf a.tar")), "{program}");
        let limits = Limits { total_bytes: 1 << 20, keep_free: 0, ..Limits::default() };
        let error = place.unpack_with(place.path(&format!("a.tar.{suffix}")), None, limits).unwrap_err();
        assert!(matches!(error, UnpackError::Archive { .. }), "{error:?}");
        assert!(!place.path("dest").exists());
    }
}

#[test]
fn incomplete_images() {
    let place = Place::new();
    let unpack = |tar: Tar| {
        let error = place.unpack_bytes(&tar.bytes()).unwrap_err();
        assert!(!place.path("dest").exists());
        error.to_string()
    };
    assert!(
        unpack(Tar::default().file("metadata.yaml", METADATA.as_bytes()))
            .starts_with("Image is missing a rootfs")
    );
    assert!(unpack(Tar::default().directory("rootfs")).contains("metadata"));
    let wrong = Tar::default().file("metadata.yaml", b"architecture: vax").directory("rootfs");
    assert!(unpack(wrong).contains("metadata"));
    let image = place.write("cut.tar", &Tar::image().file("rootfs/a", &[7; 4096]).bytes()[..4000]);
    assert!(place.unpack(image, None).is_err());
    assert!(!place.path("dest").exists());
    let unknown = place.write("unknown", b"what is this");
    assert!(matches!(place.unpack(unknown, None), Err(UnpackError::Format { .. })));
}

#[test]
fn a_destination_that_is_there_is_not_touched() {
    let place = Place::new();
    let image = place.write("image.tar", &Tar::image().bytes());
    std::fs::create_dir(place.path("dest")).unwrap();
    std::fs::write(place.path("dest/mine"), "x").unwrap();
    assert!(matches!(place.unpack(image, None), Err(UnpackError::Prepare { step: "make", .. })));
    assert!(place.path("dest/mine").exists());
}

#[test]
fn attributes_of_the_hosts_own_kind_are_left_out() {
    if !have("attributes_of_the_hosts_own_kind_are_left_out", &[]) {
        return;
    }
    let place = Place::new();
    let tar = Tar::image()
        .pax(&[("SCHILY.xattr.trusted.overlay.opaque", b"y"), ("SCHILY.xattr.security.selinux", b"x\0")])
        .file("rootfs/a", b"x")
        .pax(&[("SCHILY.xattr.user.mine", b"line\nline"), ("mtime", b"12.5")])
        .file("rootfs/b", b"x");
    place.unpack_bytes(&tar.bytes()).unwrap();
    let mut buffer = [0; 64];
    let value =
        |file: &str, name: &str, buffer: &mut [u8]| rustix::fs::lgetxattr(place.path(file), name, buffer);
    assert!(value("dest/rootfs/a", "trusted.overlay.opaque", &mut buffer).is_err());
    let length = value("dest/rootfs/b", "user.mine", &mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"line\nline");
}

#[test]
fn an_unpacking_that_is_given_up_leaves_nothing() {
    let place = Place::new();
    let tar = (0..2000).fold(Tar::image(), |tar, n| tar.file(&format!("rootfs/{n}"), &[1; 600]));
    let image = place.write("image.tar", &tar.bytes());
    let files = ImageFiles { metadata: image, rootfs: None };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(1).build().unwrap();
    runtime.block_on(async {
        let work = unpack(files, place.path("dest"), Limits { keep_free: 0, ..Limits::default() });
        // Polled once, so that it has started, then dropped.
        let _ = tokio::time::timeout(std::time::Duration::ZERO, work).await;
    });
    // Waits for blocking work.
    drop(runtime);
    assert!(!place.path("dest").exists());
}
