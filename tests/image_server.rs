//! Our daemon as an image server: for curl, for Debian's client, for another daemon; and directories
//! that any web server makes one.

use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use testkit::{
    Lab, Running, TestDaemon, Unavailable, busybox_image, eventually_within, find_program, or_skip, run,
    spawn,
};

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn imported(said: &str) -> String {
    let line = said.lines().find_map(|line| line.trim().split_once("with fingerprint: "));
    line.unwrap_or_else(|| panic!("no fingerprint in {said:?}")).1.trim().to_owned()
}

/// Host 0 with the client and an empty store, host 1 with images that listens on the network.
fn lab() -> Result<Lab, Unavailable> {
    let lab = Lab::of(vec![TestDaemon::builder().without_image(), TestDaemon::builder()])?;
    lab.listen(1);
    Ok(lab)
}

/// A split image with a squashfs, and one with a tarball, made of the busybox image, on host 1.
fn split_images(lab: &Lab) -> (String, String) {
    let dir = lab[1].scratch().join("unpacked");
    std::fs::create_dir_all(&dir).unwrap();
    let image = busybox_image().unwrap_or_else(|e| panic!("{}", e.0));
    let script = "tar -xzf $2 -C $1; cd $1; tar -cJf meta.tar.xz metadata.yaml templates
        tar -cJf root.tar.xz -C rootfs .; mksquashfs rootfs root.squashfs -quiet -no-progress";
    let _ = run(Command::new("sh").args(["-ec", script, "sh"]).arg(&dir).arg(image)).expect_success();
    let import = |root: &str, alias: &str| {
        let (meta, root) = (dir.join("meta.tar.xz"), dir.join(root));
        let files = [meta.to_str().unwrap(), root.to_str().unwrap()];
        imported(&lab[1].lxc_ok(&["image", "import", files[0], files[1], "--alias", alias, "--public"]))
    };
    (import("root.squashfs", "squash"), import("root.tar.xz", "tarball"))
}

fn publish(lab: &Lab, alias: &str) {
    let fingerprint = lab[1].api().get(&format!("/1.0/images/aliases/{alias}")).metadata();
    let url = format!("/1.0/images/{}", fingerprint["target"].as_str().unwrap());
    let _ = lab[1].api().send("PATCH", &url, &serde_json::json!({"public": true}));
}

fn fingerprint(lab: &Lab, alias: &str) -> String {
    lab[1].api().get(&format!("/1.0/images/aliases/{alias}")).metadata()["target"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn curl_fetches_public_images_in_parts_and_no_private_ones() {
    let Some(curl) = find_program("curl") else { testkit::skip!("curl is not installed") };
    let lab = or_skip!(lab());
    let url = |fingerprint: &str| format!("https://{}:8443/1.0/images/{fingerprint}/export", lab.address(1));
    let fetch = |arguments: &[&str]| {
        run(lab.command(&curl).args(["--silent", "--show-error", "--insecure", "--fail"]).args(arguments))
    };
    let unified = fingerprint(&lab, "busybox");
    assert!(!fetch(&[&url(&unified)]).status.success(), "a private image");
    publish(&lab, "busybox");
    let whole = fetch(&[&url(&unified)]).expect_success().stdout;
    assert_eq!(sha256(&whole), unified);

    let (squash, _) = split_images(&lab);
    for fingerprint in [&unified, &squash] {
        let url = url(fingerprint);
        let head = fetch(&["--head", &url]).expect_success().text().to_ascii_lowercase();
        let whole = fetch(&[&url]).expect_success().stdout;
        assert!(head.contains(&format!("content-length: {}\r\n", whole.len())), "{head}");
        assert!(
            head.contains("accept-ranges: bytes") && head.contains(&format!("etag: \"{fingerprint}\"")),
            "{head}"
        );
        // Cut off at any place, and gone on with.
        let file = lab[0].scratch().join("part");
        for cut in [1, 200, whole.len() / 2, whole.len() - 1] {
            std::fs::write(&file, &whole[..cut]).unwrap();
            let _ = fetch(&["--continue-at", "-", "--output", file.to_str().unwrap(), &url]).expect_success();
            assert!(std::fs::read(&file).unwrap() == whole, "cut at {cut}");
        }
        let middle = fetch(&["--range", "100-299", &url]).expect_success().stdout;
        assert_eq!(middle, &whole[100..300]);
        assert!(!fetch(&["--range", &format!("{}-", whole.len()), &url]).status.success());
        let other = fetch(&["--header", "If-Range: \"something else\"", "--range", "100-299", &url]);
        assert!(other.expect_success().stdout == whole);
    }
    // Nothing else is told to a guest.
    let list = fetch(&[&format!("https://{}:8443/1.0/images", lab.address(1))]).expect_success().text();
    assert!(list.contains(&unified) && list.contains(&squash), "{list}");
    assert!(!fetch(&[&format!("https://{}:8443/1.0/containers", lab.address(1))]).status.success());
}

/// Debian's client on host 0.
fn debians() -> Result<PathBuf, Unavailable> {
    let program = PathBuf::from("/usr/bin/lxc");
    let version = program
        .is_file()
        .then(|| run(Command::new(&program).arg("--version").env("LXD_CONF", "/tmp/no-such-conf")).text());
    match version {
        Some(version) if version.starts_with("5.0.2") => Ok(program),
        _ => Err(Unavailable("Debian's package lxd-client 5.0.2 is not installed".to_owned())),
    }
}

fn debians_command(lab: &Lab, program: &Path) -> Command {
    let mut command = lab.command(program);
    command.env("LXD_CONF", lab[0].scratch().join("their-conf"));
    command
}

/// SHA-256 over the files in a directory of one exported image, metadata first.
fn exported(directory: &Path) -> String {
    let mut files: Vec<PathBuf> = std::fs::read_dir(directory).unwrap().flatten().map(|e| e.path()).collect();
    files.sort_by_key(|path| !path.file_name().unwrap().to_string_lossy().contains("meta"));
    files.sort_by_key(|path| path.extension().is_some_and(|e| e == "squashfs" || e == "root"));
    let mut hash = Sha256::new();
    for file in &files {
        hash.update(std::fs::read(file).unwrap());
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn debians_client_fetches_public_images() {
    let program = or_skip!(debians());
    let lab = or_skip!(lab());
    publish(&lab, "busybox");
    let (squash, _) = split_images(&lab);
    let theirs =
        |arguments: &[&str]| run(debians_command(&lab, &program).args(arguments)).expect_success().text();
    theirs(&["remote", "add", "pub", &lab.address(1), "--public", "--accept-certificate"]);
    let list = theirs(&["image", "list", "pub:", "--format", "csv", "-c", "lF"]);
    let unified = fingerprint(&lab, "busybox");
    assert!(list.contains(&unified) && list.contains(&squash), "{list}");
    for (alias, expected) in [("busybox", &unified), ("squash", &squash)] {
        assert!(theirs(&["image", "info", &format!("pub:{alias}")]).contains(expected.as_str()));
        let dir = lab[0].scratch().join(format!("out-{alias}"));
        std::fs::create_dir(&dir).unwrap();
        theirs(&["image", "export", &format!("pub:{alias}"), dir.to_str().unwrap()]);
        assert_eq!(&exported(&dir), expected);
    }
}

#[test]
fn an_image_is_published_to_another_server() {
    let lab = or_skip!(Lab::of(vec![TestDaemon::builder(), TestDaemon::builder().without_image()]));
    lab.make_friends();
    lab.lxc_ok(&["init", "busybox", "c1"]);
    for compression in ["gzip", "squashfs"] {
        let said = lab.lxc_ok(&[
            "publish",
            "c1",
            "host1:",
            "--alias",
            compression,
            "--public",
            "--compression",
            compression,
            "os=Sent",
        ]);
        let print = imported(&said);
        let there = lab[1].api().get(&format!("/1.0/images/{print}")).metadata();
        assert_eq!((&there["properties"]["os"], &there["public"]), (&"Sent".into(), &true.into()));
        assert_eq!(there["aliases"][0]["name"], compression);
        assert_eq!(
            lab[0].api().get(&format!("/1.0/images/{print}")).status,
            404,
            "it was made only to be sent"
        );
        lab.lxc_ok(&["init", &format!("host1:{compression}"), &format!("host1:{compression}")]);
    }
    assert!(lab.lxc_fails(&["publish", "c1", "host1:", "--alias", "gzip"]).contains("already exists"));
}

/// A web server with TLS on host 1, whose authority is in the returned file.
struct Web {
    server: Running,
    authority: PathBuf,
    url: String,
}

const SERVE: &str = "import http.server, ssl, sys, os
os.chdir(sys.argv[1])
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2] + '/cert.pem', sys.argv[2] + '/key.pem')
server = http.server.ThreadingHTTPServer(('0.0.0.0', 9443), http.server.SimpleHTTPRequestHandler)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()";

fn web(lab: &Lab, directory: &Path) -> Result<Web, Unavailable> {
    let missing = |name: &str| Unavailable(format!("{name} is not installed"));
    let python = ["/usr/bin/python3"].map(PathBuf::from).into_iter().find(|p| p.is_file());
    let python = python.or_else(|| find_program("python3")).ok_or_else(|| missing("python3"))?;
    let openssl = find_program("openssl").ok_or_else(|| missing("openssl"))?;
    let keys = lab[1].scratch().join("keys");
    std::fs::create_dir(&keys).unwrap();
    let script = "cd $1; $3 req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=authority -keyout ca.key -out ca.pem
        $3 req -newkey rsa:2048 -nodes -subj /CN=web -keyout key.pem -out web.csr
        printf 'subjectAltName=IP:%s\nbasicConstraints=CA:FALSE\n' $2 > ext
        $3 x509 -req -in web.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile ext -out cert.pem";
    let mut make = Command::new("sh");
    make.args(["-ec", script, "sh"]).arg(&keys).arg(lab.address(1)).arg(openssl);
    let _ = run(&mut make).expect_success();
    let mut serve = lab[1].inside(python.to_str().unwrap());
    let server = spawn(serve.args(["-c", SERVE]).arg(directory).arg(&keys));
    let url = format!("https://{}:9443", lab.address(1));
    Ok(Web { server, authority: keys.join("ca.pem"), url })
}

#[test]
fn a_directory_on_any_web_server_is_an_image_server() {
    let Some(curl) = find_program("curl") else { testkit::skip!("curl is not installed") };
    let mut lab = or_skip!(lab());
    let (squash, tarball) = split_images(&lab);
    let unified = fingerprint(&lab, "busybox");
    publish(&lab, "busybox");
    let www = lab[1].scratch().join("www");
    let tree = www.to_str().unwrap().to_owned();
    // All public images, and then once more.
    let said = lab[1].lxc_ok(&["image", "export", "--simplestreams", &tree]);
    assert_eq!(said.matches(" added").count(), 3, "{said}");
    let again = lab[1].lxc_ok(&["image", "export", "--simplestreams", &tree, "squash"]);
    assert!(again.contains("up to date") && !again.contains(" added"), "{again}");

    let web = or_skip!(web(&lab, &www));
    let authority = web.authority.to_str().unwrap().to_owned();
    eventually_within(Duration::from_secs(60), "the web server answers", || {
        let mut ask = lab.command(&curl);
        ask.args([
            "--silent",
            "--fail",
            "--cacert",
            &authority,
            &format!("{}/streams/v1/index.json", web.url),
        ]);
        run(&mut ask).status.success().then_some(())
    });
    let expected = [("busybox", &unified), ("squash", &squash), ("tarball", &tarball)];
    let use_it = |who: &str, command: &dyn Fn() -> Command| {
        let ok = |arguments: &[&str]| {
            run(command().env("SSL_CERT_FILE", &authority).args(arguments)).expect_success().text()
        };
        ok(&["remote", "add", "web", &web.url, "--protocol", "simplestreams"]);
        let list = ok(&["image", "list", "web:", "--format", "csv", "-c", "lF"]);
        for (alias, print) in expected {
            assert!(
                list.lines().any(|l| l.starts_with(alias) && l.contains(print.as_str())),
                "{who}: {alias}: {list}"
            );
            assert!(
                ok(&["image", "info", &format!("web:{alias}")]).contains(print.as_str()),
                "{who}: {alias}"
            );
            let dir = lab[0].scratch().join(format!("{who}-{alias}"));
            std::fs::create_dir(&dir).unwrap();
            ok(&["image", "export", &format!("web:{alias}"), dir.to_str().unwrap()]);
            assert!(std::fs::read_dir(&dir).unwrap().count() > 0);
        }
    };
    use_it("ours", &|| lab.lxc_command());
    match debians() {
        Ok(program) => use_it("theirs", &|| debians_command(&lab, &program)),
        Err(Unavailable(why)) => testkit::report_skip("image_server::directory::debians", &why),
    }

    // Another daemon makes containers of what is in the directory.
    lab.host_mut(0).set_env("SSL_CERT_FILE", Some(&authority));
    lab.host_mut(0).terminate();
    lab.host_mut(0).start_again();
    for (alias, print) in expected {
        let _ = run(lab.lxc_command().env("SSL_CERT_FILE", &authority).args([
            "launch",
            &format!("web:{alias}"),
            alias,
        ]))
        .expect_success();
        assert_eq!(lab[0].exec(alias, &["hostname"]).trim(), alias);
        let image = lab[0].api().get(&format!("/1.0/images/{print}")).metadata();
        assert_eq!(
            (&image["cached"], &image["update_source"]["protocol"]),
            (&true.into(), &"simplestreams".into())
        );
    }

    // Names follow their images, older versions stay until they are removed on purpose.
    lab[1].lxc_ok(&["init", "busybox", "c1"]);
    std::fs::write(lab[1].lxd_dir().join("storage-pools/default/containers/c1/rootfs/new"), "new").unwrap();
    lab[1].lxc_ok(&["image", "alias", "delete", "busybox"]);
    let newer = imported(&lab[1].lxc_ok(&["publish", "c1", "--alias", "busybox", "--public"]));
    lab[1].lxc_ok(&["image", "export", "--simplestreams", &tree, "busybox"]);
    let info = |alias: &str| {
        let mut command = lab.lxc_command();
        command.env("SSL_CERT_FILE", &authority).env("LXD_CONF", lab[0].scratch().join("fresh-conf"));
        run(command.args(["image", "info", alias])).text()
    };
    let mut add = lab.lxc_command();
    add.env("SSL_CERT_FILE", &authority).env("LXD_CONF", lab[0].scratch().join("fresh-conf"));
    let _ = run(add.args(["remote", "add", "web", &web.url, "--protocol", "simplestreams"])).expect_success();
    assert!(info("web:busybox").contains(&newer), "{}", info("web:busybox"));
    assert!(www.join("images").join(&unified).exists());
    let said = lab[1].lxc_ok(&["image", "export", "--simplestreams", &tree, "--prune", "busybox", "squash"]);
    assert!(said.contains("Images removed: 2"), "{said}");
    assert!(!www.join("images").join(&unified).exists() && www.join("images").join(&newer).exists());
    drop(web.server);
}
