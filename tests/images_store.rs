//! The store of images: what a list shows and lets through, properties, secrets, and thousands of images.

use rusqlite::{Connection, params};
use serde_json::{Value, json};
use testkit::{TestDaemon, daemon};

/// The database of a daemon that does not run.
pub(crate) fn database(d: &TestDaemon) -> Connection {
    Connection::open(d.lxd_dir().join("database/lxd.db")).unwrap()
}

fn fingerprint(d: &TestDaemon, image: &str) -> String {
    let info = d.lxc_ok(&["image", "info", image]);
    info.lines().find_map(|line| line.strip_prefix("Fingerprint: ")).expect("a fingerprint").to_owned()
}

fn csv(d: &TestDaemon, arguments: &[&str]) -> String {
    d.lxc_ok(&[&["image", "list", "--format", "csv", "-c", "l"][..], arguments].concat()).trim().to_owned()
}

#[test]
fn filters_columns_and_formats() {
    let d = daemon!();
    let print = fingerprint(&d, "busybox");
    for filter in ["busy", &print[..7], "os=Busybox", "o=Busy.*", "public=false", "type=container"] {
        assert_eq!(csv(&d, &[filter]), "busybox", "{filter}");
    }
    for filter in ["nothing", "os=Busy", "public=true", "cached=true"] {
        assert_eq!(csv(&d, &[filter]), "", "{filter}");
    }
    assert_eq!(csv(&d, &["local:", "busy", "os=Busybox"]), "busybox");
    assert_eq!(csv(&d, &["busy", "os=Debian"]), "", "all filters have to match");
    d.lxc_ok(&["image", "alias", "create", "bb", &print, "--description", "The small one"]);
    let all = d.lxc_ok(&["image", "list", "--format", "csv", "-c", "lLfFpdastu"]);
    assert!(all.starts_with(&format!("bb (1 more),\"bb\nbusybox\",{},{print},no,", &print[..12])), "{all}");
    let json: Value = serde_json::from_str(&d.lxc_ok(&["image", "list", "bb", "--format", "json"])).unwrap();
    assert_eq!(
        (&json[0]["fingerprint"], &json[0]["aliases"][0]["description"]),
        (&json!(print), &json!("The small one"))
    );
    assert!(d.lxc_ok(&["image", "list", "--format", "yaml"]).contains(&format!("fingerprint: {print}")));
    assert!(d.lxc_ok(&["image", "list", "--format", "compact"]).starts_with("  "));
    let aliases = d.lxc_ok(&["image", "alias", "list", "bb", "--format", "csv"]);
    assert_eq!(aliases.trim(), format!("bb,{},The small one", &print[..12]));
    assert!(d.lxc_fails(&["image", "list", "-c", "lX"]).contains("Unknown column 'X'"));
}

#[test]
fn properties_exports_and_several_deletes() {
    let d = daemon!();
    let print = fingerprint(&d, "busybox");
    d.lxc_ok(&["image", "set-property", "busybox", "label", "my own"]);
    assert_eq!(d.lxc_ok(&["image", "get-property", &print[..9], "label"]), "my own\n");
    d.lxc_ok(&["image", "unset-property", "busybox", "label"]);
    assert!(d.lxc_fails(&["image", "get-property", "busybox", "label"]).contains("not found"));
    // What the first versions wrote for people to edit.
    let edited = b"autoupdate: true\nproperties:\n  os: other\npublic: true\n";
    let _ = d.lxc_with_input(&["image", "edit", "busybox"], edited).expect_success();
    let shown = d.lxc_ok(&["image", "show", "busybox"]);
    assert_eq!(shown, "auto_update: true\nproperties:\n  os: other\npublic: true\n");
    let exported = d.lxc(&["image", "export", "busybox", "-"]).expect_success().stdout;
    let kept = std::fs::read(d.lxd_dir().join("images").join(&print)).unwrap();
    assert!(exported == kept, "standard output has the image and nothing else");
    let said = d.lxc_fails(&["image", "delete", "nothing", "busybox", "nobody"]);
    assert!(said.contains("nothing: error: ") && said.contains("nobody: error: "), "{said}");
    assert_eq!(csv(&d, &[]), "");
}

#[test]
fn changes_are_bound_to_what_was_seen() {
    let d = daemon!();
    let (api, path) = (d.api(), format!("/1.0/images/{}", fingerprint(&d, "busybox")));
    let tag = api.get(&path).header("etag").expect("a tag").to_owned();
    let change = |method: &str, tag: &str, body: &Value| {
        let headers = [("If-Match", tag), ("Content-Type", "application/json")];
        api.request(method, &path, &headers, body.to_string().as_bytes()).status
    };
    assert_eq!(change("PATCH", &tag, &json!({"properties": {"a": "b"}})), 200);
    assert_eq!(change("PATCH", &tag, &json!({"public": true})), 412);
    assert_eq!(change("PUT", &tag, &json!({"public": true})), 412);
    let image = api.get(&path).metadata();
    assert_eq!(
        (&image["properties"]["a"], &image["properties"]["os"], &image["public"]),
        (&json!("b"), &json!("Busybox"), &json!(false))
    );
    let new = api.get(&path).header("etag").unwrap().to_owned();
    assert_eq!(change("PUT", &new, &json!({"public": true, "auto_update": false, "properties": {}})), 200);
    assert_eq!(api.get(&path).metadata()["properties"], json!({}));
    let alias = "/1.0/images/aliases/busybox";
    let tag = api.get(alias).header("etag").unwrap().to_owned();
    let patch = |tag: &str, text: &str| {
        let body = json!({"description": text}).to_string();
        api.request(
            "PATCH",
            alias,
            &[("If-Match", tag), ("Content-Type", "application/json")],
            body.as_bytes(),
        )
        .status
    };
    assert_eq!((patch(&tag, "one"), patch(&tag, "two")), (200, 412));
    assert_eq!(api.get(alias).metadata()["description"], "one");
}

#[test]
fn a_secret_is_told_to_who_asked_alone() {
    let d = daemon!();
    let (api, print) = (d.api(), fingerprint(&d, "busybox"));
    let answer = api.request("POST", &format!("/1.0/images/{}/secret", &print[..12]), &[], b"");
    assert_eq!(answer.status, 202);
    let operation = answer.json()["metadata"].clone();
    assert_eq!(
        (&operation["class"], &operation["description"], &operation["resources"]["images"]),
        (&json!("token"), &json!("Image download token"), &json!([format!("/1.0/images/{print}")]))
    );
    let secret = operation["metadata"]["secret"].as_str().unwrap();
    assert_eq!(secret.len(), 64);
    let path = format!("/1.0/operations/{}", operation["id"].as_str().unwrap());
    assert_eq!(api.get(&path).metadata()["metadata"], Value::Null);
    assert!(!d.log().contains(secret), "the log has the secret");
    assert_eq!(api.request("DELETE", &path, &[], b"").status, 200);
    assert_eq!(api.request("POST", "/1.0/images/0000/secret", &[], b"").status, 404);
}

#[test]
fn a_thousand_images_are_listed_and_filtered() {
    let mut d = daemon!();
    d.terminate();
    let mut sql = database(&d);
    let tx = sql.transaction().unwrap();
    for n in 0..1000 {
        let copy =
            "INSERT INTO images (fingerprint, filename, size, public, cached, auto_update, architecture,
            created_at, expires_at, last_used_at, uploaded_at, properties, source)
            SELECT ?1, filename, size, ?2, cached, auto_update, architecture, created_at, expires_at,
            last_used_at, uploaded_at, ?3, source FROM images WHERE id = 1";
        let properties =
            json!({"os": "Many", "serial": n.to_string(), "description": format!("Image number {n}")});
        tx.execute(copy, params![format!("{n:064x}"), n % 2, properties.to_string()]).unwrap();
        let image = tx.last_insert_rowid();
        let alias = "INSERT INTO aliases (name, description, image_id) VALUES (?1, '', ?2)";
        tx.execute(alias, params![format!("many/{n}"), image]).unwrap();
    }
    tx.commit().unwrap();
    drop(sql);
    d.start_again();
    assert_eq!(csv(&d, &[]).lines().count(), 1001);
    assert_eq!(csv(&d, &["serial=99."]).lines().count(), 10);
    assert_eq!(csv(&d, &["many/500"]), "many/500");
    let filtered = |filter: &str| {
        let path = format!("/1.0/images?recursion=1&filter={}", filter.replace(' ', "%20"));
        d.api().get(&path).metadata().as_array().unwrap().len()
    };
    assert_eq!(filtered("public eq true"), 500);
    assert_eq!(filtered("properties.serial eq 7 or properties.os eq busybox"), 2);
    assert_eq!(d.api().get("/1.0/images?filter=public").status, 400);
    let urls = d.api().get("/1.0/images?filter=properties.serial%20eq%207").metadata();
    assert_eq!(urls, json!([format!("/1.0/images/{:064x}", 7)]));
    assert!(d.lxc_fails(&["image", "info", "00000000"]).contains("more than one"));
}

#[test]
fn old_images_of_the_cache_are_removed_and_others_stay() {
    let mut d = daemon!();
    let print = fingerprint(&d, "busybox");
    d.lxc_ok(&["init", "busybox", "c1"]);
    // As if a container had been made from a server's image a while ago.
    let age = |d: &mut TestDaemon, cached: bool, days: i32| {
        d.terminate();
        let set = format!(
            "UPDATE images SET cached = ?1, last_used_at = strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-{days} days')"
        );
        assert_eq!(database(d).execute(&set, [cached]).unwrap(), 1);
        d.start_again();
    };
    age(&mut d, false, 400);
    age(&mut d, true, 9);
    let info = d.lxc_ok(&["image", "info", "busybox"]);
    assert!(info.contains("Cached: yes") && !info.contains("Last used: never"), "{info}");
    age(&mut d, true, 400);
    testkit::eventually("the old image is removed at the start", || csv(&d, &[]).is_empty().then_some(()));
    assert!(!d.lxd_dir().join("images").join(&print).exists());
    assert!(!d.lxd_dir().join("storage-pools/default/images").join(&print).exists());
    d.lxc_ok(&["start", "c1"]);

    let image = testkit::or_skip!(testkit::busybox_image());
    d.lxc_ok(&["image", "import", image.to_str().unwrap(), "--alias", "busybox"]);
    d.lxc_ok(&["config", "set", "images.remote_cache_expiry", "0"]);
    age(&mut d, true, 400);
    d.lxc_ok(&["launch", "busybox", "c2"]);
    d.lxc_ok(&["config", "set", "images.remote_cache_expiry", "300"]);
    assert_eq!(csv(&d, &["cached=true"]), "busybox", "zero is never, and what was used just now is not old");
    d.lxc_ok(&["config", "set", "images.remote_cache_expiry", "0"]);
    age(&mut d, true, 400);
    // A change of the key is enough.
    d.lxc_ok(&["config", "set", "images.remote_cache_expiry", "5"]);
    testkit::eventually("the old image is removed", || csv(&d, &[]).is_empty().then_some(()));
}
