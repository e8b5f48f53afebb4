//! Copies of images between servers: by the target, by the source, or through the client.

use testkit::{Authority, Lab, Product, StreamsTree, TestDaemon, daemon, or_skip};

fn fingerprint(lab: &Lab, image: &str) -> String {
    let info = lab.lxc_ok(&["image", "info", image]);
    info.lines().find_map(|line| line.strip_prefix("Fingerprint: ")).expect("a fingerprint").to_owned()
}

fn aliases(lab: &Lab, remote: &str) -> String {
    lab.lxc_ok(&["image", "alias", "list", remote, "--format", "csv"])
}

#[test]
fn through_the_client() {
    let lab = or_skip!(Lab::start(2));
    lab.make_friends();
    let print = fingerprint(&lab, "busybox");
    lab.lxc_ok(&["image", "set-property", "busybox", "label", "a & b"]);
    let copy = ["image", "copy", "busybox", "host1:", "--mode", "relay"];
    let said = lab.lxc_ok(&[&copy[..], &["--copy-aliases", "--alias", "bb", "--public"]].concat());
    assert_eq!(said, "Image copied successfully!\n");
    assert_eq!(fingerprint(&lab, "host1:bb"), print);
    assert_eq!(lab.lxc_ok(&["image", "get-property", "host1:busybox", "label"]), "a & b\n");
    assert!(lab.lxc_ok(&["image", "show", "host1:bb"]).contains("public: true"));
    // What is there already gets the names.
    for mode in ["relay", "push"] {
        let said = lab.lxc_ok(&["image", "copy", "busybox", "host1:", "--mode", mode, "--alias", mode]);
        assert_eq!(said, "The image was there already\n");
        assert_eq!(fingerprint(&lab, &format!("host1:{mode}")), print);
    }
    assert!(lab.lxc_fails(&["image", "copy", "busybox", "host1:name"]).contains("--alias"));
    assert!(lab.lxc_fails(&["image", "copy", "busybox", "local:"]).contains("must be different"));
    assert!(lab.lxc_fails(&["image", "copy", "host1:nothing", "local:"]).contains("not found"));
    lab.lxc_ok(&["init", "host1:bb", "host1:c1"]);

    // In two parts, back to where it came from.
    lab.lxc_ok(&["image", "delete", "busybox"]);
    let split = split(&lab);
    lab.lxc_ok(&["image", "import", &split[0], &split[1], "host1:", "--alias", "split"]);
    lab.lxc_ok(&["image", "copy", "host1:split", "local:", "--mode", "relay", "--alias", "parts"]);
    assert_eq!(fingerprint(&lab, "parts"), fingerprint(&lab, "host1:split"));
    lab.lxc_ok(&["init", "parts", "c2"]);
}

/// The busybox image in two files.
fn split(lab: &Lab) -> [String; 2] {
    let image = testkit::busybox_image().unwrap_or_else(|e| panic!("{}", e.0));
    let dir = lab[0].scratch().join("split");
    let script = "mkdir -p $1/all; cd $1; tar -C all -xzf $2; \
        tar -C all -czf meta.tar.gz metadata.yaml templates; tar -C all/rootfs -czf root.tar.gz .";
    let mut sh = std::process::Command::new("sh");
    let _ = testkit::run(sh.args(["-ec", script, "sh"]).arg(&dir).arg(&image)).expect_success();
    ["meta.tar.gz", "root.tar.gz"].map(|name| dir.join(name).to_string_lossy().into_owned())
}

#[test]
fn by_the_target() {
    let lab = or_skip!(Lab::start(3));
    lab.make_friends();
    let print = fingerprint(&lab, "busybox");
    // A private one goes by a secret, and cannot be kept up to date by its alias.
    lab.lxc_ok(&["image", "copy", "busybox", "host1:", "--copy-aliases", "--alias", "other"]);
    assert_eq!(fingerprint(&lab, "host1:other"), print);
    assert!(aliases(&lab, "host1:").contains("busybox"));
    let info = lab.lxc_ok(&["image", "info", "host1:other"]);
    assert!(info.contains("Cached: no") && info.contains("Public: no"), "{info}");
    // A public one is asked for by its alias from then on.
    let public = b"public: true\nproperties: {os: Busybox, description: tiny}\n";
    let _ = lab[0].lxc_with_input(&["image", "edit", "busybox"], public).expect_success();
    lab.lxc_ok(&["image", "copy", "busybox", "host2:", "--auto-update", "--alias", "new"]);
    let info = lab.lxc_ok(&["image", "info", "host2:new"]);
    for line in ["Auto update: enabled", "Protocol: lxd", "Alias: busybox", "Cached: no"] {
        assert!(info.contains(line), "no {line:?} in {info}");
    }
    // Again is no mistake; the alias means what was copied last.
    lab.lxc_ok(&["image", "copy", "busybox", "host2:", "--alias", "new"]);
    assert!(aliases(&lab, "host2:").contains(&format!("new,{}", &print[..12])));
    let said = lab.lxc_fails(&["image", "copy", "host1:other", "host2:", "--auto-update", "--mode", "relay"]);
    assert!(said.contains("--mode pull"), "{said}");
}

#[test]
fn by_the_source() {
    let lab = or_skip!(Lab::start(2));
    lab.make_friends();
    let print = fingerprint(&lab, "busybox");
    lab.lxc_ok(&["image", "set-property", "busybox", "label", "a & b"]);
    let copy = ["image", "copy", "busybox", "host1:", "--mode", "push"];
    let said = lab.lxc_ok(&[&copy[..], &["--copy-aliases", "--alias", "bb", "--public"]].concat());
    assert_eq!(said, "Image copied successfully!\n");
    assert_eq!(fingerprint(&lab, "host1:bb"), print);
    assert_eq!(lab.lxc_ok(&["image", "get-property", "host1:busybox", "label"]), "a & b\n");
    assert!(lab.lxc_ok(&["image", "show", "host1:bb"]).contains("public: true"));
    lab.lxc_ok(&["launch", "host1:bb", "host1:c1"]);
    // What is there already gets the names.
    for mode in ["relay", "push"] {
        let said = lab.lxc_ok(&["image", "copy", "busybox", "host1:", "--mode", mode, "--alias", mode]);
        assert_eq!(said, "The image was there already\n");
        assert_eq!(fingerprint(&lab, &format!("host1:{mode}")), print);
    }
    let said = lab.lxc_fails(&[&copy[..], &["--auto-update"]].concat());
    assert!(said.contains("--mode pull"), "{said}");

    // In two parts, to a server that is reached by its socket.
    lab.lxc_ok(&["image", "delete", "busybox"]);
    let split = split(&lab);
    lab.lxc_ok(&["image", "import", &split[0], &split[1], "host1:", "--alias", "split"]);
    lab.lxc_ok(&["image", "copy", "host1:split", "local:", "--mode", "push", "--alias", "parts"]);
    assert_eq!(fingerprint(&lab, "parts"), fingerprint(&lab, "host1:split"));
    assert!(lab.lxc_ok(&["image", "show", "parts"]).contains("public: false"));
    lab.lxc_ok(&["init", "parts", "c2"]);
}

#[test]
fn by_the_source_as_the_client_of_debian_asks_for_it() {
    let program = std::path::Path::new("/usr/bin/lxc");
    if !program.is_file() {
        testkit::skip!("Debian's package lxd-client is not installed");
    }
    let lab = or_skip!(Lab::start(2));
    lab.make_friends();
    let conf = lab[0].scratch().join("their-conf");
    let theirs = |arguments: &[&str]| {
        let mut command = lab.command(program);
        let command = command.env("LXD_CONF", &conf).args(arguments);
        testkit::run(command.stdin(std::process::Stdio::null())).expect_success().text()
    };
    lab[1].lxc_ok(&["config", "set", "core.trust_password", "for-theirs"]);
    let address = lab.address(1);
    theirs(&["remote", "add", "host1", &address, "--accept-certificate", "--password", "for-theirs"]);
    theirs(&["image", "copy", "busybox", "host1:", "--mode", "push", "--alias", "theirs"]);
    assert_eq!(fingerprint(&lab, "host1:theirs"), fingerprint(&lab, "busybox"));
}

#[test]
fn a_secret_opens_a_server_to_one_image_once() {
    let d = daemon!(TestDaemon::builder());
    d.lxc_ok(&["config", "set", "core.https_address", "127.0.0.1:8443"]);
    let info = d.lxc_ok(&["image", "info", "busybox"]);
    let print = info.lines().find_map(|line| line.strip_prefix("Fingerprint: ")).unwrap().to_owned();
    let file = d.scratch().join("image.tar.gz");
    d.lxc_ok(&["image", "export", "busybox", file.to_str().unwrap().trim_end_matches(".tar.gz")]);
    let expect = serde_json::json!({"properties": {"os": "mine"}, "aliases": [{"name": "sent"}],
        "source": {"type": "image", "mode": "push", "fingerprint": print}});
    let there = d.api().send("POST", "/1.0/images", &expect);
    assert_eq!(there.status, 409, "it is here already");
    d.lxc_ok(&["image", "delete", "busybox"]);
    let secret = |print: &str| {
        let mut expect = expect.clone();
        expect["source"]["fingerprint"] = print.into();
        let token = d.api().send("POST", "/1.0/images", &expect).metadata();
        assert_eq!(token["class"], "token", "{token}");
        token["metadata"]["secret"].as_str().unwrap().to_owned()
    };
    // A guest: it has no certificate at all.
    let upload = |secret: &str, print: &str| {
        let mut curl = d.inside("curl");
        curl.args(["-s", "-k", "--max-time", "300", "-X", "POST", "https://127.0.0.1:8443/1.0/images"]);
        curl.args(["-H", "Content-Type: application/octet-stream", "-H", "X-LXD-public: 1"]);
        curl.args(["-H", &format!("X-LXD-secret: {secret}"), "-H", &format!("X-LXD-fingerprint: {print}")]);
        let text = testkit::run(curl.arg("--data-binary").arg(format!("@{}", file.display()))).text();
        serde_json::from_str::<serde_json::Value>(&text).unwrap_or_else(|e| panic!("{e}: {text}"))
    };
    let other = "b".repeat(64);
    assert_eq!(upload("", &print)["error_code"], 403);
    assert_eq!(upload(&"0".repeat(64), &print)["error_code"], 403);
    assert_eq!(upload(&secret(&other), &print)["error_code"], 403, "the secret of another image");
    let failed = upload(&secret(&other), &other);
    assert!(failed["metadata"]["err"].as_str().unwrap().contains("Fingerprint"), "{failed}");
    assert!(!d.lxc_ok(&["image", "list", "--format", "csv"]).contains(&print[..12]));
    let good = secret(&print);
    let sent = upload(&good, &print);
    assert_eq!(
        (&sent["metadata"]["status"], &sent["metadata"]["err"]),
        (&"Success".into(), &"".into()),
        "{sent}"
    );
    let image = d.api().get(&format!("/1.0/images/{print}")).metadata();
    // What was settled counts, not what the guest says.
    assert_eq!((&image["public"], &image["properties"]["os"]), (&false.into(), &"mine".into()), "{image}");
    assert_eq!(image["aliases"][0]["name"], "sent");
    d.lxc_ok(&["image", "delete", "sent"]);
    assert_eq!(upload(&good, &print)["error_code"], 403, "it was used");
    assert!(!d.log().contains(&good), "the secret is in the log");
}

/// Our client beside the daemon, where well-known names lead to the test's servers.
fn lxc(d: &TestDaemon, authority: &Authority, line: &str) -> String {
    let mut command = d.inside(testkit::program("lxc").to_str().unwrap());
    d.configure(&mut command).env("SSL_CERT_FILE", authority.path()).args(line.split(' '));
    testkit::run(&mut command).expect_success().text()
}

#[test]
fn from_an_image_server_as_written_about_it() {
    let authority = Authority::new();
    let d = daemon!(TestDaemon::builder().without_image().env("SSL_CERT_FILE", authority.path()));
    let mut tree = or_skip!(StreamsTree::new(&d.scratch().join("www/releases")));
    let trusty = tree.add(&Product { aliases: "ubuntu/14.04,ubuntu/t", ..Product::TRUSTY }, "20160314");
    let precise =
        Product { aliases: "ubuntu/12.04", release: "precise", version: "12.04", ..Product::TRUSTY };
    let precise = tree.add(&precise, "20160315");
    let wily =
        Product { aliases: "ubuntu/15.10,ubuntu/w", release: "wily", version: "15.10", ..Product::TRUSTY };
    let wily = tree.add(&wily, "20160315");
    let _web = d.web_tls(&d.scratch().join("www"), 443, &authority, &["cloud-images.ubuntu.com"]);
    let lxc = |line: &str| lxc(&d, &authority, line);

    assert_eq!(lxc("image copy ubuntu:14.04 local:"), "Image copied successfully!\n");
    lxc("image copy ubuntu:12.04 local: --alias old-ubuntu");
    lxc("launch old-ubuntu c6");
    lxc("image copy ubuntu:15.10 local: --copy-aliases");
    lxc("launch 15.10 c7");
    lxc("image copy ubuntu:14.04 local: --alias kept --auto-update");
    let listed = lxc("image list --format csv -c Flp");
    for line in
        [format!("{trusty},kept,no"), format!("{precise},old-ubuntu,no"), format!("{wily},w (3 more),no")]
    {
        assert!(listed.contains(&line), "no {line:?} in {listed}");
    }
    let info = lxc("image info kept");
    for line in [
        "Cached: no",
        "Auto update: enabled",
        "    Server: https://cloud-images.ubuntu.com/releases",
        "    Protocol: simplestreams",
        "    Alias: 14.04",
    ] {
        assert!(info.contains(line), "no {line:?} in {info}");
    }
    // Through the client, which then needs no server that reaches the other one.
    lxc(&format!("image delete {precise} {wily}"));
    lxc("image copy ubuntu:12.04 local: --mode relay --alias relayed --public");
    assert!(lxc("image info relayed").contains(&precise));
    lxc("launch relayed c8");
}

#[test]
fn a_source_that_goes_down_in_between_is_asked_for_the_rest() {
    if testkit::find_program("tc").is_none() {
        testkit::skip!("the program tc is not installed");
    }
    let mut lab = or_skip!(Lab::of(vec![TestDaemon::builder().without_image(), TestDaemon::builder()]));
    lab.make_friends();
    lab[1].lxc_ok(&["init", "busybox", "c1"]);
    let rootfs = lab[1].lxd_dir().join("storage-pools/default/containers/c1/rootfs");
    let mut fill = std::process::Command::new("sh");
    fill.args(["-c", "head -c 24M /dev/urandom > $1/large", "sh"]).arg(rootfs);
    let _ = testkit::run(&mut fill).expect_success();
    lab[1].lxc_ok(&["publish", "c1", "--alias", "large", "--compression", "none", "--public"]);
    let expected = fingerprint(&lab, "host1:large");
    // Some seconds for all of it.
    let slow = "qdisc add dev wire0 root tbf rate 60mbit burst 256kb latency 400ms";
    let _ = testkit::run(lab[1].inside("tc").args(slow.split(' '))).expect_success();
    let mut copy = lab.lxc_command();
    copy.args(["image", "copy", "host1:large", "local:", "--alias", "large"]);
    let copy = testkit::spawn(copy.stdin(std::process::Stdio::null()));
    let parts = lab[0].lxd_dir().join("images");
    testkit::eventually("some of the image is there", || {
        let uploads = std::fs::read_dir(&parts).unwrap().filter_map(Result::ok);
        let files = uploads.filter_map(|upload| std::fs::read_dir(upload.path()).ok()).flatten();
        let sizes = files.filter_map(|file| Some(file.ok()?.metadata().ok()?.len()));
        (sizes.sum::<u64>() > 4 << 20).then_some(())
    });
    lab.host_mut(1).kill9();
    lab.host_mut(1).start_again();
    let _ = copy.wait(std::time::Duration::from_secs(120)).expect_success();
    assert_eq!(fingerprint(&lab, "large"), expected);
    assert!(lab[0].log().contains("a download is continued"));
}
