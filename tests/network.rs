//! The bridge, addresses and what is left when they go.

use testkit::{TestDaemon, daemon, eventually, run};

fn address(d: &TestDaemon, name: &str) -> String {
    eventually("it gets an address", || {
        let state = d.state(name);
        let addresses = state["network"]["eth0"]["addresses"].as_array()?.clone();
        let v4 = addresses.iter().find(|a| a["family"] == "inet" && a["scope"] == "global")?;
        v4["address"].as_str().map(str::to_owned)
    })
}

#[test]
fn containers_get_addresses_by_dhcp_and_reach_each_other() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    d.lxc_ok(&["launch", "busybox", "c2"]);
    let (one, two) = (address(&d, "c1"), address(&d, "c2"));
    assert!(one.starts_with("10.177.0.") && two.starts_with("10.177.0.") && one != two, "{one} {two}");
    let list = d.lxc_ok(&["list", "c1", "-c", "4", "--format", "csv"]);
    assert_eq!(list.trim(), format!("{one} (eth0)"));
    d.exec("c1", &["ping", "-c", "1", "-W", "5", &two]);
    d.exec("c1", &["ping", "-c", "1", "-W", "5", "10.177.0.1"]);
    let info = d.lxc_ok(&["info", "c1"]);
    assert!(info.contains(&one), "{info}");
    let leases = d.api().get("/1.0/networks/lxdbr0/leases");
    if leases.status == 200 {
        assert!(leases.metadata().to_string().contains(&one), "{:?}", leases.metadata());
    }
}

#[test]
fn the_interface_keeps_its_address_and_leaves_nothing_behind() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    let first = address(&d, "c1");
    let hwaddr = d.exec("c1", &["cat", "/sys/class/net/eth0/address"]);
    let ports = || run(d.inside("ls").arg("/sys/class/net/lxdbr0/brif")).text();
    assert_eq!(ports().lines().count(), 1);
    d.lxc_ok(&["restart", "--force", "c1"]);
    assert_eq!(d.exec("c1", &["cat", "/sys/class/net/eth0/address"]), hwaddr);
    assert_eq!(address(&d, "c1"), first);
    d.lxc_ok(&["stop", "--force", "c1"]);
    eventually("its port is gone", || ports().is_empty().then_some(()));
    assert!(d.lxc_ok(&["config", "show", "c1"]).contains("volatile.eth0.hwaddr"));
}

#[test]
fn address_translation_is_set_up_when_asked_for() {
    if testkit::find_program("nft").is_none() {
        testkit::skip!("the program nft is not installed");
    }
    let d = daemon!(TestDaemon::builder().with_nat().without_image());
    let rules = run(d.inside("nft").args(["list", "ruleset"])).expect_success().text();
    assert!(rules.contains("masquerade") && rules.contains("10.177.0.0/24"), "{rules}");
    let forward = run(d.inside("cat").arg("/proc/sys/net/ipv4/ip_forward")).text();
    assert_eq!(forward.trim(), "1");
}

#[test]
fn the_bridge_comes_back_after_everything_was_lost() {
    let mut d = daemon!();
    d.terminate();
    let _ = run(d.inside("ip").args(["link", "delete", "lxdbr0"])).expect_success();
    let _ = run(d.inside("pkill").arg("dnsmasq"));
    d.start_again();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    address(&d, "c1");
}

#[test]
fn a_nic_without_its_bridge_is_a_clear_error() {
    let d = daemon!();
    d.lxc_ok(&["init", "busybox", "c1"]);
    let refused = d.lxc_fails(&["config", "device", "add", "c1", "eth1", "nic", "nictype=bridged"]);
    assert!(refused.contains("parent"), "{refused}");
    let added = d.lxc(&[
        "config",
        "device",
        "add",
        "c1",
        "eth1",
        "nic",
        "nictype=bridged",
        "parent=nowhere0",
        "name=eth1",
    ]);
    if added.status.success() {
        let refused = d.lxc_fails(&["start", "c1"]);
        assert!(refused.contains("nowhere0"), "{refused}");
        assert_eq!(d.status("c1"), "Stopped");
    } else {
        assert!(added.errors().contains("nowhere0"), "{added:?}");
    }
}
