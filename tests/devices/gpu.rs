//! Graphics cards, from a made-up `/sys`.

use super::{left, sh};
use std::os::unix::fs::symlink;
use testkit::{TestDaemon, daemon};

#[test]
fn the_nodes_of_a_card_come_and_go() {
    let made_up = tempfile::tempdir().unwrap();
    let sys = made_up.path();
    for (id, render, pci, vendor) in [(0, 128, "0000:00:02.0", "0x8086"), (1, 129, "0000:01:00.0", "0x1002")]
    {
        let device = sys.join("devices").join(pci);
        for (name, minor) in [(format!("card{id}"), id), (format!("renderD{render}"), render)] {
            let node = device.join("drm").join(&name);
            std::fs::create_dir_all(&node).unwrap();
            std::fs::write(node.join("dev"), format!("226:{minor}\n")).unwrap();
            symlink("../..", node.join("device")).unwrap();
            std::fs::create_dir_all(sys.join("class/drm")).unwrap();
            symlink(&node, sys.join("class/drm").join(&name)).unwrap();
        }
        std::fs::write(device.join("vendor"), format!("{vendor}\n")).unwrap();
        std::fs::write(device.join("device"), "0x1234\n").unwrap();
    }
    let d = daemon!(TestDaemon::builder().env("LIGHTERVISOR_SYS", &sys.to_string_lossy()));
    d.lxc_ok(&["launch", "busybox", "c1"]);
    let list = "cd /dev/dri 2>/dev/null && stat -c '%n %t:%T %g %a' *";
    d.lxc_ok(&["config", "device", "add", "c1", "card", "gpu", "vendorid=1002", "gid=44"]);
    assert_eq!(sh(&d, "c1", list), "card1 e2:1 44 660\nrenderD129 e2:81 44 660\n");
    d.lxc_ok(&["config", "device", "set", "c1", "card", "vendorid", "8086"]);
    assert_eq!(sh(&d, "c1", list), "card0 e2:0 44 660\nrenderD128 e2:80 44 660\n");
    let said = d.lxc_fails(&["config", "device", "set", "c1", "card", "vendorid", "10de"]);
    assert!(said.contains("10de"), "{said}");
    assert_eq!(sh(&d, "c1", list), "card0 e2:0 44 660\nrenderD128 e2:80 44 660\n");
    d.lxc_ok(&["config", "device", "remove", "c1", "card"]);
    assert_eq!(sh(&d, "c1", "ls /dev/dri"), "");
    assert_eq!(left(&d, "c1"), [""; 0]);
    d.lxc_ok(&["config", "device", "add", "c1", "all", "gpu"]);
    d.lxc_ok(&["restart", "--force", "c1"]);
    assert_eq!(sh(&d, "c1", "ls /dev/dri"), "card0\ncard1\nrenderD128\nrenderD129\n");
}
