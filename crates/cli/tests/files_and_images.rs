//! File transfers and images.

mod fake;

use fake::{Fake, Say, Seen, background, error, operation, raw, sync};
use serde_json::json;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

/// The path a file request is about.
fn file_path(seen: &Seen) -> String {
    let encoded = seen.query.strip_prefix("path=").unwrap();
    encoded.replace("%2F", "/").replace("%20", " ")
}

/// An answer with a file in it.
fn file(kind: &str, mode: &str, body: Vec<u8>) -> Say {
    let mut response = raw(200, body);
    for (name, value) in
        [("x-lxd-type", kind), ("x-lxd-mode", mode), ("x-lxd-uid", "1000"), ("x-lxd-gid", "100")]
    {
        response
            .headers_mut()
            .insert(hyper::header::HeaderName::try_from(name).unwrap(), value.parse().unwrap());
    }
    Say::Answer(response)
}

fn directory(mode: &str, names: &[&str]) -> Say {
    file("directory", mode, json!({"type": "sync", "metadata": names}).to_string().into_bytes())
}

#[test]
fn a_tree_is_pushed_with_parents_first() {
    let fake = Fake::start(|_| sync(json!({})));
    let top = fake.path("site");
    fs::create_dir_all(top.join("a/b")).unwrap();
    for number in 0..300 {
        fs::write(top.join(format!("a/b/{number}.txt")), number.to_string()).unwrap();
    }
    let large: Vec<u8> = (0..3_000_000_u32).map(|i| (i % 253) as u8).collect();
    fs::write(top.join("large file"), &large).unwrap();
    fs::set_permissions(top.join("large file"), fs::Permissions::from_mode(0o4751)).unwrap();
    std::os::unix::fs::symlink("../x", top.join("a/link")).unwrap();
    fake.ok(&["file", "push", "-r", "site", "c1/srv"]);

    let seen = fake.seen();
    assert_eq!(seen.len(), 300 + 3 + 1 + 1);
    let position =
        |path: &str| seen.iter().position(|seen| file_path(seen) == path).unwrap_or_else(|| panic!("{path}"));
    assert!(
        position("/srv/site") < position("/srv/site/a")
            && position("/srv/site/a") < position("/srv/site/a/b")
    );
    let first_file = seen.iter().position(|seen| seen.header("x-lxd-type") == "file").unwrap();
    assert!(position("/srv/site/a/b") < first_file);
    let pushed = &seen[position("/srv/site/large file")];
    assert!(pushed.body == large);
    assert_eq!((pushed.header("x-lxd-mode"), pushed.header("content-length")), ("4751", "3000000"));
    let link = &seen[position("/srv/site/a/link")];
    assert_eq!((link.header("x-lxd-type"), &link.body[..]), ("symlink", &b"../x"[..]));
    assert_eq!(&seen[position("/srv/site/a/b/7.txt")].body[..], b"7");
}

#[test]
fn one_file_with_owner_mode_and_missing_directories() {
    let fake = Fake::start(|seen| match (seen.method.as_str(), file_path(seen).as_str()) {
        ("GET", "/srv") => directory("0755", &[]),
        ("GET", _) => error(404, "not found"),
        _ => sync(json!({})),
    });
    fs::write(fake.path("f"), "data").unwrap();
    fake.ok(&["file", "push", "f", "c1/srv/x/y/", "-p", "--mode", "600", "--uid", "7", "--gid=8"]);
    let posts: Vec<_> = fake.seen().into_iter().filter(|seen| seen.method == "POST").collect();
    let paths: Vec<_> = posts.iter().map(file_path).collect();
    assert_eq!(paths, ["/srv/x", "/srv/x/y", "/srv/x/y/f"]);
    let headers =
        ["x-lxd-type", "x-lxd-uid", "x-lxd-gid", "x-lxd-mode"].map(|name| posts[2].header(name).to_owned());
    assert_eq!(headers, ["file", "7", "8", "0600"]);
    assert_eq!(posts[0].header("x-lxd-mode"), "0755");

    let mut child = fake.command(&["file", "push", "-", "c1/srv/in"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"from\0pipe").unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(&fake.seen().last().unwrap().body[..], b"from\0pipe");

    assert!(fake.fails(&["file", "push", "-r", "f", "c1/srv", "--uid", "0"]).contains("in recursive mode"));
    assert!(fake.fails(&["file", "push", "f", "f", "c1/srv"]).contains("Missing target directory"));
    assert!(fake.fails(&["file", "push", ".", "c1/srv/"]).contains("has no usable name"));
    assert!(fake.fails(&["file", "push", "f", "c1"]).contains("Invalid path c1"));
    assert!(fake.fails(&["file", "push", "f", "c1/x", "--mode", "999"]).contains("octal"));
}

#[test]
fn files_trees_and_links_are_pulled() {
    let large: Vec<u8> = (0..2_000_000_u32).map(|i| (i % 251) as u8).collect();
    let served = large.clone();
    let fake = Fake::start(move |seen| match file_path(seen).as_str() {
        "/etc" => directory("0750", &["hosts", "deep", "link"]),
        "/etc/deep" => directory("0500", &["large"]),
        "/etc/deep/large" => file("file", "0640", served.clone()),
        "/etc/hosts" => file("file", "0644", b"127.0.0.1 localhost\n".to_vec()),
        "/etc/link" => file("symlink", "0777", b"hosts\n".to_vec()),
        "/evil" => directory("0755", &["../../escaped"]),
        _ => error(404, "not found"),
    });
    fake.ok(&["file", "pull", "-r", "c1/etc", "."]);
    let mode = |path: &str| fs::symlink_metadata(fake.path(path)).unwrap().permissions().mode() & 0o7777;
    assert_eq!(
        (mode("etc"), mode("etc/deep"), mode("etc/deep/large"), mode("etc/hosts")),
        (0o750, 0o500, 0o640, 0o644)
    );
    assert!(fs::read(fake.path("etc/deep/large")).unwrap() == large);
    assert_eq!(fs::read_link(fake.path("etc/link")).unwrap().to_str(), Some("hosts"));

    assert_eq!(fake.ok(&["file", "pull", "c1/etc/link", "-"]), "127.0.0.1 localhost\n");
    fake.ok(&["file", "pull", "c1/etc/hosts", "c1/etc/deep/large", "new/dir", "-p"]);
    assert!(fs::read(fake.path("new/dir/large")).unwrap() == large);
    assert!(
        fake.fails(&["file", "pull", "c1/etc", "."]).contains("Can't pull a directory without --recursive")
    );
    assert!(fake.fails(&["file", "pull", "c1/a", "c1/b", "missing"]).contains("is not a directory"));
    assert_eq!(fake.fails(&["file", "pull", "c1/none", "."]), "Error: Cannot pull c1/none: not found\n");
    assert!(fake.fails(&["file", "pull", "-r", "c1/evil", "."]).contains("The server names"));
    assert!(!fake.dir().parent().unwrap().join("escaped").exists());
}

#[test]
fn a_file_is_edited_and_keeps_owner_and_mode() {
    let fake = Fake::start(|seen| match seen.method.as_str() {
        "GET" => file("file", "0640", b"old".to_vec()),
        _ => sync(json!({})),
    });
    let mut child = fake.command(&["file", "edit", "c1/etc/x"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"new").unwrap();
    assert!(child.wait().unwrap().success());
    let pushed = fake.find("POST /1.0/containers/c1/files");
    let headers = ["x-lxd-uid", "x-lxd-gid", "x-lxd-mode"].map(|name| pushed.header(name).to_owned());
    assert_eq!((headers, &pushed.body[..]), (["1000", "100", "0640"].map(str::to_owned), &b"new"[..]));
}

const FINGERPRINT: &str = "75182b1241be475a64e68a518ce853e800e9b50397d2f152816c24f038c94d6e";

fn image_daemon(seen: &Seen) -> Say {
    match (seen.method.as_str(), seen.path.as_str()) {
        ("GET", path) if path.ends_with("/wait") => {
            sync(operation(200, json!({"fingerprint": FINGERPRINT, "size": "8"}), json!({})))
        }
        ("GET", "/1.0/images/aliases/debian%2F12") => {
            sync(json!({"name": "debian/12", "target": FINGERPRINT}))
        }
        ("GET", path) if path.starts_with("/1.0/images/aliases/") => error(404, "not found"),
        ("GET", "/1.0/images") => sync(json!([{
            "fingerprint": FINGERPRINT, "size": 123_907_540, "architecture": "x86_64", "public": true,
            "aliases": [{"name": "debian/12"}, {"name": "deb"}], "properties": {"description": "Debian 12", "os": "debian"},
            "uploaded_at": "2016-03-30T04:27:00Z"}])),
        ("GET", path) if path.ends_with("/export") => export(),
        ("GET", _) => sync(json!({"fingerprint": FINGERPRINT, "properties": {"os": "debian"}})),
        ("POST", "/1.0/images") | ("DELETE", _) => background(json!(null), json!({})),
        _ => sync(json!({})),
    }
}

/// A split image whose second part has everything that could be taken for a delimiter.
fn export() -> Say {
    let root = tricky();
    let mut body = Vec::new();
    for (name, file, content) in
        [("metadata", "meta-x.tar.xz", &b"META"[..]), ("rootfs", "x.squashfs", &root)]
    {
        let head = format!(
            "--b0undary\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{file}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--b0undary--\r\n");
    let mut response = raw(200, body);
    let kind = "multipart/form-data; boundary=b0undary".parse().unwrap();
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, kind);
    Say::Answer(response)
}

fn tricky() -> Vec<u8> {
    b"\r\n--b0undar\r\n--\r\r\n-".repeat(100_000)
}

#[test]
fn images_are_imported_in_one_piece_and_in_two() {
    let fake = Fake::start(image_daemon);
    fs::write(fake.path("image.tar.xz"), "UNIFIED").unwrap();
    fs::write(fake.path("root.squashfs"), "ROOT").unwrap();
    let printed =
        fake.ok(&["image", "import", "image.tar.xz", "--alias", "busybox", "--public", "os=Busy Box"]);
    assert_eq!(printed, format!("Image imported with fingerprint: {FINGERPRINT}\n"));
    let upload = fake.find("POST /1.0/images");
    let headers =
        ["x-lxd-filename", "x-lxd-public", "x-lxd-properties"].map(|name| upload.header(name).to_owned());
    assert_eq!(
        (headers, &upload.body[..]),
        (["image.tar.xz", "1", "os=Busy%20Box"].map(str::to_owned), &b"UNIFIED"[..])
    );
    assert_eq!(fake.find("POST /1.0/images/aliases").json()["target"], FINGERPRINT);

    let fake = Fake::start(image_daemon);
    fs::write(fake.path("meta.tar"), "META").unwrap();
    fs::write(fake.path("root.squashfs"), "ROOT").unwrap();
    fake.ok(&["image", "import", "meta.tar", "root.squashfs", "local:"]);
    let upload = fake.find("POST /1.0/images");
    assert!(upload.header("content-type").starts_with("multipart/form-data; boundary="));
    let form = String::from_utf8(upload.body.to_vec()).unwrap();
    assert!(form.find("META").unwrap() < form.find("ROOT").unwrap());
    assert!(fake.fails(&["image", "import", "meta.tar", "--alias", "debian/12"]).contains("already exists"));
    assert!(fake.fails(&["image", "import", "no.tar"]).contains("no.tar: No such file"));
    assert!(fake.fails(&["image", "import", "http://x/y"]).contains("Only https://"));
}

#[test]
fn images_are_listed_exported_and_deleted() {
    let fake = Fake::start(image_daemon);
    let table = "\
+--------------+--------------+--------+-------------+--------+----------+------------------------------+
|    ALIAS     | FINGERPRINT  | PUBLIC | DESCRIPTION |  ARCH  |   SIZE   |         UPLOAD DATE          |
+--------------+--------------+--------+-------------+--------+----------+------------------------------+
| deb (1 more) | 75182b1241be | yes    | Debian 12   | x86_64 | 118.17MB | Mar 30, 2016 at 4:27am (UTC) |
+--------------+--------------+--------+-------------+--------+----------+------------------------------+
";
    assert_eq!(fake.ok(&["image", "list", "os=debian"]), table);
    assert_eq!(fake.ok(&["image", "list", "nothing", "--format", "csv"]), "");
    assert_eq!(fake.ok(&["image", "export", "debian/12", "out"]), "Image exported successfully!\n");
    assert_eq!(fs::read(fake.path("out.tar.xz")).unwrap(), b"META");
    assert!(fs::read(fake.path("out.root")).unwrap() == tricky());
    fake.ok(&["image", "delete", "debian/12"]);
    fake.find(&format!("DELETE /1.0/images/{FINGERPRINT}"));
    assert_eq!(
        fake.ok(&["image", "show", "debian/12"]),
        "auto_update: false\nproperties:\n  os: debian\npublic: false\n"
    );
    fake.ok(&["image", "alias", "create", "deb12", "75182b"]);
    assert_eq!(fake.find("POST /1.0/images/aliases").json()["target"], FINGERPRINT);
}

#[test]
fn properties_of_images_are_changed_one_by_one() {
    let fake = Fake::start(image_daemon);
    assert_eq!(fake.ok(&["image", "get-property", "debian/12", "os"]), "debian\n");
    assert!(
        fake.fails(&["image", "get-property", "debian/12", "label"]).contains("Property label not found")
    );
    fake.ok(&["image", "set-property", "debian/12", "label", "a b"]);
    let put = format!("PUT /1.0/images/{FINGERPRINT}");
    assert_eq!(fake.find(&put).json()["properties"], json!({"os": "debian", "label": "a b"}));
    let fake = Fake::start(image_daemon);
    fake.ok(&["image", "unset-property", "debian/12", "os"]);
    assert_eq!(fake.find(&put).json()["properties"], json!({}));
}

#[test]
fn each_of_several_images_is_tried() {
    let fake = Fake::start(|seen| match seen.method.as_str() {
        "DELETE" if seen.path.ends_with("bad") => error(404, "Image not found"),
        _ => image_daemon(seen),
    });
    let said = fake.fails(&["image", "delete", "1bad", "debian/12", "2bad"]);
    for line in
        ["1bad: error: Image not found", "2bad: error: Image not found", "Some images failed to delete"]
    {
        assert!(said.contains(line), "{said}");
    }
    fake.find(&format!("DELETE /1.0/images/{FINGERPRINT}"));
}

#[test]
fn two_files_do_not_go_to_standard_output() {
    let fake = Fake::start(image_daemon);
    assert!(fake.fails(&["image", "export", "debian/12", "-"]).contains("in two files"));
}
