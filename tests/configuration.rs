//! `lxc config`: keys and devices of containers and of the server.

use testkit::daemon;

#[test]
fn keys_are_set_read_and_removed() {
    let d = daemon!();
    d.lxc_ok(&["init", "busybox", "c1", "-c", "user.first=1", "-c", "limits.processes=50"]);
    assert_eq!(d.lxc_ok(&["config", "get", "c1", "user.first"]), "1\n");
    d.lxc_ok(&["config", "set", "c1", "user.second", "two words"]);
    assert_eq!(d.lxc_ok(&["config", "get", "c1", "user.second"]), "two words\n");
    let _ = d.lxc_with_input(&["config", "set", "c1", "user.third", "-"], b"from input").expect_success();
    assert!(d.lxc_ok(&["config", "get", "c1", "user.third"]).starts_with("from input"));
    d.lxc_ok(&["config", "unset", "c1", "user.first"]);
    assert_eq!(d.lxc_ok(&["config", "get", "c1", "user.first"]).trim(), "");
    let refused = d.lxc_fails(&["config", "unset", "c1", "user.first"]);
    assert!(refused.contains("not currently set"), "{refused}");
    let show = d.lxc_ok(&["config", "show", "c1"]);
    for line in
        ["limits.processes: \"50\"", "user.second: two words", "profiles:\n- default", "ephemeral: false"]
    {
        assert!(show.contains(line), "no {line:?} in {show}");
    }
    assert!(!show.contains("lxdbr0") && d.lxc_ok(&["config", "show", "c1", "--expanded"]).contains("lxdbr0"));
}

#[test]
fn wrong_keys_and_values_are_refused_with_a_reason() {
    let d = daemon!();
    d.lxc_ok(&["init", "busybox", "c1"]);
    let cases = [
        ("limits.memroy", "1GB", "limits.memroy"),
        ("limits.memory", "lots", "lots"),
        ("security.privileged", "perhaps", "perhaps"),
        ("boot.autostart.delay", "soon", "soon"),
        ("volatile.nonsense", "x", "volatile.nonsense"),
    ];
    for (key, value, word) in cases {
        let refused = d.lxc_fails(&["config", "set", "c1", key, value]);
        assert!(refused.starts_with("Error: ") && refused.contains(word), "{key}={value}: {refused}");
        assert_eq!(d.lxc_ok(&["config", "get", "c1", key]).trim(), "", "{key} was stored");
    }
    let refused = d.lxc_fails(&["init", "busybox", "c2", "-c", "limits.memory=lots"]);
    assert!(refused.contains("lots"), "{refused}");
    assert_eq!(d.status("c2"), "");
}

#[test]
fn edit_replaces_everything_from_standard_input() {
    let d = daemon!();
    d.lxc_ok(&["init", "busybox", "c1", "-c", "user.old=1"]);
    let text = d.lxc_ok(&["config", "show", "c1"]).replace("user.old: \"1\"", "user.new: \"2\"");
    let _ = d.lxc_with_input(&["config", "edit", "c1"], text.as_bytes()).expect_success();
    assert_eq!(d.lxc_ok(&["config", "get", "c1", "user.new"]).trim(), "2");
    assert_eq!(d.lxc_ok(&["config", "get", "c1", "user.old"]).trim(), "");
    let broken = d.lxc_with_input(&["config", "edit", "c1"], b"config: [unclosed\n");
    assert!(!broken.status.success(), "{broken:?}");
    let nonsense = text.replace("user.new", "no.such.key");
    assert!(!d.lxc_with_input(&["config", "edit", "c1"], nonsense.as_bytes()).status.success());
    assert_eq!(d.lxc_ok(&["config", "get", "c1", "user.new"]).trim(), "2");
}

#[test]
fn devices_are_added_shown_overridden_and_removed() {
    let d = daemon!();
    d.lxc_ok(&["init", "busybox", "c1"]);
    let shared = d.scratch().join("shared");
    std::fs::create_dir(&shared).unwrap();
    std::fs::write(shared.join("note"), "from outside\n").unwrap();
    let source = format!("source={}", shared.display());
    let said = d.lxc_ok(&["config", "device", "add", "c1", "data", "disk", &source, "path=/mnt"]);
    assert!(said.contains("Device data added to c1"), "{said}");
    d.lxc_fails(&["config", "device", "add", "c1", "data", "disk", &source, "path=/mnt"]);
    assert_eq!(d.lxc_ok(&["config", "device", "list", "c1"]), "data\n");
    assert_eq!(d.lxc_ok(&["config", "device", "get", "c1", "data", "path"]), "/mnt\n");
    d.lxc_ok(&["start", "c1"]);
    assert_eq!(d.exec("c1", &["cat", "/mnt/note"]), "from outside\n");
    d.lxc_ok(&["stop", "--force", "c1"]);
    let said = d.lxc_ok(&["config", "device", "remove", "c1", "data"]);
    assert!(said.contains("Device data removed from c1"), "{said}");
    d.lxc_fails(&["config", "device", "remove", "c1", "data"]);
    let unknown = d.lxc_fails(&["config", "device", "add", "c1", "x", "teapot"]);
    assert!(unknown.contains("type"), "{unknown}");
}

#[test]
fn the_server_has_keys_too() {
    let d = daemon!();
    d.lxc_ok(&["config", "set", "user.mark", "5"]);
    assert_eq!(d.lxc_ok(&["config", "get", "user.mark"]).trim(), "5");
    assert!(d.lxc_ok(&["config", "show"]).contains("user.mark: \"5\""));
    d.lxc_ok(&["config", "unset", "user.mark"]);
    d.lxc_ok(&["config", "set", "images.remote_cache_expiry", "5"]);
    assert_eq!(d.lxc_ok(&["config", "get", "images.remote_cache_expiry"]), "5\n");
    d.lxc_ok(&["config", "unset", "images.remote_cache_expiry"]);
    let refused = d.lxc_fails(&["config", "set", "core.nonsense", "1"]);
    assert!(refused.contains("core.nonsense"), "{refused}");
}

#[test]
fn what_changed_in_between_is_not_overwritten() {
    let d = daemon!();
    d.lxc_ok(&["init", "busybox", "c1"]);
    let api = d.api();
    let seen = api.get("/1.0/containers/c1");
    let tag = seen.header("etag").expect("an ETag").to_owned();
    d.lxc_ok(&["config", "set", "c1", "user.other", "change"]);
    let body = seen.metadata().to_string();
    let headers = [("Content-Type", "application/json"), ("If-Match", tag.as_str())];
    assert_eq!(api.request("PUT", "/1.0/containers/c1", &headers, body.as_bytes()).status, 412);
    assert_eq!(d.lxc_ok(&["config", "get", "c1", "user.other"]).trim(), "change");
}

#[test]
fn keys_and_properties_are_listed_with_what_they_take() {
    let d = daemon!();
    let list = d.lxc_ok(&["config", "keys", "security.devlxd", "--format", "csv"]);
    assert!(list.starts_with("container,security.devlxd,") && list.contains("true or false"), "{list}");
    let nic = d.lxc_ok(&["config", "keys", "nic", "--format", "csv"]);
    assert!(nic.contains("nic,nictype,") && nic.contains("(needed)") && !nic.contains("disk,"), "{nic}");
    assert!(d.lxc_ok(&["config", "keys"]).contains("core.https_address"));
    assert!(d.lxc_fails(&["config", "keys", "nothing.like.it"]).contains("nothing.like.it"));
    let all = d.api().get("/1.0/metadata/configuration").metadata();
    let keys = all["configs"]["instance"]["boot"]["keys"].as_array().unwrap();
    let boot = keys.iter().find_map(|key| key.get("boot.autostart")).unwrap();
    assert_eq!((&boot["type"], &boot["liveupdate"]), (&"bool".into(), &"when read".into()), "{all}");
    assert!(all["configs"]["device-disk"]["device"]["keys"].as_array().is_some_and(|keys| keys.len() > 5));
}

#[test]
fn slips_are_understood() {
    let d = daemon!();
    d.lxc_ok(&["init", "busybox", "c1"]);
    for (words, meant) in [
        (["config", "set", "c1", "limits.memroy", "1GB"].as_slice(), "limits.memory"),
        (&["config", "device", "add", "c1", "d", "dsik", "path=/x"], "disk"),
        (&["config", "device", "add", "c1", "d", "disk", "paht=/x", "source=/tmp"], "path"),
        (&["config", "set", "core.https_adress", ":8443"], "core.https_address"),
    ] {
        let refused = d.lxc_fails(words);
        assert!(refused.contains(&format!("did you mean {meant}?")), "{words:?}: {refused}");
    }
    let refused = d.lxc_fails(&["config", "set", "c1", "security.nesting", "perhaps"]);
    for part in ["security.nesting", "perhaps", "true or false"] {
        assert!(refused.contains(part), "{refused}");
    }
}

#[test]
fn a_bad_value_in_the_database_is_no_dead_end() {
    if testkit::find_program("sqlite3").is_none() {
        testkit::skip!("sqlite3 is not installed");
    }
    let mut d = daemon!();
    for name in ["c1", "c2"] {
        d.lxc_ok(&["init", "busybox", name]);
    }
    d.terminate();
    let sql = r#"UPDATE instances SET
        config = json_set(config, '$."security.nesting"', 'perhaps', '$."no.such.key"', '1'),
        devices = json_set(devices, '$.odd', json('{"type": "disk", "path": "/mnt", "shape": "round"}'));"#;
    let mut sqlite = std::process::Command::new("sqlite3");
    let _ = testkit::run(sqlite.arg(d.lxd_dir().join("database/lxd.db")).arg(sql)).expect_success();
    d.start_again();
    assert_eq!(d.lxc_ok(&["list", "--format", "csv", "-c", "n"]), "c1\nc2\n");
    assert!(d.lxc_ok(&["config", "show", "c1"]).contains("security.nesting: perhaps"));
    d.lxc_ok(&["info", "c1"]);
    let refused = d.lxc_fails(&["start", "c1"]);
    assert!(refused.contains("security.nesting") && refused.contains("perhaps"), "{refused}");
    // Other keys can be changed; another bad value cannot come in.
    d.lxc_ok(&["config", "set", "c1", "user.a", "1"]);
    d.lxc_fails(&["config", "set", "c1", "security.nesting", "maybe"]);
    d.lxc_fails(&["config", "set", "c1", "security.privileged", "perhaps"]);
    d.lxc_ok(&["profile", "set", "default", "user.b", "1"]);
    d.lxc_ok(&["config", "set", "c1", "security.nesting", "true"]);
    let refused = d.lxc_fails(&["start", "c1"]);
    assert!(refused.contains("shape"), "{refused}");
    d.lxc_ok(&["config", "device", "remove", "c1", "odd"]);
    d.lxc_ok(&["config", "unset", "c1", "no.such.key"]);
    d.lxc_ok(&["start", "c1"]);
    d.lxc_ok(&["delete", "c2"]);
}

#[test]
fn kernel_modules_are_loaded_before_the_start_and_live() {
    let Some(modprobe) = testkit::find_program("modprobe") else {
        testkit::skip!("modprobe is not installed");
    };
    let d = daemon!();
    // Nobody's kernel has these modules: a program that writes down what it is asked for takes the
    // place of modprobe, for this daemon alone.
    let (fake, asked) = (d.scratch().join("modprobe"), d.scratch().join("asked"));
    let script = format!(
        "#!/bin/sh\necho \"$@\" >> {}\ncase $2 in *broken) echo 'Module is broken' >&2; exit 1;; esac\n",
        asked.display()
    );
    std::fs::write(&fake, script).unwrap();
    std::fs::set_permissions(&fake, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let real = std::fs::canonicalize(modprobe).unwrap();
    let _ = testkit::run(d.inside("mount").arg("--bind").arg(&fake).arg(&real)).expect_success();
    let asked = || std::fs::read_to_string(&asked).unwrap_or_default();
    d.lxc_ok(&["init", "busybox", "c1", "-c", "linux.kernel_modules=lv_one, lv-two"]);
    assert_eq!(asked(), "", "not before the start");
    d.lxc_ok(&["start", "c1"]);
    assert_eq!(asked(), "-- lv_one\n-- lv-two\n");
    d.lxc_ok(&["config", "set", "c1", "linux.kernel_modules", "lv_one,lv_three"]);
    assert!(asked().ends_with("-- lv-two\n-- lv_three\n"), "{}", asked());
    let refused = d.lxc_fails(&["config", "set", "c1", "linux.kernel_modules", "lv_broken"]);
    assert!(refused.contains("lv_broken") && refused.contains("Module is broken"), "{refused}");
    assert_eq!(d.lxc_ok(&["config", "get", "c1", "linux.kernel_modules"]).trim(), "lv_one,lv_three");
    for hostile in ["--all", "a;b", "../x", "a b"] {
        d.lxc_fails(&["config", "set", "c1", "linux.kernel_modules", hostile]);
    }
    d.lxc_ok(&["stop", "--force", "c1"]);
    d.lxc_ok(&["config", "set", "c1", "linux.kernel_modules", "lv_broken"]);
    let refused = d.lxc_fails(&["start", "c1"]);
    assert!(refused.contains("lv_broken") && refused.contains("Module is broken"), "{refused}");
}
