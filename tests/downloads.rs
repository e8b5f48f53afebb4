//! Downloads of images: from servers that are slow, lie or die; shared, continued and given up.

use serde_json::{Value, json};
use std::time::Duration;
use testkit::{Manner, Product, StreamsTree, TestDaemon, Web, daemon, eventually, or_skip};

const ROOTFS: &str = "root.squashfs";

fn source(server: &str, alias: &str) -> Value {
    json!({"type": "image", "mode": "pull", "server": server, "protocol": "simplestreams", "alias": alias})
}

/// Asks for an image; how that ended.
fn fetch(d: &TestDaemon, server: &str) -> Value {
    d.api().operation("POST", "/1.0/images", &json!({"source": source(server, "16.04")}))
}

/// Begins to make a container; the URL of the operation.
fn begin(d: &TestDaemon, name: &str, server: &str) -> String {
    let body = json!({"name": name, "source": source(server, "16.04")});
    let response = d.api().send("POST", "/1.0/containers", &body);
    assert_eq!(response.status, 202, "{}", String::from_utf8_lossy(&response.body));
    response.json()["operation"].as_str().unwrap().to_owned()
}

fn slow() -> Manner {
    Manner::Slow(8 << 10, Duration::from_millis(100))
}

/// What is in the directory of image files.
fn kept(d: &TestDaemon) -> Vec<String> {
    let entries = std::fs::read_dir(d.lxd_dir().join("images")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

fn nothing_is_left(d: &TestDaemon) {
    eventually("nothing is left of the download", || kept(d).is_empty().then_some(()));
    assert_eq!(d.api().get("/1.0/images").metadata(), json!([]));
}

/// A server with one image, and its fingerprint.
fn serve(d: &TestDaemon, tree: &mut StreamsTree) -> (Web, String) {
    let fingerprint = tree.add(&Product::XENIAL, "20160421");
    (d.web(tree.path(), 0), fingerprint)
}

/// Waits until the operation tells of the root file system.
fn wait_for_rootfs(d: &TestDaemon, operation: &str) -> Value {
    eventually("the root file system is being downloaded", || {
        let now = d.api().get(operation).metadata();
        let text = now["metadata"]["download_progress"].as_str().unwrap_or_default().to_owned();
        text.starts_with("rootfs: ").then_some(now)
    })
}

#[test]
fn each_misbehaviour_is_named_and_leaves_nothing() {
    let d = daemon!(TestDaemon::builder().without_image());
    let mut tree = or_skip!(StreamsTree::new(&d.scratch().join("www")));
    let (web, fingerprint) = serve(&d, &mut tree);
    let circle = format!("{}/images/xenial/amd64/20160421/{ROOTFS}", web.url());
    for (manner, said) in [
        (Manner::Lie, "as was promised"),
        (Manner::TooMuch(100), "sends more than"),
        (Manner::Page, "web page"),
        (Manner::Status(404), "404"),
        (Manner::Redirect(circle), "redirects"),
        (Manner::Redirect("file:///etc/shadow".to_owned()), "redirects"),
        (Manner::EndAfter(0), "ended after"),
    ] {
        web.behave(ROOTFS, manner.clone());
        let ended = fetch(&d, web.url());
        assert_eq!(ended["status"], "Failure", "{manner:?}: {ended}");
        assert!(ended["err"].as_str().unwrap().contains(said), "{manner:?}: {ended}");
        nothing_is_left(&d);
        web.behave_well();
    }
    web.behave("lxd.tar.xz", Manner::Lie);
    let ended = fetch(&d, web.url());
    assert!(ended["err"].as_str().unwrap().contains("lxd.tar.xz: what the server sent"), "{ended}");
    web.behave_well();
    let ended = fetch(&d, web.url());
    assert_eq!(ended["metadata"]["fingerprint"], fingerprint, "{ended}");
    let image = d.api().get(&format!("/1.0/images/{fingerprint}")).metadata();
    assert_eq!((&image["cached"], &image["auto_update"]), (&json!(false), &json!(false)));
}

#[test]
fn what_breaks_is_continued_where_it_was() {
    let d = daemon!(TestDaemon::builder().without_image());
    let mut tree = or_skip!(StreamsTree::new(&d.scratch().join("www")));
    let (web, fingerprint) = serve(&d, &mut tree);
    web.behave_times(ROOTFS, Manner::EndAfter(300_000), 2);
    let ended = fetch(&d, web.url());
    assert_eq!(ended["metadata"]["fingerprint"], fingerprint, "{ended}");
    let ranges: Vec<_> =
        web.requests(ROOTFS).iter().map(|request| request.header("range").map(str::to_owned)).collect();
    let at = |bytes: u64| Some(format!("bytes={bytes}-"));
    assert_eq!(ranges, [None, at(300_000), at(600_000)]);
    // A server that has only whole files sends the beginning again.
    d.lxc_ok(&["image", "delete", &fingerprint]);
    web.without_ranges();
    web.behave_times(ROOTFS, Manner::EndAfter(300_000), 1);
    assert_eq!(fetch(&d, web.url())["metadata"]["fingerprint"], fingerprint);
}

#[test]
fn a_server_that_falls_silent_is_asked_again() {
    let d = daemon!(TestDaemon::builder().without_image().env("LIGHTERVISOR_SILENCE", "2"));
    let mut tree = or_skip!(StreamsTree::new(&d.scratch().join("www")));
    let (web, fingerprint) = serve(&d, &mut tree);
    web.behave_times(ROOTFS, Manner::StallAfter(300_000), 1);
    let ended = fetch(&d, web.url());
    assert_eq!(ended["metadata"]["fingerprint"], fingerprint, "{ended}");
    let last = web.requests(ROOTFS).last().unwrap().header("range").map(str::to_owned);
    assert_eq!(last.as_deref(), Some("bytes=300000-"));
    // One that never says anything again is given up, and so is one that does not even begin.
    d.lxc_ok(&["image", "delete", &fingerprint]);
    for silent in [ROOTFS, "lxd.tar.xz"] {
        web.behave(silent, Manner::StallAfter(0));
        let ended = fetch(&d, web.url());
        let said = ended["err"].as_str().unwrap();
        assert!(said.contains(silent) && said.contains("sent nothing for 2 seconds"), "{ended}");
        nothing_is_left(&d);
        web.behave_well();
    }
    assert_eq!(fetch(&d, web.url())["metadata"]["fingerprint"], fingerprint);
}

#[test]
fn another_mirror_has_what_one_has_not() {
    let d = daemon!(TestDaemon::builder().without_image());
    let mut tree = or_skip!(StreamsTree::new(&d.scratch().join("www")));
    let (good, fingerprint) = serve(&d, &mut tree);
    let bad = d.web(tree.path(), 0);
    bad.behave(ROOTFS, Manner::Lie);
    let both = format!("{},{}", bad.url(), good.url());
    let ended = fetch(&d, &both);
    assert_eq!(ended["metadata"]["fingerprint"], fingerprint, "{ended}");
    assert_eq!((bad.count(ROOTFS), good.count(ROOTFS)), (1, 1));
    d.lxc_ok(&["image", "delete", &fingerprint]);
    good.behave(ROOTFS, Manner::Status(500));
    let said = fetch(&d, &both)["err"].as_str().unwrap().to_owned();
    assert!(said.contains("as was promised") && said.contains("500"), "{said}");
}

#[test]
fn progress_is_told_and_a_download_can_be_given_up() {
    let d = daemon!(TestDaemon::builder().without_image());
    let mut tree = or_skip!(StreamsTree::new(&d.scratch().join("www")));
    let (web, _) = serve(&d, &mut tree);
    web.behave(ROOTFS, slow());
    let operation = begin(&d, "c1", web.url());
    let now = wait_for_rootfs(&d, &operation);
    let text = now["metadata"]["download_progress"].as_str().unwrap();
    assert!(text.ends_with("B/s)") && text.contains("% ("), "{text}");
    let progress = &now["metadata"]["progress"];
    assert!(progress["total"].as_u64() > progress["processed"].as_u64(), "{progress}");
    assert!(progress["percent"].is_u64() && progress["speed"].is_u64(), "{progress}");
    assert_eq!(now["may_cancel"], true);
    d.lxc_ok(&["operation", "delete", operation.rsplit('/').next().unwrap()]);
    assert_eq!(d.api().wait(&operation)["status"], "Cancelled");
    nothing_is_left(&d);
    assert_eq!(d.status("c1"), "");
    // The name is free again.
    web.behave_well();
    let ended = d.api().wait(&begin(&d, "c1", web.url()));
    assert_eq!(ended["status"], "Success", "{ended}");
}

#[test]
fn ctrl_c_gives_a_download_up() {
    let d = daemon!(TestDaemon::builder().without_image());
    let mut tree = or_skip!(StreamsTree::new(&d.scratch().join("www")));
    let (web, _) = serve(&d, &mut tree);
    web.behave(ROOTFS, slow());
    let server = web.url();
    let settings =
        format!("remotes:\n  here:\n    addr: {server}\n    protocol: simplestreams\n    public: true\n");
    std::fs::create_dir_all(d.scratch().join("conf")).unwrap();
    std::fs::write(d.scratch().join("conf/config.yml"), settings).unwrap();
    let mut launch = d.lxc_command();
    launch.args(["launch", "here:16.04", "c1"]).stdin(std::process::Stdio::null());
    let launch = testkit::spawn(&mut launch);
    eventually("the download has begun", || (web.count(ROOTFS) == 1).then_some(()));
    launch.signal(testkit::Signal::INT);
    let ended = launch.wait(Duration::from_secs(120));
    assert!(!ended.status.success(), "{ended:?}");
    nothing_is_left(&d);
    assert_eq!(d.status("c1"), "");
}

#[test]
fn one_download_serves_all_who_want_it() {
    let d = daemon!(TestDaemon::builder().without_image());
    let mut tree = or_skip!(StreamsTree::new(&d.scratch().join("www")));
    let (web, _) = serve(&d, &mut tree);
    web.behave(ROOTFS, slow());
    let first = begin(&d, "c1", web.url());
    wait_for_rootfs(&d, &first);
    let others: Vec<String> = ["c2", "c3"].iter().map(|name| begin(&d, name, web.url())).collect();
    for other in &others {
        wait_for_rootfs(&d, other);
    }
    // Who began it gives up; the others do not notice.
    assert_eq!(d.api().delete(&first).status, 200);
    assert_eq!(d.api().wait(&first)["status"], "Cancelled");
    for other in &others {
        let ended = d.api().wait(other);
        assert_eq!(ended["status"], "Success", "{ended}");
    }
    assert_eq!(web.count(ROOTFS), 1);
    assert_eq!((d.status("c1"), d.status("c3")), (String::new(), "Stopped".to_owned()));
}

#[test]
fn who_waited_for_a_download_that_failed_tries_again() {
    let d = daemon!(TestDaemon::builder().without_image());
    let mut tree = or_skip!(StreamsTree::new(&d.scratch().join("www")));
    let (web, _) = serve(&d, &mut tree);
    // The metadata are slow once, so that both wait for the same download, whose rest is a lie once.
    web.behave_times("lxd.tar.xz", Manner::Slow(20, Duration::from_millis(100)), 1);
    web.behave_times(ROOTFS, Manner::Lie, 1);
    let first = begin(&d, "c1", web.url());
    eventually("the metadata are asked for", || (web.count("lxd.tar.xz") == 1).then_some(()));
    let second = begin(&d, "c2", web.url());
    assert_eq!(d.api().wait(&first)["status"], "Failure");
    let ended = d.api().wait(&second);
    assert_eq!(ended["status"], "Success", "{ended}");
    assert_eq!(web.count(ROOTFS), 2);
}

#[test]
fn a_daemon_that_is_killed_leaves_no_part_of_an_image() {
    let mut d = daemon!(TestDaemon::builder().without_image());
    let mut tree = or_skip!(StreamsTree::new(&d.scratch().join("www")));
    let (web, fingerprint) = serve(&d, &mut tree);
    web.behave(ROOTFS, slow());
    let operation = begin(&d, "c1", web.url());
    wait_for_rootfs(&d, &operation);
    assert!(!kept(&d).is_empty());
    d.kill9();
    d.start_again();
    nothing_is_left(&d);
    web.behave_well();
    assert_eq!(fetch(&d, web.url())["metadata"]["fingerprint"], fingerprint);
}

#[test]
fn an_image_at_a_url() {
    let d = daemon!(TestDaemon::builder().without_image());
    let mut tree = or_skip!(StreamsTree::new(&d.scratch().join("www")));
    let fingerprint = tree.add_unified(&Product::XENIAL, "20160421");
    let web = d.web(tree.path(), 0);
    let file = format!("{}/{}", web.url(), tree.file(&Product::XENIAL, "20160421", "combined.tar.gz"));
    let ask = |path: &str| {
        let body = json!({
            "public": true, "properties": {"os": "Here"}, "aliases": [{"name": path}],
            "source": {"type": "url", "mode": "pull", "url": format!("{}/{path}", web.url())}
        });
        d.api().operation("POST", "/1.0/images", &body)
    };
    let headers = |hash: &str| {
        Manner::Headers(vec![
            ("LXD-Image-Hash".to_owned(), hash.to_owned()),
            ("LXD-Image-URL".to_owned(), file.clone()),
        ])
    };
    web.behave("/good", headers(&fingerprint));
    web.behave("/other", headers(&"a".repeat(64)));
    web.behave("/odd", headers("../../x"));
    web.behave("/plain", Manner::Headers(vec![("X".to_owned(), "y".to_owned())]));
    for (path, said) in
        [("plain", "Missing LXD-Image-Hash header"), ("odd", "no SHA-256"), ("other", "as was promised")]
    {
        let ended = ask(path);
        assert!(ended["err"].as_str().unwrap().contains(said), "{path}: {ended}");
        nothing_is_left(&d);
    }
    let ended = ask("good");
    assert_eq!(ended["metadata"]["fingerprint"], fingerprint, "{ended}");
    let asked = &web.requests("/good")[0];
    assert_eq!(asked.method, "HEAD");
    assert_eq!(asked.header("lxd-server-architectures"), Some("2, 1"));
    assert!(asked.header("lxd-server-version").is_some());
    let image = d.api().get(&format!("/1.0/images/{fingerprint}")).metadata();
    assert_eq!((&image["public"], &image["properties"]["os"]), (&json!(true), &json!("Here")));
    assert_eq!(image["properties"]["release"], "xenial");
    assert!(image["update_source"].is_null(), "{image}");
    d.lxc_ok(&["launch", "good", "c1"]);
}

#[test]
fn an_image_of_another_daemon() {
    let d = daemon!(TestDaemon::builder().without_image());
    let mut tree = or_skip!(StreamsTree::new(&d.scratch().join("www")));
    let fingerprint = tree.add(&Product::XENIAL, "20160421");
    // What a daemon answers to these requests.
    let www = tree.path().to_owned();
    let read = |name: &str| std::fs::read(www.join(tree.file(&Product::XENIAL, "20160421", name))).unwrap();
    let (metadata, rootfs) = (read("lxd.tar.xz"), read(ROOTFS));
    let mut form = Vec::new();
    for (name, content) in [("metadata", &metadata), ("rootfs", &rootfs)] {
        let head =
            format!("--xyz\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{name}\"\r\n\r\n");
        form.extend_from_slice(head.as_bytes());
        form.extend_from_slice(content);
        form.extend_from_slice(b"\r\n");
    }
    form.extend_from_slice(b"--xyz--\r\n");
    let reply =
        |metadata: Value| json!({"type": "sync", "status_code": 200, "metadata": metadata}).to_string();
    let size = metadata.len() + rootfs.len();
    // A directory cannot be a file too, so the image itself is named by the beginning of its fingerprint.
    let short = &fingerprint[..20];
    let images = www.join("1.0/images");
    std::fs::create_dir_all(images.join("aliases")).unwrap();
    std::fs::create_dir_all(images.join(&fingerprint)).unwrap();
    std::fs::write(images.join("aliases/x"), reply(json!({"name": "x", "target": short}))).unwrap();
    let image = json!({
        "fingerprint": fingerprint, "size": size, "filename": "x.tar.xz", "architecture": "x86_64",
        "properties": {"os": "There"}, "public": true
    });
    std::fs::write(images.join(short), reply(image)).unwrap();
    std::fs::write(images.join(&fingerprint).join("export"), &form).unwrap();
    let web = d.web(&www, 0);
    let kind = ("Content-Type".to_owned(), "multipart/form-data; boundary=xyz".to_owned());
    web.behave("/export", Manner::Headers(vec![kind]));
    let post = |more: Value| {
        let mut source = json!({"type": "image", "mode": "pull", "server": web.url(), "protocol": "lxd"});
        source.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        d.api().operation("POST", "/1.0/images", &json!({"auto_update": true, "source": source}))
    };
    let ended = post(json!({"alias": "x"}));
    assert_eq!(ended["metadata"]["fingerprint"], fingerprint, "{ended}");
    let image = d.api().get(&format!("/1.0/images/{fingerprint}")).metadata();
    assert_eq!((&image["auto_update"], &image["properties"]), (&json!(true), &json!({"os": "There"})));
    assert_eq!(image["update_source"]["protocol"], "lxd");
    // A private image, by its secret.
    d.lxc_ok(&["image", "delete", &fingerprint]);
    let ended = post(json!({"fingerprint": short, "secret": "s3cret"}));
    assert_eq!(ended["metadata"]["fingerprint"], fingerprint, "{ended}");
    assert!(web.requests("/export").last().unwrap().path.ends_with("?secret=s3cret"));
    assert!(!d.log().contains("s3cret"));
    let ended = post(json!({"alias": "nothing"}));
    assert!(ended["err"].as_str().unwrap().contains("no public image"), "{ended}");
}

#[test]
fn a_proxy_stands_between() {
    let d = daemon!(TestDaemon::builder().without_image());
    let mut tree = or_skip!(StreamsTree::new(&d.scratch().join("www")));
    let (web, fingerprint) = serve(&d, &mut tree);
    let server = "http://images.example.org";
    assert_eq!(fetch(&d, server)["status"], "Failure");
    d.lxc_ok(&["config", "set", "core.proxy_http", web.url()]);
    assert_eq!(fetch(&d, server)["metadata"]["fingerprint"], fingerprint);
    assert_eq!(web.requests(ROOTFS)[0].header("host"), Some("images.example.org"));
}

/// A proxy for TLS on the loopback interface that writes down where it was asked to connect to.
const CONNECT: &str = r#"
import socket, sys, threading
def pipe(a, b):
    try:
        while data := a.recv(65536): b.sendall(data)
    except OSError: pass
    for end in (a, b):
        try: end.shutdown(2)
        except OSError: pass
def serve(client):
    head = b''
    while b'\r\n\r\n' not in head: head += client.recv(1)
    print(head.decode().split('\r\n')[0], flush=True)
    # Names mean nothing here; everything is on this machine.
    server = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
    client.sendall(b'HTTP/1.1 200 Connected\r\n\r\n')
    threading.Thread(target=pipe, args=(client, server), daemon=True).start()
    pipe(server, client)
listener = socket.create_server(('127.0.0.1', 3128))
print('listens', flush=True)
while True: threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"#;

#[test]
fn a_proxy_stands_before_tls() {
    if testkit::find_program("python3").is_none() {
        testkit::skip!("the program python3 is not installed");
    }
    let authority = testkit::Authority::new();
    let d = daemon!(TestDaemon::builder().without_image().env("SSL_CERT_FILE", authority.path()));
    let mut tree = or_skip!(StreamsTree::new(&d.scratch().join("www")));
    let fingerprint = tree.add(&Product::XENIAL, "20160421");
    let web = d.web_tls(tree.path(), 0, &authority, &["images.example.org"]);
    let port = web.url().rsplit(':').next().unwrap();
    let said = d.scratch().join("proxy");
    let mut proxy = d.inside("python3");
    proxy.args(["-c", CONNECT, port]).stdin(std::process::Stdio::null());
    let mut proxy = proxy.stdout(std::fs::File::create(&said).unwrap()).spawn().unwrap();
    let told = || std::fs::read_to_string(&said).unwrap_or_default();
    eventually("the proxy listens", || told().contains("listens").then_some(()));

    let connects = || {
        assert_eq!(fetch(&d, web.url())["metadata"]["fingerprint"], fingerprint);
        d.lxc_ok(&["image", "delete", &fingerprint]);
        let all = told().matches("CONNECT").count();
        assert_eq!(told().matches(&format!("CONNECT images.example.org:{port} ")).count(), all, "{}", told());
        all
    };
    assert_eq!(connects(), 0);
    d.lxc_ok(&["config", "set", "core.proxy_https", "http://127.0.0.1:3128"]);
    let through = connects();
    assert!(through > 0);
    d.lxc_ok(&["config", "set", "core.proxy_ignore_hosts", "elsewhere.net,example.org"]);
    assert_eq!(connects(), through);
    d.lxc_ok(&["config", "set", "core.proxy_ignore_hosts", "elsewhere.net"]);
    assert!(connects() > through);
    // A proxy that is not there is named.
    d.lxc_ok(&["config", "set", "core.proxy_https", "http://127.0.0.1:9"]);
    let ended = fetch(&d, web.url());
    assert!(ended["err"].as_str().unwrap().contains("127.0.0.1:9"), "{ended}");
    proxy.kill().unwrap();
    let _ = proxy.wait();
}
