//! Our own daemon inside a Debian container, and another inside a container of that one.

use std::time::Duration;
use testkit::{TestDaemon, debian_image, debian_services_image, eventually_within, or_skip, program};

const PATIENCE: Duration = Duration::from_secs(180);

const PRESEED: &str = "storage_pools:\n- {name: default, driver: dir}\nprofiles:\n- name: default\n  devices:\n    \
                       root: {type: disk, path: /, pool: default}\n";
const WITH_BRIDGE: &str = "    eth0: {type: nic, nictype: bridged, parent: lxdbr0, name: eth0}\nnetworks:\n- name: lxdbr0\n  \
     type: bridge\n  config: {ipv4.address: 10.178.0.1/24, ipv4.nat: \"false\", ipv6.address: none}\n";
/// As a package would install it.
const UNIT: &str = "[Service]\nExecStart=/usr/local/bin/lxd --debug --group root --logfile /root/lxd.log\n\
                    KillMode=process\nDelegate=yes\n";

/// Everything that a daemon needs, into `l1`.
fn furnish(d: &TestDaemon) {
    let push = |content: &str, to: &str| {
        let _ = d
            .lxc_with_input(&["file", "push", "-p", "-", &format!("l1{to}")], content.as_bytes())
            .expect_success();
    };
    for name in ["lxd", "lxd-keeper", "lxc"] {
        d.lxc_ok(&["file", "push", "--mode", "0755", &program(name).to_string_lossy(), "l1/usr/local/bin/"]);
    }
    for file in ["/etc/subuid", "/etc/subgid"] {
        push("root:200000:500000000\n", file);
    }
    push("root:100000:10000000\n", "/root/subids");
    push(UNIT, "/etc/systemd/system/lxd.service");
    push(&format!("{PRESEED}{WITH_BRIDGE}"), "/root/preseed");
    push(PRESEED, "/root/preseed-inner");
    let busybox = testkit::busybox_image().expect("the daemon has it").to_string_lossy().into_owned();
    d.lxc_ok(&["file", "push", &busybox, "l1/root/busybox.tar.gz"]);
    d.exec("l1", &["systemctl", "start", "lxd"]);
    d.exec("l1", &["lxd", "waitready", "--timeout", "60"]);
    d.exec("l1", &["sh", "-c", "lxd init --preseed < /root/preseed"]);
    d.exec("l1", &["lxc", "image", "import", "/root/busybox.tar.gz", "--alias", "busybox"]);
}

fn booted(d: &TestDaemon, exec: &[&str]) {
    eventually_within(PATIENCE, "systemd has come up", || {
        let asked = d.lxc(&[exec, &["systemctl", "is-system-running"]].concat());
        ["running", "degraded"].contains(&asked.text().trim()).then_some(())
    });
}

#[test]
fn a_container_in_a_container_in_a_container() {
    let image = or_skip!(debian_services_image());
    let small = or_skip!(debian_image());
    let d = or_skip!(TestDaemon::builder().start());
    let path = |p: &std::path::Path| p.to_string_lossy().into_owned();
    d.lxc_ok(&["image", "import", &path(&image.metadata), &path(&image.rootfs), "--alias", "services"]);
    d.lxc_ok(&["launch", "services", "l1", "-c", "security.nesting=true"]);
    booted(&d, &["exec", "l1", "--"]);
    furnish(&d);

    // The second level, with a bridge of its own.
    d.exec("l1", &["lxc", "launch", "busybox", "i1"]);
    assert_eq!(d.exec("l1", &["lxc", "exec", "i1", "--", "hostname"]), "i1\n");
    let map = d.exec("l1", &["lxc", "exec", "i1", "--", "cat", "/proc/self/uid_map"]);
    assert_eq!(map.split_whitespace().collect::<Vec<_>>(), ["0", "200000", "500000000"]);
    eventually_within(PATIENCE, "an address by DHCP", || {
        d.exec("l1", &["lxc", "list", "-c", "4", "--format", "csv"]).contains("10.178.0.").then_some(())
    });
    let processes = d.exec("l1", &["lxc", "query", "/1.0/containers/i1/state"]);
    let state: serde_json::Value = serde_json::from_str(&processes).expect("JSON");
    assert!(state["processes"].as_i64() >= Some(1) && state["memory"]["usage"].as_i64() > Some(0), "{state}");
    d.exec("l1", &["lxc", "pause", "i1"]);
    d.exec("l1", &["lxc", "start", "i1"]);
    d.exec("l1", &["systemctl", "restart", "lxd"]);
    d.exec("l1", &["lxd", "waitready", "--timeout", "60"]);
    assert_eq!(
        d.exec("l1", &["lxc", "exec", "i1", "--", "hostname"]),
        "i1\n",
        "it outlives the inner daemon"
    );

    // The third level.
    for file in [&small.metadata, &small.rootfs] {
        d.lxc_ok(&["file", "push", &path(file), "l1/root/"]);
    }
    let files = ["/root/debian-12.tar.xz", "/root/debian-12.squashfs"];
    d.exec("l1", &["lxc", "image", "import", files[0], files[1], "--alias", "debian"]);
    d.exec("l1", &["lxc", "launch", "debian", "i2", "-c", "security.nesting=true"]);
    booted(&d, &["exec", "l1", "--", "lxc", "exec", "i2", "--"]);
    let furnish = "set -e; for p in lxd lxd-keeper lxc; do lxc file push --mode 0755 /usr/local/bin/$p i2/usr/local/bin/; done; \
                   lxc file push /root/subids i2/etc/subuid; lxc file push /root/subids i2/etc/subgid; \
                   lxc file push /etc/systemd/system/lxd.service i2/etc/systemd/system/; \
                   lxc file push /root/busybox.tar.gz /root/preseed-inner i2/root/";
    d.exec("l1", &["sh", "-c", furnish]);
    let inner = |script: &str| d.exec("l1", &["lxc", "exec", "i2", "--", "sh", "-ec", script]);
    inner("systemctl start lxd; lxd waitready --timeout 60; lxd init --preseed < /root/preseed-inner");
    inner("lxc image import /root/busybox.tar.gz --alias busybox; lxc launch busybox j1");
    assert!(inner("lxc list --format csv").starts_with("j1,RUNNING"));
    assert_eq!(inner("lxc exec j1 -- hostname"), "j1\n");
    assert_eq!(inner("lxc exec j1 -- cat /proc/self/uid_map").split_whitespace().nth(1), Some("100000"));
    inner("lxc stop j1; lxc start j1; lxc delete --force j1");
    assert_eq!(inner("lxc list --format csv"), "");

    d.exec("l1", &["lxc", "delete", "--force", "i2"]);
    d.exec("l1", &["lxc", "stop", "i1"]);
    d.exec("l1", &["lxc", "start", "i1"]);
    // Whatever still runs inside ends with it.
    d.lxc_ok(&["stop", "l1", "--timeout", "120"]);
    assert_eq!(d.status("l1"), "Stopped");
}
