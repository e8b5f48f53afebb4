//! Importing, describing and exporting images, in every format.

use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::process::Command;
use testkit::{TestDaemon, busybox_image, daemon, find_program, run};

fn sha256(files: &[&Path]) -> String {
    let mut hash = Sha256::new();
    for file in files {
        hash.update(std::fs::read(file).unwrap());
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The busybox image unpacked below the test's directory.
fn unpacked(d: &TestDaemon) -> PathBuf {
    let dir = d.scratch().join("unpacked");
    std::fs::create_dir_all(&dir).unwrap();
    let image = busybox_image().unwrap_or_else(|e| panic!("{}", e.0));
    let _ = run(Command::new("tar").arg("-C").arg(&dir).arg("-xzf").arg(image)).expect_success();
    dir
}

fn fingerprint(said: &str) -> String {
    said.lines()
        .find_map(|l| l.trim().strip_prefix("Image imported with fingerprint: "))
        .unwrap_or_else(|| panic!("no fingerprint in {said:?}"))
        .trim()
        .to_owned()
}

/// A container made from the image starts.
fn starts(d: &TestDaemon, image: &str) {
    d.lxc_ok(&["launch", image, "from-image"]);
    assert_eq!(d.exec("from-image", &["hostname"]).trim(), "from-image");
    d.lxc_ok(&["delete", "--force", "from-image"]);
}

#[test]
fn every_compression_of_a_unified_image_works() {
    let d = daemon!(TestDaemon::builder().without_image());
    let dir = unpacked(&d);
    let plain = d.scratch().join("image.tar");
    let _ = run(Command::new("tar").arg("-C").arg(&dir).arg("-cf").arg(&plain).args([
        "metadata.yaml",
        "templates",
        "rootfs",
    ]))
    .expect_success();
    let compressors: [(&str, &[&str]); 6] = [
        ("", &[]),
        ("gzip", &["-c"]),
        ("bzip2", &["-c"]),
        ("xz", &["-c", "-1"]),
        ("xz", &["-c", "-1", "--format=lzma"]),
        ("zstd", &["-c", "-q"]),
    ];
    for (n, (program, arguments)) in compressors.iter().enumerate() {
        let file = d.scratch().join(format!("image-{n}"));
        if program.is_empty() {
            std::fs::copy(&plain, &file).unwrap();
        } else if find_program(program).is_none() {
            testkit::report_skip(
                &format!("images::compression::{program}"),
                &format!("{program} is not installed"),
            );
            continue;
        } else {
            let packed = run(Command::new(program).args(*arguments).arg(&plain)).expect_success();
            std::fs::write(&file, packed.stdout).unwrap();
        }
        let said = d.lxc_ok(&["image", "import", file.to_str().unwrap(), "--alias", &format!("a{n}")]);
        assert_eq!(fingerprint(&said), sha256(&[&file]), "{program} {arguments:?}");
        starts(&d, &format!("a{n}"));
        let out = d.scratch().join(format!("out-{n}"));
        d.lxc_ok(&["image", "export", &format!("a{n}"), out.to_str().unwrap()]);
        let exported = std::fs::read_dir(d.scratch()).unwrap().flatten().map(|e| e.path());
        let exported =
            exported.filter(|p| p.file_name().unwrap().to_string_lossy().starts_with(&format!("out-{n}")));
        assert_eq!(exported.map(|p| sha256(&[&p])).collect::<Vec<_>>(), [sha256(&[&file])]);
    }
}

#[test]
fn split_images_work_with_a_tarball_and_with_squashfs() {
    let d = daemon!(TestDaemon::builder().without_image());
    let dir = unpacked(&d);
    let meta = d.scratch().join("meta.tar.xz");
    let _ = run(Command::new("tar")
        .arg("-C")
        .arg(&dir)
        .arg("-cJf")
        .arg(&meta)
        .args(["metadata.yaml", "templates"]))
    .expect_success();
    let tarball = d.scratch().join("root.tar.gz");
    let _ = run(Command::new("tar").arg("-C").arg(dir.join("rootfs")).arg("-czf").arg(&tarball).arg("."))
        .expect_success();
    let squashfs = d.scratch().join("root.squashfs");
    let _ = run(Command::new("mksquashfs")
        .arg(dir.join("rootfs"))
        .arg(&squashfs)
        .args(["-quiet", "-no-progress"]))
    .expect_success();
    for (alias, rootfs) in [("tarball", &tarball), ("squashfs", &squashfs)] {
        let said = d.lxc_ok(&[
            "image",
            "import",
            meta.to_str().unwrap(),
            rootfs.to_str().unwrap(),
            "--alias",
            alias,
        ]);
        let print = fingerprint(&said);
        assert_eq!(print, sha256(&[&meta, rootfs]));
        starts(&d, alias);
        let out = d.scratch().join(format!("out-{alias}"));
        std::fs::create_dir(&out).unwrap();
        d.lxc_ok(&["image", "export", alias, out.to_str().unwrap()]);
        let mut sums: Vec<_> =
            std::fs::read_dir(&out).unwrap().flatten().map(|e| sha256(&[&e.path()])).collect();
        let mut expected = vec![sha256(&[&meta]), sha256(&[rootfs])];
        sums.sort();
        expected.sort();
        assert_eq!(sums, expected);
    }
}

#[test]
fn what_a_file_system_can_hold_survives() {
    let d = daemon!(TestDaemon::builder().without_image());
    for name in ["setfattr", "setfacl", "getfattr", "getfacl"] {
        if find_program(name).is_none() {
            testkit::skip!("the program {name} is not installed");
        }
    }
    let dir = unpacked(&d);
    let r = dir.join("rootfs/srv");
    let script = "mkdir -p $1; cd $1; echo a > a; ln a hard; ln -s a soft; \
        truncate -s 50M sparse; echo end >> sparse; mkfifo pipe; chown 1000:2000 a; chmod 4755 a; \
        setfattr -n user.note -v text a; setfacl -m u:1234:r a; \
        cp /bin/true cap; setfattr -n security.capability -v 0x0100000200040000000000000000000000000000 cap; \
        touch -d @1000000000 a; printf x > \"$(printf 'odd\\nname')\"";
    let _ = run(Command::new("sh").args(["-c", script, "sh"]).arg(&r)).expect_success();
    let look = "cd $1; stat -c '%n %u %g %a %h %Y' a hard; readlink soft; stat -c '%s' sparse; \
        test $(stat -c %b sparse) -lt 1000 && echo is sparse; test -p pipe && echo is a pipe; \
        getfattr --absolute-names -d -m - a cap 2>/dev/null | grep -v '^system'; getfacl -n -p -c a 2>/dev/null; ls | wc -l";
    let expected = run(Command::new("sh").args(["-c", look, "sh"]).arg(&r)).expect_success().text();
    let tarball = d.scratch().join("image.tar.gz");
    let pack = Command::new("tar")
        .args(["--xattrs", "--xattrs-include=*", "--acls", "--sparse", "-C"])
        .arg(&dir)
        .arg("-czf")
        .arg(&tarball)
        .args(["metadata.yaml", "templates", "rootfs"])
        .output();
    assert!(pack.is_ok_and(|o| o.status.success()));
    d.lxc_ok(&["image", "import", tarball.to_str().unwrap(), "--alias", "rich"]);
    // Twice: unpacked, and copied from what was unpacked.
    for name in ["c1", "c2"] {
        d.lxc_ok(&["init", "rich", name]);
        let copy = d.lxd_dir().join(format!("storage-pools/default/containers/{name}/rootfs/srv"));
        let found = run(Command::new("sh").args(["-c", look, "sh"]).arg(&copy)).expect_success().text();
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn list_info_show_edit_and_delete() {
    let d = daemon!();
    let list = d.lxc_ok(&["image", "list"]);
    assert!(
        list.contains(" ALIAS ") && list.contains("busybox") && list.contains("Busybox example image"),
        "{list}"
    );
    let info = d.lxc_ok(&["image", "info", "busybox"]);
    let print = info.lines().find_map(|l| l.strip_prefix("Fingerprint: ")).expect("a fingerprint").to_owned();
    for line in ["Architecture: x86_64", "Public: no", "Timestamps:", "Properties:", "os: Busybox"] {
        assert!(info.contains(line) || cfg!(not(target_arch = "x86_64")), "no {line:?} in {info}");
    }
    assert!(d.lxc_ok(&["image", "show", &print[..12]]).contains("public: false"));
    let edited = d.lxc_ok(&["image", "show", "busybox"]).replace("public: false", "public: true");
    let _ = d.lxc_with_input(&["image", "edit", "busybox"], edited.as_bytes()).expect_success();
    assert!(d.lxc_ok(&["image", "info", "busybox"]).contains("Public: yes"));
    let csv = d.lxc_ok(&["image", "list", "-c", "lfp", "--format", "csv"]);
    assert_eq!(csv.trim(), format!("busybox,{},yes", &print[..12]));
    assert_eq!(d.lxc_ok(&["image", "list", "os=Debian", "--format", "csv"]), "");

    d.lxc_ok(&["image", "alias", "create", "other/name", &print]);
    let refused = d.lxc_fails(&["image", "alias", "create", "other/name", &print]);
    assert!(refused.contains("already exists"), "{refused}");
    d.lxc_ok(&["image", "alias", "rename", "other/name", "third"]);
    assert!(d.lxc_ok(&["image", "alias", "list"]).contains("third"));
    d.lxc_ok(&["image", "alias", "delete", "third"]);
    d.lxc_ok(&["init", "busybox", "c1"]);
    d.lxc_ok(&["image", "delete", "busybox"]);
    assert_eq!(d.lxc_ok(&["image", "list", "--format", "csv"]), "");
    assert_eq!(std::fs::read_dir(d.lxd_dir().join("images")).unwrap().count(), 0);
    // A container does not need its image any more.
    d.lxc_ok(&["start", "c1"]);
}

#[test]
fn the_same_image_twice_is_refused_and_a_wrong_hash_too() {
    let d = daemon!();
    let image = testkit::or_skip!(busybox_image());
    let refused = d.lxc_fails(&["image", "import", image.to_str().unwrap()]);
    assert!(refused.contains("same fingerprint already exists"), "{refused}");
    d.lxc_ok(&["image", "delete", "busybox"]);
    let bytes = std::fs::read(&image).unwrap();
    let wrong = "0".repeat(64);
    let response = d.api().request("POST", "/1.0/images", &[("X-LXD-fingerprint", &wrong)], &bytes);
    let failed = response.status != 202
        || d.api().wait(response.json()["operation"].as_str().unwrap())["status"] == "Failure";
    assert!(failed, "{response:?}");
    assert_eq!(d.lxc_ok(&["image", "list", "--format", "csv"]), "");
    assert_eq!(std::fs::read_dir(d.lxd_dir().join("images")).unwrap().count(), 0);
}

#[test]
fn an_upload_may_carry_properties_and_a_name() {
    let d = daemon!(TestDaemon::builder().without_image());
    let image = testkit::or_skip!(busybox_image());
    let headers = [
        ("X-LXD-properties", "os=Other&flavour=plain+one"),
        ("X-LXD-public", "true"),
        ("X-LXD-filename", "b.tar.gz"),
    ];
    let api = d.api();
    let response = api.request("POST", "/1.0/images", &headers, &std::fs::read(&image).unwrap());
    let ended = api.wait(response.json()["operation"].as_str().unwrap());
    let print = ended["metadata"]["fingerprint"].as_str().unwrap().to_owned();
    assert!(ended["metadata"]["size"].is_string(), "{ended}");
    let stored = api.get(&format!("/1.0/images/{}", &print[..8])).metadata();
    assert_eq!((&stored["properties"]["os"], &stored["filename"]), (&"Other".into(), &"b.tar.gz".into()));
    assert_eq!((&stored["properties"]["flavour"], &stored["public"]), (&"plain one".into(), &true.into()));
}
