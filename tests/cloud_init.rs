//! The real cloud-init, with the templates that Ubuntu's images have.

use crate::templates::{META, NETWORK, UBUNTU, USER, VENDOR};
use std::time::Duration;
use testkit::{TestDaemon, debian_services_image, eventually_within, or_skip, skip};

const PATIENCE: Duration = Duration::from_secs(300);

const USER_DATA: &str = "#cloud-config
locale: C.UTF-8
ssh_authorized_keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJlbG9uZ3N0b25vYm9keQ== nobody]
write_files:
- {path: /root/written, content: by the user's data}
runcmd:
- echo once >> /root/ran
";

/// Waits until cloud-init has done everything, and gives its answer.
fn done(d: &TestDaemon, name: &str) -> String {
    eventually_within(PATIENCE, "cloud-init has done its work", || {
        let said = d.lxc(&["exec", name, "--", "cat", "/run/cloud-init/result.json"]);
        said.status.success().then(|| said.text())
    })
}

#[test]
fn cloud_init_does_what_keys_say_once_for_each_container() {
    let image = or_skip!(debian_services_image());
    let d = or_skip!(TestDaemon::builder().without_image().start());
    let (metadata, rootfs) = (image.metadata.to_string_lossy(), image.rootfs.to_string_lossy());
    d.lxc_ok(&["image", "import", &metadata, &rootfs, "--alias", "services"]);
    d.lxc_ok(&["init", "services", "m1"]);
    let disabled = "m1/etc/cloud/cloud-init.disabled";
    if !d.lxc(&["file", "delete", disabled]).status.success() {
        skip!("the image with services was made without cloud-init: scripts/test-images.sh makes it anew");
    }
    for (name, text) in
        [("meta.tpl", META), ("user.tpl", USER), ("vendor.tpl", VENDOR), ("network.tpl", NETWORK)]
    {
        let made = d.lxc_with_input(&["config", "template", "create", "m1", name], text.as_bytes());
        let _ = made.expect_success();
    }
    let shown = d.lxc_ok(&["config", "metadata", "show", "m1"]);
    let templates = format!("templates:\n{UBUNTU}");
    let edited = if shown.contains("templates: {}") {
        shown.replace("templates: {}\n", &templates)
    } else {
        shown.replace("templates:\n", &templates)
    };
    let _ = d.lxc_with_input(&["config", "metadata", "edit", "m1"], edited.as_bytes()).expect_success();
    let set = d.lxc_with_input(&["config", "set", "m1", "user.user-data", "-"], USER_DATA.as_bytes());
    let _ = set.expect_success();
    d.lxc_ok(&[
        "config",
        "set",
        "m1",
        "user.vendor-data",
        "#cloud-config\nruncmd: [echo vendor > /root/vendor]",
    ]);
    d.lxc_ok(&["start", "m1"]);
    let result = done(&d, "m1");
    assert!(result.contains("DataSourceNoCloud") && result.contains("\"errors\": []"), "{result}");
    let read = |name: &str, path: &str| d.exec(name, &["cat", path]);
    assert_eq!(read("m1", "/root/written"), "by the user's data");
    assert_eq!(read("m1", "/root/ran"), "once\n");
    assert_eq!(read("m1", "/etc/hostname"), "m1\n");
    assert!(read("m1", "/home/debian/.ssh/authorized_keys").contains("nobody"));
    d.lxc_ok(&["restart", "m1", "--timeout", "120"]);
    let _ = done(&d, "m1");
    assert_eq!(read("m1", "/root/ran"), "once\n", "the same container");
    d.lxc_ok(&["stop", "m1", "--timeout", "120"]);
    d.lxc_ok(&["copy", "m1", "m2"]);
    d.lxc_ok(&["start", "m2"]);
    let _ = done(&d, "m2");
    assert_eq!(read("m2", "/root/ran"), "once\nonce\n", "a copy is another instance");
    assert_eq!(read("m2", "/etc/hostname"), "m2\n");
}
