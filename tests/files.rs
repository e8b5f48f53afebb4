//! `lxc file` and the files of a container through the API.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use testkit::{TestDaemon, daemon, run};

/// Running and stopped: the same must work both ways.
fn both(d: &TestDaemon) -> [&'static str; 2] {
    d.lxc_ok(&["launch", "busybox", "up"]);
    d.lxc_ok(&["init", "busybox", "down"]);
    ["up", "down"]
}

/// What `stat` says inside; starts nothing.
fn stat(d: &TestDaemon, container: &str, path: &str) -> (u32, u32, u32, String) {
    let response = d.api().get(&format!("/1.0/containers/{container}/files?path={path}"));
    assert_eq!(response.status, 200, "{path}: {}", String::from_utf8_lossy(&response.body));
    let number = |name| response.header(name).and_then(|v| v.parse().ok()).expect("a number");
    let mode = u32::from_str_radix(response.header("x-lxd-mode").expect("a mode"), 8).expect("octal");
    (
        number("x-lxd-uid"),
        number("x-lxd-gid"),
        mode,
        response.header("x-lxd-type").unwrap_or_default().to_owned(),
    )
}

#[test]
fn a_file_goes_in_and_comes_out_unchanged() {
    let d = daemon!();
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let local = d.scratch().join("local");
    std::fs::write(&local, &bytes).unwrap();
    std::fs::set_permissions(&local, PermissionsExt::from_mode(0o751)).unwrap();
    for name in both(&d) {
        let there = format!("{name}/root/");
        d.lxc_ok(&["file", "push", local.to_str().unwrap(), &there]);
        assert_eq!(stat(&d, name, "/root/local"), (0, 0, 0o751, "file".to_owned()));
        let back = d.scratch().join(format!("back-{name}"));
        d.lxc_ok(&["file", "pull", &format!("{name}/root/local"), back.to_str().unwrap()]);
        assert!(std::fs::read(&back).unwrap() == bytes);
        assert_eq!(back.metadata().unwrap().mode() & 0o777, 0o751);
        let pulled = d.lxc(&["file", "pull", &format!("{name}/root/local"), "-"]).expect_success();
        assert!(pulled.stdout == bytes);

        let target = format!("{name}/tmp/owned");
        let push = ["file", "push", "--uid", "1000", "--gid", "1001", "--mode", "600", "-", &target];
        let _ = d.lxc_with_input(&push, b"hello\n").expect_success();
        assert_eq!(stat(&d, name, "/tmp/owned"), (1000, 1001, 0o600, "file".to_owned()));
        d.lxc_ok(&["file", "delete", &target]);
        d.lxc_fails(&["file", "delete", &target]);
        d.lxc_fails(&["file", "pull", &target, "-"]);
        let deep = format!("{name}/srv/a/b/c");
        let missing = d.lxc_with_input(&["file", "push", "-", &deep], b"x");
        assert!(!missing.status.success());
        let _ = d.lxc_with_input(&["file", "push", "-p", "-", &deep], b"x").expect_success();
    }
    assert_eq!(d.exec("up", &["sha256sum", "/root/local"]).split(' ').next().map(str::len), Some(64));
    assert_eq!(d.exec("up", &["stat", "-c", "%u:%g:%a", "/root/local"]).trim(), "0:0:751");
}

#[test]
fn trees_go_in_and_come_out_unchanged() {
    let d = daemon!();
    let tree = d.scratch().join("tree");
    for n in 0..400 {
        let dir = tree.join(format!("d{}/e", n % 20));
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join(format!("f{n}")), format!("{n}\n").repeat(n % 50)).unwrap();
    }
    std::fs::write(tree.join("run"), "#!/bin/sh\n").unwrap();
    std::fs::set_permissions(tree.join("run"), PermissionsExt::from_mode(0o755)).unwrap();
    symlink("run", tree.join("link")).unwrap();
    symlink("/etc/nowhere", tree.join("dangling")).unwrap();
    std::fs::create_dir(tree.join("empty")).unwrap();
    for name in both(&d) {
        d.lxc_ok(&["file", "push", "-r", tree.to_str().unwrap(), &format!("{name}/root/")]);
        let refused =
            d.lxc_fails(&["file", "pull", &format!("{name}/root/tree"), d.scratch().to_str().unwrap()]);
        assert!(refused.contains("--recursive"), "{refused}");
        let back = d.scratch().join(format!("back-{name}"));
        std::fs::create_dir(&back).unwrap();
        d.lxc_ok(&["file", "pull", "-r", &format!("{name}/root/tree"), back.to_str().unwrap()]);
        let same = run(std::process::Command::new("diff")
            .args(["-r", "--no-dereference"])
            .arg(&tree)
            .arg(back.join("tree")));
        let _ = same.expect_success();
        assert_eq!(std::fs::read_link(back.join("tree/link")).unwrap().to_str(), Some("run"));
        assert_eq!(back.join("tree/run").metadata().unwrap().mode() & 0o777, 0o755);
    }
}

#[test]
fn the_api_knows_directories_links_and_appending() {
    let d = daemon!();
    let api = d.api();
    for name in both(&d) {
        let post = |path: &str, headers: &[(&str, &str)], body: &[u8]| {
            api.request("POST", &format!("/1.0/containers/{name}/files?path={path}"), headers, body).status
        };
        assert_eq!(post("/root/d", &[("X-LXD-type", "directory"), ("X-LXD-mode", "0700")], b""), 200);
        assert_eq!(stat(&d, name, "/root/d"), (0, 0, 0o700, "directory".to_owned()));
        assert_eq!(post("/root/d/f", &[], b"one"), 200);
        assert_eq!(stat(&d, name, "/root/d/f").2, 0o640);
        assert_eq!(post("/root/d/f", &[("X-LXD-write", "append")], b"two"), 200);
        assert_eq!(post("/root/d/l", &[("X-LXD-type", "symlink")], b"f"), 200);
        assert_eq!(stat(&d, name, "/root/d/l").3, "symlink");
        let get = |path: &str| api.get(&format!("/1.0/containers/{name}/files?path={path}"));
        assert_eq!(get("/root/d/f").body, b"onetwo");
        assert_eq!(String::from_utf8_lossy(&get("/root/d/l").body).trim(), "f");
        assert_eq!(get("/root/d").metadata(), serde_json::json!(["f", "l"]));
        assert_eq!(post("/root/d/f", &[("X-LXD-write", "sideways")], b""), 400);
        assert_eq!(post("/root/d/f", &[("X-LXD-type", "socket")], b""), 400);
        assert_eq!(get("/root/nothing").status, 404);
        assert_eq!(api.get(&format!("/1.0/containers/{name}/files")).status, 400);
        let delete = |path: &str| api.delete(&format!("/1.0/containers/{name}/files?path={path}")).status;
        assert_ne!(delete("/root/d"), 200, "a directory that is not empty");
        assert_eq!((delete("/root/d/f"), delete("/root/d/l"), delete("/root/d")), (200, 200, 200));
        assert_eq!(delete("/root/d"), 404);
    }
}

#[test]
fn links_inside_never_lead_outside() {
    let d = daemon!();
    let outside = d.scratch().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("secret"), "of the host").unwrap();
    let api = d.api();
    for name in both(&d) {
        let rootfs = d.lxd_dir().join(format!("storage-pools/default/containers/{name}/rootfs"));
        symlink(&outside, rootfs.join("root/absolute")).unwrap();
        symlink(format!("../../../../../../../..{}", outside.display()), rootfs.join("root/climbing"))
            .unwrap();
        symlink("/proc/self/root/../../..", rootfs.join("root/magic")).unwrap();
        symlink(outside.join("secret"), rootfs.join("root/direct")).unwrap();
        for way in
            ["absolute/secret", "climbing/secret", "direct", &format!("magic{}/secret", outside.display())]
        {
            let url = format!("/1.0/containers/{name}/files?path=/root/{way}");
            let got = api.get(&url);
            assert!(!String::from_utf8_lossy(&got.body).contains("of the host"), "{way} was read");
            let _ = api.request("POST", &url, &[], b"overwritten");
            let _ = api.delete(&url);
        }
        let climbing = api.get(&format!(
            "/1.0/containers/{name}/files?path=/../../../../../..{}/secret",
            outside.display()
        ));
        assert_eq!(climbing.status, 404);
        assert_eq!(std::fs::read_to_string(outside.join("secret")).unwrap(), "of the host");
        assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 1);
    }
}

#[test]
fn special_files_do_not_hang_or_leak() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "up"]);
    d.exec("up", &["mkfifo", "/root/pipe"]);
    let api = d.api();
    for path in ["/root/pipe", "/dev/zero", "/dev/console"] {
        let status = api.get(&format!("/1.0/containers/up/files?path={path}")).status;
        assert!((400..=501).contains(&status), "{path}: {status}");
    }
    assert_eq!(api.get("/1.0").status, 200);
}

#[test]
fn edit_opens_the_editor_and_keeps_owner_and_mode() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "up"]);
    d.exec("up", &["sh", "-c", "echo old > /root/f; chown 7:8 /root/f; chmod 604 /root/f"]);
    let editor = d.scratch().join("editor");
    std::fs::write(&editor, "#!/bin/sh\nsed -i s/old/new/ \"$1\"\n").unwrap();
    std::fs::set_permissions(&editor, PermissionsExt::from_mode(0o755)).unwrap();
    if testkit::find_program("script").is_none() {
        testkit::skip!("the program script, which gives the editor a terminal, is not installed");
    }
    let mut script = std::process::Command::new("script");
    d.configure(&mut script).env("EDITOR", &editor).env("SHELL", "/bin/sh");
    let line = format!("{} file edit up/root/f", testkit::program("lxc").display());
    let _ = run(script.args(["-qec", &line, "/dev/null"])).expect_success();
    assert_eq!(d.exec("up", &["cat", "/root/f"]), "new\n");
    assert_eq!(d.exec("up", &["stat", "-c", "%u:%g:%a", "/root/f"]).trim(), "7:8:604");
}
