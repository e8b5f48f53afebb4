//! Interfaces of the host in containers, those on top of them, and bounds of what they carry.

#[allow(dead_code)] // it serves two sets of tests
mod sandbox;

use network::{Inside, Plug};
use network::{InterfaceName, LendError, Limits, MacAddress};
use sandbox::{Namespace, Sandbox, host, mac, plug_into, sandboxed};

const BASIC: &[&str] = &["unshare", "nsenter", "ip"];

fn name(text: &str) -> InterfaceName {
    InterfaceName::parse(text).expect("name")
}

fn inside<'a>(namespace: &'a Namespace, text: &str, hwaddr: Option<MacAddress>) -> Inside<'a> {
    Inside { name: name(text), hwaddr, mtu: None, netns: namespace.fd() }
}

/// A pair on the host that stands for hardware.
fn hardware() {
    host(&[
        "ip",
        "link",
        "add",
        "up0",
        "address",
        "02:00:00:00:00:01",
        "type",
        "veth",
        "peer",
        "name",
        "wall0",
    ]);
    host(&["ip", "link", "set", "wall0", "up"]);
    host(&["ip", "link", "set", "up0", "up"]);
}

#[test]
fn a_macvlan_interface_is_the_containers_own() {
    sandboxed("a_macvlan_interface_is_the_containers_own", BASIC, async |s| {
        hardware();
        let one = Namespace::new().expect("namespace");
        s.networks.macvlan(&name("up0"), inside(&one, "eth0", Some(mac(5)))).await.expect("macvlan");
        let links = one.run(&["ip", "-details", "link", "show", "eth0"]);
        assert!(links.contains("macvlan mode bridge") && links.contains(&mac(5).to_string()), "{links}");
        assert!(!host(&["ip", "link"]).contains("macvlan"));
        let taken = s.networks.macvlan(&name("up0"), inside(&one, "eth0", Some(mac(6)))).await;
        assert!(matches!(taken, Err(LendError::NameTaken { .. })), "{taken:?}");
        let missing = s.networks.macvlan(&name("up9"), inside(&one, "eth1", None)).await;
        assert!(matches!(missing, Err(LendError::Missing { .. })), "{missing:?}");
        s.networks.switch_on(one.fd(), &name("eth0")).await.expect("on");
        assert!(one.run(&["ip", "link", "show", "eth0"]).contains(",UP"));
        assert!(!s.networks.delete_inside(one.fd(), &name("eth0"), mac(6)).await.expect("not that one"));
        assert!(s.networks.delete_inside(one.fd(), &name("eth0"), mac(5)).await.expect("delete"));
        assert!(!s.networks.delete_inside(one.fd(), &name("eth0"), mac(5)).await.expect("again"));
    });
}

#[test]
fn an_interface_that_is_lent_comes_back_as_it_was() {
    sandboxed("an_interface_that_is_lent_comes_back_as_it_was", BASIC, async |s| {
        hardware();
        let one = Namespace::new().expect("namespace");
        let before = s.networks.look(&name("up0")).await.expect("look");
        assert_eq!(
            (before.mtu, before.hwaddr.expect("address").to_string()),
            (1500, "02:00:00:00:00:01".into())
        );
        let wanted = Inside { mtu: Some(1400), ..inside(&one, "eth7", Some(mac(9))) };
        s.networks.lend(&name("up0"), wanted).await.expect("lend");
        assert!(!host(&["ip", "link"]).contains("up0"));
        let seen = one.run(&["ip", "link", "show", "eth7"]);
        assert!(seen.contains("mtu 1400") && seen.contains(&mac(9).to_string()), "{seen}");
        one.run(&["ip", "link", "set", "eth7", "up"]);
        assert!(s.networks.take_back(one.fd(), &name("eth7"), before.clone()).await.expect("back"));
        assert_eq!(s.networks.look(&name("up0")).await.expect("look"), before);
        assert!(!s.networks.take_back(one.fd(), &name("eth7"), before).await.expect("again"));
        refused_loans_change_nothing(&s, &one).await;
    });
}

async fn refused_loans_change_nothing(s: &Sandbox, one: &Namespace) {
    one.run(&["ip", "link", "add", "taken0", "type", "veth", "peer", "name", "other0"]);
    let taken = s.networks.lend(&name("up0"), inside(one, "taken0", None)).await;
    assert!(matches!(taken, Err(LendError::NameTaken { .. })), "{taken:?}");
    let impossible = Inside { mtu: Some(10), ..inside(one, "eth7", None) };
    let refused = s.networks.lend(&name("up0"), impossible).await;
    assert!(matches!(refused, Err(LendError::Kernel { .. })), "{refused:?}");
    let seen = host(&["ip", "link", "show", "up0"]);
    assert!(seen.contains("mtu 1500") && seen.contains(",UP"), "{seen}");
}

#[test]
fn bounds_are_set_changed_and_taken_away() {
    let needs = &["unshare", "nsenter", "ip", "tc"];
    sandboxed("bounds_are_set_changed_and_taken_away", needs, async |s| {
        let one = Namespace::new().expect("namespace");
        s.networks.plug(Plug { bridge: None, ..plug_into(&one, 3) }).await.expect("plug");
        let end = InterfaceName::veth(3);
        let queues = || host(&["tc", "qdisc", "show", "dev", "veth00000003"]);
        let between = || host(&["ip", "-o", "link", "show", "type", "ifb"]);
        let limits = Limits { ingress: Some(10_000_000), egress: Some(5_000_000) };
        s.networks.limit(&end, limits).await.expect("limit");
        assert!(queues().contains("tbf") && queues().contains("rate 10Mbit"), "{}", queues());
        let filter = host(&["tc", "filter", "show", "dev", "veth00000003", "parent", "ffff:"]);
        let polices = filter.contains("rate 5Mbit");
        assert!(polices || filter.contains("Redirect"), "{filter}");
        if !polices {
            let all = host(&["tc", "qdisc", "show"]);
            assert!(all.contains("rate 5Mbit"), "{all}");
        }
        let limits = Limits { ingress: Some(20_000_000), egress: Some(40_000_000_000) };
        s.networks.limit(&end, limits).await.expect("limit again");
        assert!(queues().contains("rate 20Mbit"), "{}", queues());
        s.networks.limit(&end, Limits::default()).await.expect("no limit");
        assert!(!queues().contains("tbf") && !queues().contains("ingress"), "{}", queues());
        assert_eq!(between(), "");
        s.networks.limit(&end, limits).await.expect("limit");
        s.networks.unplug(&end).await.expect("unplug");
        s.networks.forget_limits(&end).await.expect("forget");
        assert_eq!(between(), "");
        assert!(s.networks.limit(&end, limits).await.is_err());
    });
}
