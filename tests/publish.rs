//! Containers and snapshots become images, and containers again.

use serde_json::json;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use testkit::{TestDaemon, daemon, debian_image, eventually, eventually_within, find_program, or_skip, run};

fn fingerprint(said: &str) -> String {
    said.lines()
        .find_map(|line| line.trim().strip_prefix("Container published with fingerprint: "))
        .unwrap_or_else(|| panic!("no fingerprint in {said:?}"))
        .trim()
        .to_owned()
}

fn rootfs(d: &TestDaemon, name: &str) -> PathBuf {
    d.lxd_dir().join(format!("storage-pools/default/containers/{name}/rootfs"))
}

/// SHA-256 of an image's files, computed by somebody else.
fn files_hash(d: &TestDaemon, fingerprint: &str) -> String {
    let mut hash = Sha256::new();
    for name in [fingerprint.to_owned(), format!("{fingerprint}.rootfs")] {
        let Ok(bytes) = std::fs::read(d.lxd_dir().join("images").join(name)) else { continue };
        hash.update(bytes);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Files in the store's directory.
fn stored(d: &TestDaemon) -> Vec<String> {
    let names = std::fs::read_dir(d.lxd_dir().join("images")).unwrap().flatten();
    let mut names: Vec<String> =
        names.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

const RICH: &str = r#"mkdir -p $1/srv; cd $1/srv; echo a > a; ln a hard; ln -s a soft; ln -s /nowhere broken
truncate -s 50M sparse; echo end >> sparse; mkfifo pipe; mkdir -m 1777 sticky; chown 1000:2000 a; chmod 4755 a
setfattr -n user.note -v text a; setfacl -m u:1234:r a; setfacl -d -m g:77:rx sticky; cp /bin/true cap
setfattr -n security.capability -v 0x0100000200040000000000000000000000000000 cap; mknod ../dev/mine c 1 3
mkdir gone; mknod gone/file c 0 0; touch -d '@1000000000.5' a; touch -h -d @86400 soft; printf x > "$(printf 'odd\nname')"; printf y > "$(printf '\377')"
python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")' 2>/dev/null || true"#;

const LOOK: &str = r#"cd $1; find . -path ./dev -prune -o -printf '%p %y %m %U %G %n %T@ %l\n' | sort
find . -type f -size -1000k -exec sha256sum {} + | sort; stat -c '%s %t %T' srv/sparse srv/gone/file dev/mine
test $(stat -c %b srv/sparse) -lt 1000 && echo is sparse
getfattr --absolute-names -R -h -d -m - srv 2>/dev/null; getfacl -n -p -R srv 2>/dev/null; getcap -r srv 2>/dev/null || true"#;

fn shell(script: &str, argument: &Path) -> String {
    run(Command::new("sh").args(["-ec", script, "sh"]).arg(argument)).expect_success().text()
}

#[test]
fn what_is_published_and_launched_has_the_same_files() {
    for name in ["setfattr", "setfacl", "getfattr", "getfacl"] {
        if find_program(name).is_none() {
            testkit::skip!("the program {name} is not installed");
        }
    }
    let d = daemon!();
    d.lxc_ok(&["init", "busybox", "c1"]);
    shell(RICH, &rootfs(&d, "c1"));
    // What the container itself writes has the form that its namespace gives it.
    d.lxc_ok(&["start", "c1"]);
    d.exec("c1", &["sh", "-c", "echo inside > /root/inside; chown 33:33 /root/inside"]);
    d.lxc_ok(&["stop", "--force", "c1"]);
    let said = d.lxc_ok(&["publish", "c1", "--alias", "mine", "--alias", "mine/too", "os=Test", "note=a b"]);
    let print = fingerprint(&said);
    assert_eq!(files_hash(&d, &print), print);
    // The same files give the same image, which is there already.
    let again = d.lxc_fails(&["publish", "c1", "os=Test", "note=a b"]);
    assert!(again.contains("already exists"), "{again}");
    let image = d.api().get(&format!("/1.0/images/{print}")).metadata();
    assert_eq!(image["properties"], json!({"os": "Test", "note": "a b"}));
    assert_eq!(image["public"], false);
    let mut aliases: Vec<_> =
        image["aliases"].as_array().unwrap().iter().map(|a| a["name"].as_str().unwrap()).collect();
    aliases.sort_unstable();
    assert_eq!(aliases, ["mine", "mine/too"]);
    d.lxc_ok(&["init", "mine/too", "c2"]);
    let socket = rootfs(&d, "c1").join("srv/socket");
    if socket.exists() {
        assert!(!rootfs(&d, "c2").join("srv/socket").exists(), "a socket came along");
        std::fs::remove_file(&socket).unwrap();
        shell("touch -d @1000000000 $1/srv", &rootfs(&d, "c2"));
    }
    shell("touch -d @1000000000 $1/srv", &rootfs(&d, "c1"));
    shell("touch -d @1000000000 $1/srv", &rootfs(&d, "c2"));
    let (expected, found) = (shell(LOOK, &rootfs(&d, "c1")), shell(LOOK, &rootfs(&d, "c2")));
    let differs = expected.lines().zip(found.lines()).find(|(a, b)| a != b);
    assert!(differs.is_none() && expected.lines().count() == found.lines().count(), "{differs:?}");
    // Templates came along, and are applied.
    d.lxc_ok(&["start", "c2"]);
    assert_eq!(d.exec("c2", &["hostname"]), "c2\n");
    assert_eq!(d.exec("c2", &["stat", "-c", "%u", "/root/inside"]), "33\n");
}

#[test]
fn the_metadata_of_the_container_stay_unless_something_else_is_wanted() {
    let d = daemon!();
    d.lxc_ok(&["init", "busybox", "c1"]);
    let base = d.api().get("/1.0/images/aliases/busybox").metadata()["target"].as_str().unwrap().to_owned();
    let base = d.api().get(&format!("/1.0/images/{base}")).metadata();
    let same = fingerprint(&d.lxc_ok(&["publish", "c1", "--public"]));
    let same = d.api().get(&format!("/1.0/images/{same}")).metadata();
    for key in ["properties", "architecture", "created_at"] {
        assert_eq!(same[key], base[key], "{key}");
    }
    assert_eq!(same["public"], true);
    let said = d.lxc_ok(&["publish", "c1", "release=2", "--expire", "2040-01-31T10:00:00Z"]);
    let other = d.api().get(&format!("/1.0/images/{}", fingerprint(&said))).metadata();
    assert_eq!(
        (&other["properties"], &other["expires_at"]),
        (&json!({"release": "2"}), &json!("2040-01-31T10:00:00Z"))
    );
    // A container without an image gets metadata.
    let post = json!({"name": "empty", "source": {"type": "none"}});
    let _ = d.api().operation("POST", "/1.0/containers", &post);
    let said = d.lxc_ok(&["publish", "empty", "--compression", "none"]);
    let image = d.api().get(&format!("/1.0/images/{}", fingerprint(&said))).metadata();
    assert_eq!(image["architecture"], base["architecture"]);
}

#[test]
fn every_compression_makes_an_image_that_starts() {
    let d = daemon!();
    d.lxc_ok(&["init", "busybox", "c1"]);
    let wanted = [
        "none",
        "gzip -1",
        "bzip2",
        "xz -1 -T2",
        "lzma -1",
        "zstd -3",
        "lz4",
        "squashfs",
        "squashfs -comp xz",
        "pigz",
    ];
    for compression in wanted {
        let word = compression.split(' ').next().unwrap();
        let program = if word == "squashfs" { "mksquashfs" } else { word };
        if word != "none" && find_program(program).is_none() {
            let said = d.lxc_fails(&["publish", "c1", "--compression", compression]);
            assert!(said.contains("is not installed: install the package"), "{said}");
            testkit::report_skip(
                &format!("publish::compression::{word}"),
                &format!("{program} is not installed"),
            );
            continue;
        }
        let print =
            fingerprint(&d.lxc_ok(&["publish", "c1", "--alias", "made", "--compression", compression]));
        assert_eq!(files_hash(&d, &print), print, "{compression}");
        d.lxc_ok(&["launch", "made", "c2"]);
        assert_eq!(d.exec("c2", &["hostname"]), "c2\n");
        d.lxc_ok(&["delete", "--force", "c2"]);
        d.lxc_ok(&["image", "delete", "made"]);
    }
    // The server's key decides where the request says nothing.
    d.lxc_ok(&["config", "set", "images.compression_algorithm", "xz -1"]);
    let print = fingerprint(&d.lxc_ok(&["publish", "c1"]));
    let head = std::fs::read(d.lxd_dir().join("images").join(&print)).unwrap();
    assert!(head.starts_with(b"\xfd7zXZ"));
    for bad in ["xz --files=/etc/passwd", "sh", "zstd -o /tmp/x"] {
        assert!(d.lxc_fails(&["publish", "c1", "--compression", bad]).contains("compression_algorithm"));
        d.lxc_fails(&["config", "set", "images.compression_algorithm", bad]);
    }
}

#[test]
fn snapshots_are_published_while_the_container_runs() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    d.exec("c1", &["sh", "-c", "echo old > /root/state"]);
    d.lxc_ok(&["snapshot", "c1", "then"]);
    d.exec("c1", &["sh", "-c", "echo new > /root/state"]);
    d.lxc_ok(&["publish", "c1/then", "--alias", "then"]);
    d.lxc_ok(&["launch", "then", "c2"]);
    assert_eq!(d.exec("c2", &["cat", "/root/state"]), "old\n");
    assert_eq!(d.exec("c1", &["cat", "/root/state"]), "new\n");
    let said = d.lxc_fails(&["publish", "c1/never"]);
    assert!(said.contains("not found"), "{said}");
    assert!(d.lxc_fails(&["publish", "nobody"]).contains("not found"));
}

#[test]
fn a_running_container_is_stopped_for_it_and_goes_on() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1", "--ephemeral"]);
    d.exec("c1", &["sh", "-c", "echo kept > /root/state; sync"]);
    let said = d.lxc_fails(&["publish", "c1"]);
    assert!(said.contains("--force"), "{said}");
    // The server refuses by itself.
    let post = json!({"source": {"type": "container", "name": "c1"}});
    let refused = d.api().request(
        "POST",
        "/1.0/images",
        &[("Content-Type", "application/json")],
        post.to_string().as_bytes(),
    );
    assert_eq!(refused.status, 400, "{}", String::from_utf8_lossy(&refused.body));
    let before = d.init_pid("c1");
    d.lxc_ok(&["publish", "--force", "c1", "--alias", "mine"]);
    assert_eq!(d.status("c1"), "Running");
    assert_ne!(d.init_pid("c1"), before);
    assert_eq!(d.exec("c1", &["cat", "/root/state"]), "kept\n");
    assert_eq!(d.api().get("/1.0/containers/c1").metadata()["ephemeral"], true);
    d.lxc_ok(&["launch", "mine", "c2"]);
    assert_eq!(d.exec("c2", &["cat", "/root/state"]), "kept\n");
    // A failure does not keep it from going on.
    let said = d.lxc_fails(&["publish", "--force", "c1", "--compression", "zstd --long=31"]);
    assert!(said.contains("compression_algorithm"), "{said}");
    assert_eq!(d.status("c1"), "Running");
    assert!(d.lxc_fails(&["publish", "--force", "c1", "--alias", "mine"]).contains("already exists"));
    assert_eq!(d.status("c1"), "Running");
}

/// Puts data into a stopped container that take a while to compress.
fn enlarge(d: &TestDaemon, name: &str) {
    shell("head -c 200M /dev/urandom > $1/large", &rootfs(d, name));
}

#[test]
fn publishing_is_cancelled_and_a_killed_daemon_leaves_nothing() {
    let mut d = daemon!();
    d.lxc_ok(&["init", "busybox", "c1"]);
    enlarge(&d, "c1");
    let before = stored(&d);
    let begin = |d: &TestDaemon| {
        let post = json!({"source": {"type": "container", "name": "c1"}, "compression_algorithm": "xz -9"});
        let answer = d.api().send("POST", "/1.0/images", &post);
        answer.json()["operation"].as_str().unwrap().to_owned()
    };
    let operation = begin(&d);
    eventually_within(Duration::from_secs(60), "progress is told", || {
        let metadata = d.api().get(&operation).metadata()["metadata"].clone();
        let text = metadata["create_image_from_container_pack_progress"].as_str()?.to_owned();
        assert!(text.starts_with("Image pack: "), "{text}");
        Some(())
    });
    let cancelled = d.api().request("DELETE", &operation, &[], &[]);
    assert_eq!(cancelled.status, 200);
    eventually("the operation has ended", || {
        let status = d.api().get(&operation).metadata()["status"].clone();
        (status == "Cancelled").then_some(())
    });
    eventually("nothing is left", || (stored(&d) == before).then_some(()));
    eventually("no compressor is left", || {
        (!run(d.inside("ps").args(["ax", "-o", "args"])).text().contains("xz -c -9")).then_some(())
    });
    // It is free for other work at once.
    d.lxc_ok(&["start", "c1"]);
    d.lxc_ok(&["stop", "--force", "c1"]);

    begin(&d);
    eventually("the image has begun", || {
        let parts = stored(&d).into_iter().find(|name| name.starts_with(".upload"))?;
        d.lxd_dir().join("images").join(parts).join("metadata").exists().then_some(())
    });
    d.kill9();
    d.start_again();
    assert_eq!(stored(&d), before);
    assert_eq!(d.status("c1"), "Stopped");
    std::fs::remove_file(rootfs(&d, "c1").join("large")).unwrap();
    d.lxc_ok(&["publish", "c1", "--alias", "mine"]);
}

#[test]
fn a_client_that_is_told_to_end_starts_the_container_again() {
    let d = daemon!();
    d.lxc_ok(&["init", "busybox", "c1"]);
    enlarge(&d, "c1");
    d.lxc_ok(&["start", "c1"]);
    let before = stored(&d);
    for signal in [testkit::Signal::INT, testkit::Signal::TERM, testkit::Signal::HUP] {
        let mut publish = d.lxc_command();
        publish.args(["publish", "--force", "c1", "--compression", "xz -9"]);
        let publish = testkit::spawn(publish.stdin(std::process::Stdio::null()));
        eventually_within(Duration::from_secs(60), "the image is being made", || {
            stored(&d).iter().any(|name| name.starts_with(".upload")).then_some(())
        });
        publish.signal(signal);
        let ended = publish.wait(Duration::from_secs(120));
        assert!(!ended.status.success(), "{signal:?}: {ended:?}");
        assert_eq!(d.status("c1"), "Running", "{signal:?}");
        eventually("nothing is left", || (stored(&d) == before).then_some(()));
    }
}

#[test]
fn a_full_disk_is_named_and_nothing_is_left() {
    let d = daemon!();
    d.lxc_ok(&["init", "busybox", "c1"]);
    shell("head -c 40M /dev/urandom > $1/large", &rootfs(&d, "c1"));
    // Small, and without the image that is there: it is not needed any more.
    let images = d.lxd_dir().join("images");
    let script = "mount -t tmpfs -o size=16m,mode=0700 small $1";
    let _ = run(d.inside("sh").args(["-ec", script, "sh"]).arg(&images)).expect_success();
    let said = d.lxc_fails(&["publish", "c1"]);
    assert!(said.contains(&format!("No room on the disk mounted at {}", images.display())), "{said}");
    eventually("nothing is left", || {
        run(d.inside("ls").arg("-A").arg(&images)).text().trim().is_empty().then_some(())
    });
}

#[test]
fn a_hostile_tree_harms_nobody() {
    let d = daemon!();
    d.lxc_ok(&["init", "busybox", "c1"]);
    std::fs::write(d.scratch().join("secret"), "of the host").unwrap();
    let script = "cd $1; ln -s $2 leak; ln -s / top; truncate -s 400G huge; mkdir 'a
b'; printf x > 'a
b/; reboot'; i=0; while [ $i -lt 300 ]; do mkdir d; cd d; i=$((i+1)); done; touch end";
    let mut make = Command::new("sh");
    make.args(["-ec", script, "sh"]).arg(rootfs(&d, "c1")).arg(d.scratch().join("secret"));
    let _ = run(&mut make).expect_success();
    let print = fingerprint(&d.lxc_ok(&["publish", "c1", "--alias", "mine"]));
    let size = std::fs::metadata(d.lxd_dir().join("images").join(&print)).unwrap().len();
    assert!(size < 64 << 20, "{size}");
    d.lxc_ok(&["init", "mine", "c2"]);
    let copy = rootfs(&d, "c2");
    assert_eq!(std::fs::read_link(copy.join("leak")).unwrap(), d.scratch().join("secret"));
    assert_eq!(std::fs::read_link(copy.join("top")).unwrap(), Path::new("/"));
    assert_eq!(std::fs::read_to_string(copy.join("a\nb/; reboot")).unwrap(), "x");
    assert_eq!(std::fs::metadata(copy.join("huge")).unwrap().len(), 400 << 30);
    assert!(copy.join("d/".repeat(300)).join("end").exists());
    // Deeper than any image can be: refused, and nothing is left.
    let before = stored(&d);
    let deep = "n=$(printf 'x%.0s' $(seq 1 200)); p=$n; for i in 1 2 3 4 5 6 7 8 9 10 11 12; do p=$p/$n; done
        cd $1; mkdir -p $p ../other/$p; cd $p; mv $1/../other .";
    shell(deep, &rootfs(&d, "c1"));
    let said = d.lxc_fails(&["publish", "c1"]);
    assert!(said.contains("nested too deeply"), "{said}");
    eventually("nothing is left", || (stored(&d) == before).then_some(()));
}

#[test]
fn a_published_debian_boots() {
    let image = or_skip!(debian_image());
    let d = or_skip!(TestDaemon::builder().without_image().start());
    let (metadata, root) =
        (image.metadata.to_string_lossy().into_owned(), image.rootfs.to_string_lossy().into_owned());
    d.lxc_ok(&["image", "import", &metadata, &root, "--alias", "debian"]);
    d.lxc_ok(&["launch", "debian", "c1"]);
    let up = |name: &str| {
        eventually_within(Duration::from_secs(240), "systemd has come up", || {
            let asked = d.lxc(&["exec", name, "--", "systemctl", "is-system-running"]);
            ["running", "degraded"].contains(&asked.text().trim()).then(|| asked.text())
        })
    };
    let first = up("c1");
    d.exec("c1", &["sh", "-c", "echo mine > /etc/mine"]);
    d.lxc_ok(&["publish", "--force", "c1", "--alias", "mine", "--compression", "zstd -1"]);
    d.lxc_ok(&["delete", "--force", "c1"]);
    d.lxc_ok(&["launch", "mine", "c2"]);
    let second = up("c2");
    assert_eq!(first, second);
    assert_eq!(d.exec("c2", &["cat", "/etc/mine"]), "mine\n");
    d.exec("c2", &["systemctl", "is-active", "systemd-networkd"]);
}

#[test]
fn a_directory_is_imported_with_what_is_asked_first_in_front() {
    let image = or_skip!(testkit::busybox_image());
    let d = daemon!(TestDaemon::builder().without_image());
    let dir = d.scratch().join("image");
    std::fs::create_dir(&dir).unwrap();
    let _ = run(Command::new("tar").arg("-xzf").arg(&image).arg("-C").arg(&dir)).expect_success();
    d.lxc_ok(&["image", "import", dir.to_str().unwrap(), "--alias", "mine"]);
    let print = d.api().get("/1.0/images/aliases/mine").metadata()["target"].as_str().unwrap().to_owned();
    assert_eq!(files_hash(&d, &print), print);
    let stored = d.lxd_dir().join("images").join(&print);
    let list = run(Command::new("tar").arg("-tf").arg(stored)).expect_success().text();
    assert!(list.starts_with("metadata.yaml\n"), "{list}");
    d.lxc_ok(&["launch", "mine", "c1"]);
    assert_eq!(d.exec("c1", &["hostname"]), "c1\n");
}
