//! Interfaces of containers: kinds, coming and going while the container runs, limits.

use std::process::Stdio;
use std::time::{Duration, Instant};
use testkit::{TestDaemon, daemon, eventually, run, spawn};

/// A pair on the host: `up0` stands for a network card, `wall0` for what its cable leads to.
fn hardware(d: &TestDaemon) {
    let ip = |arguments: &[&str]| drop(run(d.inside("ip").args(arguments)).expect_success());
    let hwaddr = "02:00:00:00:00:01";
    ip(&["link", "add", "up0", "address", hwaddr, "type", "veth", "peer", "name", "wall0"]);
    ip(&["address", "add", "10.188.0.1/24", "dev", "wall0"]);
    ip(&["link", "set", "wall0", "up"]);
    ip(&["link", "set", "up0", "up", "mtu", "1480"]);
}

fn host_links(d: &TestDaemon) -> Vec<String> {
    let listed = run(d.inside("ls").arg("/sys/class/net")).expect_success().text();
    listed.split_whitespace().map(str::to_owned).collect()
}

fn link(d: &TestDaemon, container: &str, interface: &str) -> String {
    d.exec(container, &["ip", "link", "show", interface])
}

fn unchanged(d: &TestDaemon, before: &[String]) {
    eventually("nothing is left on the host", || (host_links(d) == before).then_some(()));
}

#[test]
fn a_bridged_nic_comes_and_goes_while_the_container_runs() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    let before = host_links(&d);
    let leases = || d.api().get("/1.0/networks/lxdbr0/leases").metadata().to_string();
    let first = eventually("eth0 has a lease", || Some(leases()).filter(|all| all.contains("10.177.0.")));
    d.lxc_ok(&["config", "device", "add", "c1", "eth1", "nic", "nictype=bridged", "parent=lxdbr0"]);
    assert_eq!(leases(), first, "another interface does not take the first one's lease away");
    let seen = link(&d, "c1", "eth1");
    assert!(seen.contains(",UP"), "{seen}");
    let hwaddr = d.lxc_ok(&["config", "get", "c1", "volatile.eth1.hwaddr"]).trim().to_owned();
    assert!(seen.contains(&hwaddr) && hwaddr.starts_with("00:16:3e:"), "{seen} {hwaddr}");
    let host_name = d.lxc_ok(&["config", "get", "c1", "volatile.eth1.host_name"]).trim().to_owned();
    let ports = run(d.inside("ls").arg("/sys/class/net/lxdbr0/brif")).text();
    assert!(ports.lines().any(|port| port == host_name), "{ports} {host_name}");
    d.exec("c1", &["ip", "address", "add", "10.177.0.250/24", "dev", "eth1"]);
    d.exec("c1", &["ping", "-c", "1", "-W", "5", "-I", "eth1", "10.177.0.1"]);
    let network = d.state("c1")["network"]["eth1"].clone();
    assert_eq!(network["host_name"], host_name.as_str());
    for counter in ["errors_received", "errors_sent", "packets_dropped_inbound", "packets_dropped_outbound"] {
        assert!(network["counters"][counter].is_i64(), "{counter}: {network}");
    }
    assert!(network["counters"]["packets_sent"].as_i64() > Some(0), "{network}");
    d.lxc_ok(&["config", "device", "remove", "c1", "eth1"]);
    let gone = d.lxc(&["exec", "c1", "--", "ip", "link", "show", "eth1"]);
    assert!(!gone.status.success(), "{gone:?}");
    unchanged(&d, &before);
    let config = d.lxc_ok(&["config", "show", "c1"]);
    assert!(!config.contains("volatile.eth1"), "{config}");
}

#[test]
fn a_changed_nic_is_replaced_and_a_profile_brings_one_to_all() {
    let d = daemon!();
    hardware(&d);
    d.lxc_ok(&["launch", "busybox", "c1"]);
    let add = ["config", "device", "add", "c1", "extra", "nic", "nictype=p2p", "name=lan0", "mtu=1400"];
    d.lxc_ok(&[&add[..], &["hwaddr=00:16:3e:00:00:07", "host_name=c1lan"]].concat());
    let seen = link(&d, "c1", "lan0");
    assert!(seen.contains("mtu 1400") && seen.contains("00:16:3e:00:00:07"), "{seen}");
    assert!(host_links(&d).contains(&"c1lan".to_owned()));
    d.lxc_ok(&["config", "device", "set", "c1", "extra", "name", "lan1"]);
    assert!(link(&d, "c1", "lan1").contains("00:16:3e:00:00:07"));
    assert!(!d.lxc(&["exec", "c1", "--", "ip", "link", "show", "lan0"]).status.success());
    d.lxc_ok(&["config", "device", "remove", "c1", "extra"]);
    assert!(!host_links(&d).contains(&"c1lan".to_owned()));

    d.lxc_ok(&["profile", "device", "add", "default", "eth1", "nic", "nictype=macvlan", "parent=up0"]);
    assert!(link(&d, "c1", "eth1").contains(",UP"));
    d.lxc_ok(&["profile", "device", "remove", "default", "eth1"]);
    assert!(!d.lxc(&["exec", "c1", "--", "ip", "link", "show", "eth1"]).status.success());
}

#[test]
fn a_macvlan_nic_reaches_what_its_parent_reaches() {
    let d = daemon!();
    hardware(&d);
    d.lxc_ok(&["init", "busybox", "c1"]);
    d.lxc_ok(&["config", "device", "add", "c1", "eth1", "nic", "nictype=macvlan", "parent=up0", "name=eth1"]);
    let before = host_links(&d);
    d.lxc_ok(&["start", "c1"]);
    let details = d.exec("c1", &["cat", "/sys/class/net/eth1/address"]);
    assert_eq!(details.trim(), d.lxc_ok(&["config", "get", "c1", "volatile.eth1.hwaddr"]).trim());
    d.exec("c1", &["ip", "address", "add", "10.188.0.2/24", "dev", "eth1"]);
    d.exec("c1", &["ping", "-c", "1", "-W", "5", "10.188.0.1"]);
    d.lxc_ok(&["stop", "--force", "c1"]);
    unchanged(&d, &before);
}

#[test]
fn a_vlan_is_made_for_the_first_and_removed_after_the_last() {
    let d = daemon!();
    hardware(&d);
    let vlan = |name: &str, parent: &str| {
        let words = ["link", "add", "link", parent, "name", name, "type", "vlan", "id", "7"];
        run(d.inside("ip").args(words)).status.success()
    };
    if !vlan("wall0.7", "wall0") {
        testkit::skip!("the kernel knows no VLANs");
    }
    let ip = |words: &[&str]| drop(run(d.inside("ip").args(words)).expect_success());
    ip(&["address", "add", "10.189.0.1/24", "dev", "wall0.7"]);
    ip(&["link", "set", "wall0.7", "up"]);
    let before = host_links(&d);
    for (container, address) in [("c1", "10.189.0.2/24"), ("c2", "10.189.0.3/24")] {
        d.lxc_ok(&["launch", "busybox", container]);
        let add = ["config", "device", "add", container, "lan", "nic", "nictype=macvlan", "parent=up0"];
        d.lxc_ok(&[&add[..], &["vlan=7", "name=lan0"]].concat());
        d.exec(container, &["ip", "address", "add", address, "dev", "lan0"]);
        d.exec(container, &["ping", "-c", "1", "-W", "5", "10.189.0.1"]);
        assert!(host_links(&d).contains(&"up0.7".to_owned()));
    }
    d.lxc_ok(&["config", "device", "remove", "c1", "lan"]);
    d.exec("c2", &["ping", "-c", "1", "-W", "5", "10.189.0.1"]);
    d.lxc_ok(&["stop", "--force", "c1", "c2"]);
    unchanged(&d, &before);
    // The VLAN of a card is lent like the card.
    d.lxc_ok(&["config", "device", "remove", "c2", "lan"]);
    let add = ["config", "device", "add", "c2", "lan", "nic", "nictype=physical", "parent=up0", "vlan=7"];
    d.lxc_ok(&[&add[..], &["name=lan0"]].concat());
    d.lxc_ok(&["start", "c2"]);
    d.exec("c2", &["ip", "address", "add", "10.189.0.3/24", "dev", "lan0"]);
    d.exec("c2", &["ping", "-c", "1", "-W", "5", "10.189.0.1"]);
    d.lxc_ok(&["stop", "--force", "c2"]);
    unchanged(&d, &before);
}

/// The card is on the host, as it was.
fn card_is_back(d: &TestDaemon) {
    let seen = eventually("the card is back", || {
        let shown = run(d.inside("ip").args(["link", "show", "up0"]));
        shown.status.success().then(|| shown.text())
    });
    assert!(seen.contains("02:00:00:00:00:01") && seen.contains("mtu 1480"), "{seen}");
}

#[test]
fn a_physical_nic_is_lent_and_comes_back_as_it_was() {
    let mut d = daemon!();
    hardware(&d);
    d.lxc_ok(&["launch", "busybox", "c1"]);
    let add = ["config", "device", "add", "c1", "card", "nic", "nictype=physical", "parent=up0"];
    d.lxc_ok(&[&add[..], &["name=eth7", "hwaddr=00:16:3e:aa:bb:cc", "mtu=1400"]].concat());
    assert!(!host_links(&d).contains(&"up0".to_owned()));
    let seen = link(&d, "c1", "eth7");
    assert!(
        seen.contains("00:16:3e:aa:bb:cc") && seen.contains("mtu 1400") && seen.contains(",UP"),
        "{seen}"
    );
    d.exec("c1", &["ip", "address", "add", "10.188.0.2/24", "dev", "eth7"]);
    d.exec("c1", &["ping", "-c", "1", "-W", "5", "10.188.0.1"]);
    // While it runs …
    d.lxc_ok(&["config", "device", "remove", "c1", "card"]);
    card_is_back(&d);
    // … when it stops …
    d.lxc_ok(&[&add[..], &["name=eth7", "hwaddr=00:16:3e:aa:bb:cc", "mtu=1400"]].concat());
    d.lxc_ok(&["restart", "--force", "c1"]);
    assert!(link(&d, "c1", "eth7").contains("mtu 1400"));
    d.lxc_ok(&["stop", "--force", "c1"]);
    card_is_back(&d);
    assert!(!d.lxc_ok(&["config", "show", "c1"]).contains("card.last_state"));
    // … also when the container gave it another name and nobody was there when it ended.
    d.lxc_ok(&["config", "set", "c1", "boot.autostart", "false"]);
    d.lxc_ok(&["start", "c1"]);
    d.exec("c1", &["ip", "link", "set", "eth7", "down"]);
    d.exec("c1", &["ip", "link", "set", "eth7", "mtu", "1300"]);
    let init = d.init_pid("c1").to_string();
    d.kill9();
    drop(run(d.inside("kill").args(["-9", &init])).expect_success());
    eventually("it has ended", || {
        (!run(d.inside("kill").args(["-0", &init])).status.success()).then_some(())
    });
    d.start_again();
    d.wait_status("c1", "Stopped");
    card_is_back(&d);
}

#[test]
fn a_nic_that_cannot_be_leaves_nothing_behind() {
    let d = daemon!();
    hardware(&d);
    d.lxc_ok(&["launch", "busybox", "c1"]);
    let before = host_links(&d);
    let add = ["config", "device", "add", "c1", "eth1", "nic"];
    let refused = d.lxc_fails(&[&add[..], &["nictype=macvlan", "parent=nowhere0"]].concat());
    assert!(refused.contains("Missing parent 'nowhere0' for nic 'eth1'"), "{refused}");
    let refused = d.lxc_fails(&[&add[..], &["nictype=macvlan", "parent=up0", "name=eth0"]].concat());
    assert!(refused.contains("eth0"), "{refused}");
    let refused = d.lxc_fails(&[&add[..], &["nictype=physical", "parent=up0", "name=eth0"]].concat());
    assert!(refused.contains("eth0"), "{refused}");
    let refused = d.lxc_fails(&[&add[..], &["nictype=sriov", "parent=up0"]].concat());
    assert!(refused.contains("virtual functions"), "{refused}");
    let config = d.lxc_ok(&["config", "show", "c1"]);
    assert!(!config.contains(".eth1.") && config.contains("devices: {}"), "{config}");
    unchanged(&d, &before);
    card_is_back(&d);
    // A start that fails after the card was moved gives it back.
    d.lxc_ok(&["init", "busybox", "c2"]);
    let card = ["config", "device", "add", "c2", "a", "nic", "nictype=physical", "parent=up0", "name=eth5"];
    d.lxc_ok(&card);
    d.lxc_ok(&["config", "device", "add", "c2", "b", "nic", "nictype=macvlan", "parent=wall0", "name=eth5"]);
    let refused = d.lxc_fails(&["start", "c2"]);
    assert!(refused.contains("eth5"), "{refused}");
    assert_eq!(d.status("c2"), "Stopped");
    unchanged(&d, &before);
    card_is_back(&d);
}

/// How long four megabytes take, one way or the other.
fn transfer(d: &TestDaemon, address: &str, towards_the_container: bool) -> Duration {
    const SEND: &str = "dd if=/dev/zero bs=64k count=64 2>/dev/null | nc";
    // An end of its input would be told to the sender, which would take it for the end of all.
    const RECEIVE: &str = "mkfifo /tmp/open$$; nc -l -p 5001 0<>/tmp/open$$ | wc -c; rm /tmp/open$$";
    let host = |script: &str| {
        let mut command = d.inside("busybox");
        command.args(["sh", "-c", script]).stdin(Stdio::null());
        command
    };
    let container = |script: &str| {
        let mut command = d.lxc_command();
        command.args(["exec", "c1", "--", "sh", "-c", script]).stdin(Stdio::null());
        command
    };
    let mut receiver = if towards_the_container { container(RECEIVE) } else { host(RECEIVE) };
    let receiver = spawn(&mut receiver);
    let tables = ["cat", "/proc/net/tcp", "/proc/net/tcp6"];
    eventually("somebody listens", || {
        let table = if towards_the_container {
            d.exec("c1", &tables)
        } else {
            run(d.inside("cat").args(&tables[1..])).text()
        };
        let listens = |line: &str| line.contains(":1389 ") && line.contains(":0000 0A ");
        table.lines().any(listens).then_some(())
    });
    let begin = Instant::now();
    let mut sender = if towards_the_container {
        host(&format!("{SEND} {address} 5001"))
    } else {
        container(&format!("{SEND} 10.177.0.1 5001"))
    };
    let sender = spawn(&mut sender);
    let received = receiver.wait(Duration::from_secs(300)).expect_success().text();
    let took = begin.elapsed();
    sender.wait(Duration::from_secs(60));
    assert_eq!(received.trim(), "4194304");
    took
}

#[test]
fn limits_hold_follow_changes_and_go() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    let address = eventually("it has an address", || {
        let addresses = d.state("c1")["network"]["eth0"]["addresses"].as_array()?.clone();
        let found = addresses.iter().find(|a| a["family"] == "inet")?;
        found["address"].as_str().map(str::to_owned)
    });
    let before = host_links(&d);
    // Four megabytes at 8 Mbit per second take four seconds; what the bucket holds goes at once.
    let least = Duration::from_secs(2);
    d.lxc_ok(&["profile", "device", "set", "default", "eth0", "limits.ingress", "8Mbit"]);
    let took = transfer(&d, &address, true);
    assert!(took > least, "{took:?} for 4 MB towards the container at 8 Mbit/s");
    d.lxc_ok(&["profile", "device", "set", "default", "eth0", "limits.egress", "8Mbit"]);
    let took = transfer(&d, &address, false);
    assert!(took > least, "{took:?} for 4 MB from the container at 8 Mbit/s");
    // After a restart they hold as well.
    d.lxc_ok(&["restart", "--force", "c1"]);
    let host_name = d.lxc_ok(&["config", "get", "c1", "volatile.eth0.host_name"]).trim().to_owned();
    let queues = |end: &str| run(d.inside("tc").args(["qdisc", "show", "dev", end])).text();
    if testkit::find_program("tc").is_some() {
        assert!(queues(&host_name).contains("rate 8Mbit"), "{}", queues(&host_name));
    }
    d.lxc_ok(&["profile", "device", "unset", "default", "eth0", "limits.ingress"]);
    d.lxc_ok(&["profile", "device", "unset", "default", "eth0", "limits.egress"]);
    if testkit::find_program("tc").is_some() {
        let left = queues(&host_name);
        assert!(!left.contains("tbf") && !left.contains("ingress"), "{left}");
    }
    assert_eq!(host_links(&d).len(), before.len());
    d.lxc_ok(&["profile", "device", "set", "default", "eth0", "limits.max", "1Gbit"]);
    d.lxc_ok(&["stop", "--force", "c1"]);
    eventually("nothing is left", || (host_links(&d).len() == before.len() - 1).then_some(()));
}
