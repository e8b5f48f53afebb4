//! `lxc profile`.

use testkit::daemon;

#[test]
fn profiles_live_and_shape_containers() {
    let d = daemon!();
    assert!(d.lxc_ok(&["profile", "create", "small"]).contains("Profile small created"));
    d.lxc_fails(&["profile", "create", "small"]);
    d.lxc_ok(&["profile", "set", "small", "limits.processes", "33"]);
    assert_eq!(d.lxc_ok(&["profile", "get", "small", "limits.processes"]), "33\n");
    let list = d.lxc_ok(&["profile", "list"]);
    assert!(list.contains(" NAME ") && list.contains("small") && list.contains("default"), "{list}");

    d.lxc_ok(&["launch", "busybox", "c1"]);
    let said = d.lxc_ok(&["profile", "add", "c1", "small"]);
    assert!(said.contains("Profile small added to c1"), "{said}");
    let expanded = d.lxc_ok(&["config", "show", "c1", "--expanded"]);
    assert!(expanded.contains("limits.processes: \"33\""), "{expanded}");
    assert!(d.lxc_ok(&["list", "-c", "nP", "--format", "csv"]).contains("small"));
    let refused = d.lxc_fails(&["profile", "delete", "small"]);
    assert!(refused.contains("in use"), "{refused}");
    assert!(d.lxc_ok(&["profile", "remove", "c1", "small"]).contains("removed from c1"));
    assert!(d.lxc_ok(&["profile", "assign", "c1", "default,small"]).contains("applied to c1"));
    d.lxc_ok(&["profile", "apply", "c1", "default"]);
    d.lxc_ok(&["profile", "unset", "small", "limits.processes"]);
    assert!(d.lxc_ok(&["profile", "delete", "small"]).contains("Profile small deleted"));
    d.lxc_fails(&["profile", "show", "small"]);
    d.lxc_fails(&["profile", "delete", "default"]);
}

#[test]
fn edit_and_devices() {
    let d = daemon!();
    d.lxc_ok(&["profile", "create", "p1"]);
    let text = b"config:\n  user.a: b\ndescription: edited\ndevices: {}\nname: p1\n";
    let _ = d.lxc_with_input(&["profile", "edit", "p1"], text).expect_success();
    let show = d.lxc_ok(&["profile", "show", "p1"]);
    assert!(show.contains("user.a: b") && show.contains("description: edited"), "{show}");
    d.lxc_ok(&["profile", "device", "add", "p1", "root", "disk", "pool=default", "path=/"]);
    assert_eq!(d.lxc_ok(&["profile", "device", "list", "p1"]), "root\n");
    assert_eq!(d.lxc_ok(&["profile", "device", "get", "p1", "root", "pool"]), "default\n");
    d.lxc_ok(&["launch", "busybox", "c1", "-p", "p1"]);
    assert_eq!(d.exec("c1", &["ls", "/sys/class/net"]).trim(), "lo", "the profile has no interface");
    assert_eq!(d.lxc_ok(&["config", "show", "c1"]).matches("- p1").count(), 1);
    d.lxc_fails(&["profile", "device", "remove", "p1", "nothing"]);
    let refused = d.lxc_fails(&["launch", "busybox", "c2", "-p", "nowhere"]);
    assert!(refused.contains("nowhere"), "{refused}");
    assert_eq!(d.status("c2"), "");
}

#[test]
fn a_change_of_a_profile_reaches_running_containers() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    d.lxc_ok(&["profile", "set", "default", "environment.NEW", "yes"]);
    assert_eq!(d.exec("c1", &["sh", "-c", "echo $NEW"]), "yes\n");
    let refused = d.lxc_fails(&["profile", "set", "default", "limits.memory", "lots"]);
    assert!(refused.contains("lots"), "{refused}");
}

#[test]
fn profiles_expand_in_order_with_local_configuration_on_top() {
    let d = daemon!();
    for (profile, value) in [("p1", "one"), ("p2", "two")] {
        d.lxc_ok(&["profile", "create", profile]);
        d.lxc_ok(&["profile", "set", profile, "environment.WHO", value]);
    }
    d.lxc_ok(&["launch", "busybox", "c1", "-p", "default", "-p", "p1", "-p", "p2"]);
    let who = || d.exec("c1", &["sh", "-c", "echo $WHO"]).trim().to_owned();
    assert_eq!(who(), "two");
    d.lxc_ok(&["profile", "assign", "c1", "default,p2,p1"]);
    assert_eq!(who(), "one");
    d.lxc_ok(&["config", "set", "c1", "environment.WHO", "me"]);
    d.lxc_ok(&["profile", "set", "p1", "environment.WHO", "three"]);
    assert_eq!(who(), "me");
    d.lxc_ok(&["config", "unset", "c1", "environment.WHO"]);
    assert_eq!(who(), "three");
    d.lxc_ok(&["profile", "unset", "p1", "environment.WHO"]);
    assert_eq!(who(), "two");
}

#[test]
fn a_container_that_cannot_follow_is_named_and_the_others_follow() {
    let d = daemon!();
    d.lxc_ok(&["profile", "create", "p1"]);
    for name in ["a1", "b1", "c1"] {
        d.lxc_ok(&["launch", "busybox", name, "-p", "default", "-p", "p1"]);
    }
    // What the profile will say does not go together with what this one says itself.
    d.lxc_ok(&["config", "set", "b1", "security.syscalls.whitelist", "read"]);
    let text =
        b"config:\n  environment.NEW: \"1\"\n  security.syscalls.blacklist_default: \"true\"\ndevices: {}\n";
    let edited = d.lxc_with_input(&["profile", "edit", "p1"], text);
    assert!(!edited.status.success());
    let said = edited.errors();
    assert!(said.contains("b1: ") && said.contains("mutually exclusive"), "{said}");
    assert!(!said.contains("a1") && !said.contains("c1"), "{said}");
    assert!(said.contains("profile change still saved"), "{said}");
    for name in ["a1", "c1"] {
        assert_eq!(d.exec(name, &["sh", "-c", "echo $NEW"]), "1\n", "{name}");
    }
    assert_eq!(d.lxc_ok(&["profile", "get", "p1", "environment.NEW"]).trim(), "1");
    let refused = d.lxc_fails(&["profile", "set", "p1", "environment.OTHER", "1"]);
    assert!(refused.contains("b1: "), "{refused}");
    // Repaired, it follows again.
    d.lxc_ok(&["config", "unset", "b1", "security.syscalls.whitelist"]);
    assert_eq!(d.exec("b1", &["sh", "-c", "echo $NEW$OTHER"]), "11\n");
    d.lxc_ok(&["profile", "set", "p1", "environment.OTHER", "2"]);
}

#[test]
fn a_device_of_a_profile_reaches_running_containers() {
    let d = daemon!();
    d.lxc_ok(&["profile", "create", "p1"]);
    for name in ["a1", "b1"] {
        d.lxc_ok(&["launch", "busybox", name, "-p", "default", "-p", "p1"]);
    }
    d.lxc_ok(&["profile", "device", "add", "p1", "gone", "none"]);
    for name in ["a1", "b1"] {
        assert!(d.lxc_ok(&["config", "show", name, "--expanded"]).contains("gone:"), "{name}");
    }
    d.lxc_ok(&["profile", "device", "remove", "p1", "gone"]);
    assert!(!d.lxc_ok(&["config", "show", "a1", "--expanded"]).contains("gone:"));
}
