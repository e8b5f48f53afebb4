//! What the real programs pack comes out as it was.

use super::*;
use std::os::unix::fs::MetadataExt as _;

/// A tree with one of everything, made by a script in the directory.
const TREE: &str = r#"
mkdir -p r/dir/sub r/dev r/empty r/sticky
echo hello > r/dir/file; chmod 0640 r/dir/file; chown 1000:50 r/dir/file
cp /bin/true r/dir/suid; chown 5:6 r/dir/suid; chmod 6755 r/dir/suid
chmod 1777 r/sticky; chown 7:8 r/empty; chmod 2750 r/empty
ln -s /does/not/exist r/link; ln -s ../dir r/dir/up; chown -h 9:10 r/link
ln r/dir/file r/dir/sub/hard; ln r/dir/file r/hard2
mkfifo -m 0600 r/pipe
mknod -m 0666 r/dev/null c 1 3; mknod r/dir/sub/gone c 0 0; mknod -m 0660 r/dev/disk b 259 70000
dd if=/dev/urandom of=r/sparse bs=1k count=8 seek=3000 status=none
dd if=/dev/urandom of=r/sparse bs=1k count=8 seek=20 conv=notrunc status=none
truncate -s 9M r/sparse; truncate -s 5M r/hole
i=0; truncate -s 3M r/many
while [ $i -lt 60 ]; do dd if=/dev/urandom of=r/many bs=4k count=1 seek=$((i*10)) conv=notrunc status=none; i=$((i+1)); done
n=$(printf 'x%.0s' $(seq 1 200)); mkdir -p "r/$n/$n"; echo deep > "r/$n/$n/$n"; ln -s "$n/$n" r/longlink
printf 'a' > "r/$(printf 'new\nline')"; printf 'b' > "$(printf 'r/\377latin')"; echo ü > r/ünïcode
touch -d '1999-12-31 23:59:59.123456789' r/dir/file; touch -d @0 r/dev; touch -h -d @86400 r/link
setfattr -n user.note -v "with space" r/dir/file
setfattr -n user.bin -v 0x000a3d0a00 r/hole
mkdir r/etc; echo 'joe:x:1000:1000::/:/bin/sh' > r/etc/passwd; echo 'crew:x:77:' > r/etc/group
setfacl -m u:1000:rw,g:77:r r/dir/file; setfacl -d -m u:33:rwx r/dir; setfacl -m g:77:rx r/dir
setcap cap_net_raw+ep r/dir/suid || true
chmod 0751 r; touch -d @123456789 r/dir/sub r/dir r
"#;

pub(crate) const NEEDED: [&str; 5] = ["tar", "setfattr", "setfacl", "setcap", "getfattr"];

/// Everything about a tree that must survive, one line per entry.
fn description(root: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    let mut links = std::collections::BTreeMap::new();
    describe(root, Path::new("."), &mut links, &mut lines);
    lines.sort();
    lines
}

fn describe(
    root: &Path,
    below: &Path,
    links: &mut std::collections::BTreeMap<u64, PathBuf>,
    lines: &mut Vec<String>,
) {
    let path = root.join(below);
    let stat = path.symlink_metadata().unwrap();
    let first = links.entry(stat.ino()).or_insert_with(|| below.to_owned()).clone();
    let content = if stat.is_file() {
        crate::fingerprint::of_readers(&mut [&mut std::fs::File::open(&path).unwrap()]).unwrap()
    } else if stat.is_symlink() {
        format!("{:?}", std::fs::read_link(&path).unwrap())
    } else {
        String::new()
    };
    // Holes: sizes on disk differ a little between programs, so only whether there are any.
    let is_sparse = stat.is_file() && stat.blocks() * 512 + 65536 < stat.size();
    let size = if stat.is_dir() { 0 } else { stat.size() };
    let device = if stat.mode() & 0o170_000 == 0o020_000 || stat.mode() & 0o170_000 == 0o060_000 {
        stat.rdev()
    } else {
        0
    };
    lines.push(format!(
        "{below:?} {:o} {}:{} {size} {device} {}.{:09} sparse={is_sparse} first={first:?} {content} {}",
        stat.mode(),
        stat.uid(),
        stat.gid(),
        stat.mtime(),
        stat.mtime_nsec(),
        attributes(&path)
    ));
    if stat.is_dir() {
        let mut names: Vec<_> =
            std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        for name in names {
            describe(root, &below.join(name), links, lines);
        }
    }
}

fn attributes(path: &Path) -> String {
    let mut names = vec![0; 4096];
    let Ok(length) = rustix::fs::llistxattr(path, &mut names[..]) else { return String::new() };
    let mut found: Vec<String> = names[..length]
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty() && !name.starts_with(b"security.selinux"))
        .map(|name| {
            let mut value = vec![0; 4096];
            let length = rustix::fs::lgetxattr(path, name, &mut value[..]).unwrap();
            format!("{}={:02x?}", name.escape_ascii(), &value[..length])
        })
        .collect();
    found.sort();
    found.join(" ")
}

pub(crate) fn make_tree(place: &Place) -> bool {
    shell(place.dir.path(), TREE)
}

pub(crate) fn assert_same(expected: &Path, found: &Path, what: &str) {
    let (expected, found) = (description(expected), description(found));
    for (expected, found) in expected.iter().zip(&found) {
        assert_eq!(expected, found, "{what}");
    }
    assert_eq!(expected.len(), found.len(), "{what}");
}

#[test]
fn what_gnu_tar_packs_comes_out_the_same() {
    if !have("what_gnu_tar_packs_comes_out_the_same", &NEEDED) {
        return;
    }
    let place = Place::new();
    assert!(make_tree(&place), "the tree could not be made");
    let metadata =
        place.write("meta.tar", &Tar::default().file("metadata.yaml", METADATA.as_bytes()).bytes());
    let pax = "tar --format=posix --xattrs --xattrs-include=* --acls --numeric-owner -C r";
    for (what, command) in [
        ("sparse 1.0", format!("{pax} --sparse -cf root.tar .")),
        ("sparse 0.1", format!("{pax} --sparse --sparse-version=0.1 -cf root.tar .")),
        ("sparse 0.0", format!("{pax} --sparse --sparse-version=0.0 -cf root.tar .")),
    ] {
        assert!(shell(place.dir.path(), &command), "{what}");
        let unpacked = place.unpack(metadata.clone(), Some(place.path("root.tar"))).unwrap();
        assert!(unpacked.entries > 20 && unpacked.metadata.creation_date == 1);
        assert_same(&place.path("r"), &place.path("dest/rootfs"), what);
        std::fs::remove_dir_all(place.path("dest")).unwrap();
    }
}

#[test]
fn the_old_gnu_format_with_its_own_sparse_files() {
    if !have("the_old_gnu_format_with_its_own_sparse_files", &NEEDED) {
        return;
    }
    let place = Place::new();
    assert!(make_tree(&place), "the tree could not be made");
    // This format has neither attributes nor parts of seconds.
    assert!(shell(
        place.dir.path(),
        "find r -print0 | xargs -0 -n1 setfacl -bk 2>/dev/null || true
         setfattr -x user.note r/dir/file; setfattr -x user.bin r/hole; setcap -r r/dir/suid 2>/dev/null || true
         chmod 6755 r/dir/suid; find r -newermt @0 -exec touch -h -d @1234567890 {} +; touch -d @1234567890 r
         tar --format=gnu --sparse --numeric-owner -cf root.tar -C r ."
    ));
    let metadata =
        place.write("meta.tar", &Tar::default().file("metadata.yaml", METADATA.as_bytes()).bytes());
    place.unpack(metadata, Some(place.path("root.tar"))).unwrap();
    assert_same(&place.path("r"), &place.path("dest/rootfs"), "gnu");
}

#[test]
fn every_compression_by_its_own_program() {
    if !have("every_compression_by_its_own_program", &["tar", "gzip", "bzip2", "xz", "lzma", "zstd"]) {
        return;
    }
    let place = Place::new();
    let script = format!("mkdir -p u/rootfs u/templates; printf '{METADATA}' > u/metadata.yaml
        echo tpl > u/templates/a.tpl; head -c 300000 /dev/urandom > u/rootfs/random; seq 1 200000 > u/rootfs/numbers
        tar -C u -cf u.tar metadata.yaml rootfs templates other 2>/dev/null || tar -C u -cf u.tar metadata.yaml rootfs templates");
    assert!(shell(place.dir.path(), &script));
    for (command, format) in [
        ("cp u.tar image", Format::Tar),
        ("gzip -c u.tar > image", Format::Gzip),
        ("bzip2 -c u.tar > image", Format::Bzip2),
        ("xz -c u.tar > image", Format::Xz),
        ("xz -T2 --block-size=100000 -c u.tar > image", Format::Xz),
        ("(head -c 700000 u.tar | xz -c; tail -c +700001 u.tar | xz -c) > image", Format::Xz),
        ("xz --format=lzma -c u.tar > image", Format::Lzma),
        ("zstd -q -c u.tar > image", Format::Zstd),
        ("zstd -q -19 --long=27 -c u.tar > image", Format::Zstd),
        ("(head -c 700000 u.tar | gzip -c; tail -c +700001 u.tar | gzip -c) > image", Format::Gzip),
    ] {
        assert!(shell(place.dir.path(), command), "{command}");
        assert_eq!(Format::of_file(&place.path("image")).unwrap(), format, "{command}");
        place.unpack(place.path("image"), None).unwrap_or_else(|error| panic!("{command}: {error:?}"));
        for name in ["random", "numbers"] {
            let read = |of: &str| std::fs::read(place.path(of).join("rootfs").join(name)).unwrap();
            assert!(read("u") == read("dest"), "{command}: {name}");
        }
        assert_eq!(std::fs::read(place.path("dest/templates/a.tpl")).unwrap(), b"tpl\n");
        assert!(Metadata::of_image(&place.path("image")).is_ok());
        std::fs::remove_dir_all(place.path("dest")).unwrap();
    }
}

#[test]
fn a_broken_compression_is_an_error() {
    if !have("a_broken_compression_is_an_error", &["xz"]) {
        return;
    }
    let place = Place::new();
    let tar: Vec<u8> = (0..400_000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    place.write("u.tar", &Tar::image().file("rootfs/a", &tar).bytes());
    for program in ["gzip", "bzip2", "xz", "xz --format=lzma", "zstd -q"] {
        assert!(
            shell(place.dir.path(), &format!("{program} -c u.tar > whole; head -c 900000 whole > cut")),
            "{program}"
        );
        assert!(place.unpack(place.path("whole"), None).is_ok(), "{program}");
        std::fs::remove_dir_all(place.path("dest")).unwrap();
        assert!(place.unpack(place.path("cut"), None).is_err(), "{program}");
        assert!(!place.path("dest").exists(), "{program}");
    }
}

#[test]
fn a_squashfs_comes_out_the_same() {
    if !have("a_squashfs_comes_out_the_same", &NEEDED)
        || !have("a_squashfs_comes_out_the_same", &["mksquashfs", "unsquashfs"])
    {
        return;
    }
    let place = Place::new();
    assert!(make_tree(&place), "the tree could not be made");
    // It has whole seconds only, and no access control lists.
    assert!(shell(
        place.dir.path(),
        "find r -print0 | xargs -0 -n1 setfacl -bk 2>/dev/null || true
         rm -rf r/etc; chmod 2750 r/empty; find r -exec touch -h -d @1234567890 {} +
         mksquashfs r root.squashfs -noappend -no-progress -quiet > /dev/null"
    ));
    let metadata =
        place.write("meta.tar", &Tar::default().file("metadata.yaml", METADATA.as_bytes()).bytes());
    let unpacked = place.unpack(metadata, Some(place.path("root.squashfs"))).unwrap();
    assert!(unpacked.bytes > 1000);
    assert_same(&place.path("r"), &place.path("dest/rootfs"), "squashfs");
}

#[test]
fn a_hostile_squashfs_leaves_nothing() {
    let test = "a_hostile_squashfs_leaves_nothing";
    if !have(test, &["mksquashfs", "unsquashfs"]) {
        return;
    }
    let place = Place::new();
    assert!(shell(
        place.dir.path(),
        "mkdir -p r/dev r/tmp; mknod r/dev/null c 1 3
         mksquashfs r good.squashfs -noappend -no-progress -quiet > /dev/null
         truncate -s 100M r/large; mksquashfs r large.squashfs -noappend -no-progress -quiet > /dev/null; rm r/large
         mknod r/tmp/mem c 1 1; mksquashfs r device.squashfs -noappend -no-progress -quiet > /dev/null
         head -c 200 good.squashfs > cut.squashfs"
    ));
    let metadata =
        place.write("meta.tar", &Tar::default().file("metadata.yaml", METADATA.as_bytes()).bytes());
    let limits = Limits { total_bytes: 10 << 20, keep_free: 0, ..Limits::default() };
    let unpack = |name: &str| place.unpack_with(metadata.clone(), Some(place.path(name)), limits);
    let device = unpack("device.squashfs").unwrap_err();
    assert!(
        matches!(&device, UnpackError::Refused { member, why: Refusal::DeviceOutsideDev } if member == "tmp/mem"),
        "{device:?}"
    );
    assert!(!place.path("dest").exists());
    assert!(matches!(unpack("large.squashfs"), Err(UnpackError::Squashfs { .. })));
    assert!(!place.path("dest").exists());
    assert!(matches!(unpack("cut.squashfs"), Err(UnpackError::Squashfs { .. })));
    assert!(!place.path("dest").exists());
    unpack("good.squashfs").unwrap();
    let image = place.path("good.squashfs");
    std::fs::remove_dir_all(place.path("dest")).unwrap();
    assert!(matches!(place.unpack(image, None), Err(UnpackError::Metadata(MetadataError::NotATarball))));
}

#[test]
fn names_in_lists_are_the_containers() {
    if !have("names_in_lists_are_the_containers", &["getfattr"]) {
        return;
    }
    let place = Place::new();
    let list: &[u8] = b"user::rw-,user:joe:r--,group::r--,group:crew:r--,mask::r--,other::---";
    // The files that say who they are come last.
    let tar = Tar::image()
        .pax(&[("SCHILY.acl.access", list)])
        .file("rootfs/a", b"")
        .pax(&[("SCHILY.acl.access", b"user::rw-,user:nobody-here:r--,group::r--,mask::r--,other::---")])
        .file("rootfs/b", b"")
        .file("rootfs/etc/passwd", b"joe:x:1234:1::/:\n")
        .file("rootfs/etc/group", b"crew:x:4321:\n");
    place.unpack_bytes(&tar.bytes()).unwrap();
    let mut value = [0; 256];
    let length =
        rustix::fs::lgetxattr(place.path("dest/rootfs/a"), "system.posix_acl_access", &mut value[..])
            .unwrap();
    let has = |id: u32| value[..length].chunks(4).any(|chunk| chunk == id.to_le_bytes());
    assert!(has(1234) && has(4321), "{:02x?}", &value[..length]);
    let none = rustix::fs::lgetxattr(place.path("dest/rootfs/b"), "system.posix_acl_access", &mut value[..]);
    assert!(none.is_err());
}

#[test]
fn metadata_and_templates_are_for_root_only() {
    let place = Place::new();
    let tar = Tar::image().directory("templates").file("templates/a.tpl", b"x").directory("templates/sub");
    place.unpack_bytes(&tar.bytes()).unwrap();
    let mode = |name: &str| place.path("dest").join(name).symlink_metadata().unwrap().mode() & 0o7777;
    assert_eq!(place.path("dest").metadata().unwrap().mode() & 0o7777, 0o700);
    assert_eq!((mode("metadata.yaml"), mode("templates/a.tpl")), (0o600, 0o600));
    assert_eq!((mode("templates"), mode("templates/sub"), mode("rootfs")), (0o700, 0o700, 0o755));
}

#[test]
fn directories_that_are_not_mentioned_are_made() {
    let place = Place::new();
    let tar = Tar::default()
        .file("metadata.yaml", METADATA.as_bytes())
        .file("rootfs/a/b/c", b"x")
        .file("README", b"");
    place.unpack_bytes(&tar.bytes()).unwrap();
    let mode = |name: &str| place.path("dest/rootfs").join(name).metadata().unwrap().mode() & 0o7777;
    assert_eq!((mode("."), mode("a"), mode("a/b")), (0o755, 0o755, 0o755));
    assert!(!place.path("dest/README").exists());
}
