//! Image servers that list what they have: Ubuntu's own, and those of many systems.

use serde_json::{Value, json};
use testkit::{Authority, Product, StreamsTree, TestDaemon, daemon, or_skip};

/// A container from an image server; how its creation ended.
fn create(d: &TestDaemon, name: &str, server: &str, alias: &str) -> Value {
    let source = json!({
        "type": "image", "mode": "pull", "server": server, "protocol": "simplestreams", "alias": alias
    });
    d.api().operation("POST", "/1.0/containers", &json!({"name": name, "source": source}))
}

/// The same, started; what it calls itself.
fn launch(d: &TestDaemon, name: &str, server: &str, alias: &str) -> Value {
    let ended = create(d, name, server, alias);
    assert_eq!(ended["status"], "Success", "{ended}");
    d.lxc_ok(&["start", name]);
    assert_eq!(d.exec(name, &["hostname"]).trim(), name);
    ended
}

fn images(d: &TestDaemon) -> Vec<Value> {
    d.api().get("/1.0/images?recursion=1").metadata().as_array().unwrap().clone()
}

#[test]
fn ubuntus_own_server_has_ubuntu() {
    let authority = Authority::new();
    let d = daemon!(TestDaemon::builder().without_image().env("SSL_CERT_FILE", authority.path()));
    let mut tree = or_skip!(StreamsTree::new(&d.scratch().join("www/releases")));
    let product = Product { aliases: "ubuntu/14.04,ubuntu/t,ubuntu/trusty", ..Product::TRUSTY };
    tree.add(&product, "20160301");
    let newest = tree.add(&product, "20160314");
    let other = tree.add(&Product { arch: "i386", ..product }, "20160320");
    let web = d.web_tls(&d.scratch().join("www"), 443, &authority, &["cloud-images.ubuntu.com"]);
    let server = "https://cloud-images.ubuntu.com/releases";

    launch(&d, "c1", server, "14.04");
    let found = images(&d);
    assert_eq!(found.len(), 1, "{found:?}");
    let image = &found[0];
    assert_eq!(image["fingerprint"], newest);
    assert_eq!(
        (&image["cached"], &image["auto_update"], &image["public"]),
        (&json!(true), &json!(true), &json!(false))
    );
    let source = json!({"alias": "14.04", "certificate": "", "protocol": "simplestreams", "server": server});
    assert_eq!(image["update_source"], source);
    assert_eq!(image["properties"]["description"], "ubuntu 14.04 amd64 (release) (20160314)");
    assert_eq!(image["properties"]["serial"], "20160314");
    assert!(image["expires_at"].as_str().unwrap().starts_with("2039-04-21"), "{image}");
    assert_ne!(image["last_used_at"], "1970-01-01T00:00:00Z");
    let agent = web.requests("index.json")[0].header("user-agent").unwrap().to_owned();
    assert!(agent.starts_with("LXD 3.0.0 (Linux; "), "{agent}");

    // It is here now.
    launch(&d, "c2", server, "t");
    assert_eq!((web.count("20160314/root.squashfs"), web.count("index.json")), (1, 1));
    // As people type it.
    let said = d.lxc_ok(&["launch", "ubuntu:14.04", "c6"]);
    assert!(said.contains("Creating c6") && said.contains("Starting c6"), "{said}");
    assert_eq!(d.exec("c6", &["hostname"]).trim(), "c6");
    // Another architecture has another image.
    let ended = create(&d, "c3", server, "14.04/i386");
    assert_eq!(ended["status"], "Success", "{ended}");
    assert!(images(&d).iter().any(|image| image["fingerprint"] == other.as_str()));
    // The beginning of a fingerprint is a name too, but not one that means another image tomorrow.
    let ended = create(&d, "c4", server, "20.04");
    assert_eq!(ended["status"], "Failure", "{ended}");
    assert!(ended["err"].as_str().unwrap().contains("has no image \"20.04\""), "{ended}");
    assert_eq!(d.status("c4"), "");
}

#[test]
fn every_kind_of_image_starts() {
    let d = daemon!(TestDaemon::builder().without_image());
    let mut tree = or_skip!(StreamsTree::new(&d.scratch().join("www")));
    let first = tree.add_tarball(&Product::DEBIAN, "20240101_05:24");
    let second = tree.add_unified(&Product::XENIAL, "20160421.1");
    let web = d.web(tree.path(), 0);
    launch(&d, "c1", web.url(), "debian/12");
    launch(&d, "c2", web.url(), "default");
    let all: Vec<String> =
        images(&d).iter().map(|image| image["fingerprint"].as_str().unwrap().to_owned()).collect();
    assert!(all.contains(&first) && all.contains(&second), "{all:?}");
}

#[test]
fn a_server_that_is_down_does_not_keep_known_images_from_being_used() {
    let d = daemon!(TestDaemon::builder().without_image());
    d.lxc_ok(&["config", "set", "images.auto_update_interval", "0"]);
    let mut tree = or_skip!(StreamsTree::new(&d.scratch().join("www")));
    tree.add(&Product::XENIAL, "20160421");
    let port = {
        let web = d.web(tree.path(), 0);
        launch(&d, "c1", web.url(), "16.04");
        web.url().rsplit(':').next().unwrap().parse::<u16>().unwrap()
    };
    let server = format!("http://127.0.0.1:{port}");
    // The lists of the last hour are not asked for again, so they have to be old.
    let age = r#"touch -d "3 hours ago" "$1"/cache/simplestreams/*"#;
    let _ = testkit::run(d.inside("sh").args(["-c", age, "age"]).arg(d.lxd_dir())).expect_success();
    let ended = launch(&d, "c2", &server, "16.04");
    let warning = ended["metadata"]["warning"].as_str().unwrap_or_default();
    assert!(warning.contains("cannot be reached") && warning.contains("connect"), "{ended}");
    // Also under another name of the same image, by what the server last said.
    let ended = launch(&d, "c3", &server, "xenial");
    assert!(ended["metadata"]["warning"].is_string(), "{ended}");
    // Without its lists, by what was recorded with the image.
    std::fs::remove_dir_all(d.lxd_dir().join("cache")).unwrap();
    let ended = launch(&d, "c4", &server, "16.04");
    assert!(ended["metadata"]["warning"].as_str().unwrap().contains("downloaded at"), "{ended}");
    let ended = create(&d, "c5", &server, "18.04");
    assert_eq!(ended["status"], "Failure", "{ended}");
    assert!(ended["err"].as_str().unwrap().contains("cannot connect"), "{ended}");
}

#[test]
fn lists_are_asked_for_once_an_hour_and_sent_only_when_they_changed() {
    let d = daemon!(TestDaemon::builder().without_image());
    let mut tree = or_skip!(StreamsTree::new(&d.scratch().join("www")));
    tree.add(&Product::XENIAL, "20160421");
    let web = d.web(tree.path(), 0);
    launch(&d, "c1", web.url(), "16.04");
    // What is not in the lists yet is asked for.
    tree.add(&Product::TRUSTY, "20160421");
    launch(&d, "c2", web.url(), "14.04");
    assert_eq!(web.count("index.json"), 2);
    let ended = create(&d, "c3", web.url(), "12.04");
    assert!(ended["err"].as_str().unwrap().contains("12.04"), "{ended}");
    let asked = web.requests("download.json");
    assert!(asked.last().unwrap().header("if-none-match").is_some(), "{asked:?}");
    // What has become no list leaves the old one in its place.
    web.behave("download.json", testkit::Manner::Page);
    launch(&d, "c4", web.url(), "trusty");
    let ended = create(&d, "c5", web.url(), "11.10");
    assert!(ended["err"].as_str().unwrap().contains("11.10"), "{ended}");
}
