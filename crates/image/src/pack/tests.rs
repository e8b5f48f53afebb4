//! What is packed comes out as it was: by our own unpacking, by GNU tar and by `unsquashfs`.

use super::*;
use crate::unpack::tests::round_trip::{NEEDED, assert_same, make_tree};
use crate::unpack::tests::{METADATA, Place, have, shell};
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::sync::atomic::AtomicU64;

/// A volume in a place, with one of everything in it.
fn volume(test: &str) -> Option<Place> {
    if !have(test, &NEEDED) {
        return None;
    }
    let place = Place::new();
    assert!(make_tree(&place), "the tree could not be made");
    std::fs::create_dir_all(place.path("v/templates")).unwrap();
    std::fs::rename(place.path("r"), place.path("v/rootfs")).unwrap();
    std::fs::write(place.path("v/metadata.yaml"), METADATA).unwrap();
    std::fs::write(place.path("v/templates/hostname.tpl"), "{{ container.name }}\n").unwrap();
    let _listener = UnixListener::bind(place.path("v/rootfs/socket")).unwrap();
    Some(place)
}

fn source(place: &Place) -> Source {
    Source { volume: place.path("v"), ..Source::default() }
}

/// Packs into a new directory of this name.
fn pack_with(place: &Place, source: Source, compression: &str, name: &str) -> Result<Packed, PackError> {
    let directory = place.path(name);
    std::fs::create_dir(&directory).unwrap();
    let compression = Compression::parse(compression).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(1).build().unwrap();
    runtime.block_on(pack(source, compression, &directory, |_| {}))
}

fn unpack_again(place: &Place, packed: &Packed) -> PathBuf {
    let dest = place.path("dest");
    if dest.exists() {
        std::fs::remove_dir_all(&dest).unwrap();
    }
    place.unpack(packed.files.metadata.clone(), packed.files.rootfs.clone()).unwrap();
    dest.join("rootfs")
}

#[test]
fn every_compression_comes_out_the_same_and_has_the_right_fingerprint() {
    let test = "every_compression_comes_out_the_same_and_has_the_right_fingerprint";
    let Some(place) = volume(test) else { return };
    let wanted = [
        "none",
        "gzip",
        "gzip -1",
        "bzip2",
        "xz -T0 -1",
        "lzma -1",
        "zstd -19",
        "lz4",
        "pigz",
        "pbzip2",
        "pixz",
        "lbzip2",
        "squashfs",
        "squashfs -comp zstd -Xcompression-level 1",
    ];
    for (n, compression) in wanted.iter().enumerate() {
        let program = Compression::parse(compression).unwrap().program();
        if let Some(program) = program.filter(|program| tools::find(program).is_none()) {
            let error = pack_with(&place, source(&place), compression, &format!("missing{n}")).unwrap_err();
            assert!(crate::Error::from(error).to_string().contains("compress"));
            assert_eq!(std::fs::read_dir(place.path(&format!("missing{n}"))).unwrap().count(), 0);
            eprintln!("SKIP {test}::{program}: {program} is not installed");
            continue;
        }
        if compression.starts_with("squashfs") {
            // It has none, so there must be none.
            assert!(shell(&place.path("v/rootfs"), "setfacl -R -P -b -k ."));
        }
        let packed = pack_with(&place, source(&place), compression, &format!("out{n}")).unwrap();
        let files = [Some(&packed.files.metadata), packed.files.rootfs.as_ref()];
        let mut open: Vec<_> = files.into_iter().flatten().map(|p| std::fs::File::open(p).unwrap()).collect();
        let mut readers: Vec<&mut dyn io::Read> = open.iter_mut().map(|f| f as &mut dyn io::Read).collect();
        assert_eq!(
            crate::fingerprint::of_readers(&mut readers).unwrap(),
            packed.fingerprint,
            "{compression}"
        );
        let metadata = crate::Metadata::of_image(&packed.files.metadata).unwrap();
        assert_eq!(metadata.creation_date, 1);
        let rootfs = unpack_again(&place, &packed);
        assert!(!rootfs.join("socket").exists());
        let tpl = std::fs::read_to_string(place.path("dest/templates/hostname.tpl")).unwrap();
        assert_eq!(tpl, "{{ container.name }}\n");
        let expected = place.path("v/rootfs");
        // A socket is not packed; a squashfs has whole seconds.
        let _ = std::fs::remove_file(expected.join("socket"));
        if compression.starts_with("squashfs") {
            let simple = "find . -exec touch -h -d @1000000 {} +";
            assert!(shell(&expected, simple) && shell(&rootfs, simple));
        }
        assert!(shell(&expected, "touch -d @123456789 .") && shell(&rootfs, "touch -d @123456789 ."));
        assert_same(&expected, &rootfs, compression);
    }
}

#[test]
fn gnu_tar_unpacks_it_the_same_and_twice_is_the_same() {
    let Some(place) = volume("gnu_tar_unpacks_it_the_same_and_twice_is_the_same") else { return };
    let one = pack_with(&place, source(&place), "gzip", "one").unwrap();
    let two = pack_with(&place, source(&place), "gzip", "two").unwrap();
    assert_eq!(one.fingerprint, two.fingerprint);
    std::fs::create_dir(place.path("by-tar")).unwrap();
    let script = "tar --numeric-owner --xattrs-include='*' -xzf ../one/metadata";
    assert!(shell(&place.path("by-tar"), script));
    std::fs::remove_file(place.path("v/rootfs/socket")).unwrap();
    let again = "touch -d @123456789 ../by-tar/rootfs ../v/rootfs";
    assert!(shell(&place.path("by-tar"), again));
    assert_same(&place.path("v/rootfs"), &place.path("by-tar/rootfs"), "GNU tar");
    let list = "tar -tzf one/metadata | head -2 | tr '\\n' ' ' > list";
    assert!(shell(place.dir.path(), list));
    assert_eq!(std::fs::read_to_string(place.path("list")).unwrap(), "metadata.yaml rootfs/ ");
}

#[test]
fn ids_lists_and_capabilities_are_those_of_the_inside() {
    let Some(place) = volume("ids_lists_and_capabilities_are_those_of_the_inside") else { return };
    let plain = pack_with(&place, source(&place), "none", "plain").unwrap();
    // The same tree, as it is on disk when the host's ids were put into it.
    let shift = "cd v/rootfs && find . -depth -exec sh -c 'for f; do set -- $(stat -c \"%u %g %a\" \"$f\"); \
        [ $1 -ge 1000000 ] || chown -h $(($1+1000000)):$(($2+1000000)) \"$f\"; [ -h \"$f\" ] || chmod $3 \"$f\"; done' sh {} +
        setfacl -x u:1000,g:77 dir/file; setfacl -m u:1001000:rw,g:1000077:r dir/file
        setfacl -d -x u:33 dir; setfacl -d -m u:1000033:rwx dir; setfacl -x g:77 dir; setfacl -m g:1000077:rx dir
        setcap -n 1000000 cap_net_raw+ep dir/suid
        touch -d '1999-12-31 23:59:59.123456789' dir/file";
    assert!(shell(place.dir.path(), &format!("rm v/rootfs/socket\n{shift}")));
    let map = IdMap::contiguous(1_000_000, 65536);
    let shifted = Source { idmap: Some(map), ..source(&place) };
    let packed = pack_with(&place, shifted, "none", "shifted").unwrap();
    for (name, packed) in [("a", plain), ("b", packed)] {
        std::fs::rename(unpack_again(&place, &packed).parent().unwrap(), place.path(name)).unwrap();
    }
    let same = "touch -d @123456789 a/rootfs b/rootfs a/rootfs/dir b/rootfs/dir; rm -f a/rootfs/socket";
    assert!(shell(place.dir.path(), same));
    assert_same(&place.path("a/rootfs"), &place.path("b/rootfs"), "shifted");
}

#[test]
fn hostile_trees_are_no_way_out_and_no_way_to_fill_the_host() {
    let place = Place::new();
    let root = place.path("v/rootfs");
    std::fs::create_dir_all(&root).unwrap();
    std::fs::write(place.path("v/metadata.yaml"), METADATA).unwrap();
    std::fs::write(place.path("secret"), "of the host").unwrap();
    symlink("../../secret", root.join("link")).unwrap();
    symlink("/etc", root.join("etc")).unwrap();
    symlink("../secret", place.path("v/templates")).unwrap();
    let large = std::fs::File::create(root.join("large")).unwrap();
    large.set_len(1 << 39).unwrap();
    std::fs::write(root.join("line\nbreak; $(reboot)"), "x").unwrap();
    let packed = pack_with(&place, source(&place), "none", "out").unwrap();
    assert!(packed.size < 64 * 1024, "{}", packed.size);
    let rootfs = unpack_again(&place, &packed);
    assert_eq!(std::fs::read_link(rootfs.join("link")).unwrap(), Path::new("../../secret"));
    assert_eq!(std::fs::read_link(rootfs.join("etc")).unwrap(), Path::new("/etc"));
    assert_eq!(rootfs.join("large").metadata().unwrap().size(), 1 << 39);
    assert!(rootfs.join("line\nbreak; $(reboot)").exists());

    // Metadata that lead elsewhere, and a root that is a link.
    std::fs::remove_file(place.path("v/metadata.yaml")).unwrap();
    symlink("/etc/passwd", place.path("v/metadata.yaml")).unwrap();
    assert!(pack_with(&place, source(&place), "none", "out2").is_err());
    std::fs::remove_file(place.path("v/metadata.yaml")).unwrap();
    std::fs::write(place.path("v/metadata.yaml"), METADATA).unwrap();
    std::fs::rename(&root, place.path("elsewhere")).unwrap();
    symlink("../elsewhere", &root).unwrap();
    assert!(pack_with(&place, source(&place), "none", "out3").is_err());
}

#[test]
fn a_tree_too_deep_to_be_unpacked_is_refused() {
    let place = Place::new();
    std::fs::create_dir_all(place.path("v/rootfs")).unwrap();
    std::fs::write(place.path("v/metadata.yaml"), METADATA).unwrap();
    let name = "d".repeat(200);
    let mut here = rustix::fs::open(place.path("v/rootfs"), OFlags::DIRECTORY, Mode::empty()).unwrap();
    for _ in 0..40 {
        rustix::fs::mkdirat(&here, &name, Mode::RWXU).unwrap();
        here = rustix::fs::openat(&here, &name, OFlags::DIRECTORY, Mode::empty()).unwrap();
    }
    let error = pack_with(&place, source(&place), "gzip", "out").unwrap_err();
    assert!(matches!(error, PackError::TooDeep { .. }), "{error}");
}

#[test]
fn work_that_nobody_waits_for_ends() {
    let place = Place::new();
    std::fs::create_dir_all(place.path("v/rootfs")).unwrap();
    std::fs::create_dir(place.path("out")).unwrap();
    std::fs::write(place.path("v/metadata.yaml"), METADATA).unwrap();
    // Zeros that are on disk, so that they are read.
    let large = std::fs::File::create(place.path("v/rootfs/large")).unwrap();
    let allocate = rustix::fs::FallocateFlags::empty();
    rustix::fs::fallocate(&large, allocate, 0, 64 << 20).unwrap();
    let seen = Arc::new(AtomicU64::new(0));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(1).build().unwrap();
    let (begun, mut begins) = tokio::sync::mpsc::unbounded_channel();
    let (go, goes) = std::sync::mpsc::channel::<()>();
    let (count, goes) = (seen.clone(), std::sync::Mutex::new(goes));
    let report = move |bytes| {
        count.store(bytes, Ordering::Relaxed);
        let _ = begun.send(());
        // Until the work has been given up.
        let _ = goes.lock().unwrap().recv();
    };
    runtime.block_on(async {
        let directory = place.path("out");
        let packing = pack(source(&place), Compression::parse("gzip").unwrap(), &directory, report);
        tokio::select! {
            _ = packing => panic!("it cannot be finished"),
            _ = begins.recv() => {}
        }
    });
    drop(go);
    drop(runtime);
    assert!(seen.load(Ordering::Relaxed) < 64 << 20);
}
