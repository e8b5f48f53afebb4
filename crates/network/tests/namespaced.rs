//! Real bridges, pairs, servers and rules, each test in network namespaces of its own.

mod sandbox;

use network::interfaces::{Flavour, HostKind, Scope};
use network::{
    DnsmasqError, Host, InterfaceName, NetlinkError, Plug, PlugError, Reservation, StartError, Warning,
};
use sandbox::{Namespace, eventually, host, mac, plug_into, sandboxed};
use std::fs::File;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsFd as _;

const V4: &[(&str, &str)] = &[("ipv4.address", "10.77.1.1/24"), ("ipv4.nat", "true")];
const ALL: &[&str] = &["unshare", "nsenter", "ip", "nft", "dnsmasq", "busybox"];
const BASIC: &[&str] = &["unshare", "ip"];

fn global(interface: &network::interfaces::Interface) -> Vec<IpAddr> {
    interface.addresses.iter().filter(|a| a.scope == Scope::Global).map(|a| a.address).collect()
}

#[test]
fn a_container_gets_its_address_and_gives_it_back() {
    sandboxed("a_container_gets_its_address_and_gives_it_back", ALL, async |s| {
        let bridge = s.bridge(V4);
        let started = s.networks.start(&bridge).await.expect("start");
        assert!(started.created && started.warnings.is_empty(), "{:?}", started.warnings);
        assert!(s.networks.is_up(&bridge.name).await.expect("answer"));

        let inside = Namespace::new().expect("namespace");
        s.networks.plug(plug_into(&inside, 7)).await.expect("plug");
        let found = s.networks.inside(inside.fd()).await.expect("inside");
        let eth0 = found.iter().find(|i| i.name == "eth0").expect("eth0");
        assert_eq!((eth0.hwaddr, eth0.mtu, eth0.up), (Some(mac(7)), 1500, false));
        assert_eq!((eth0.flavour, eth0.host_name.as_deref()), (Flavour::Broadcast, Some("veth00000007")));
        let lo = found.iter().find(|i| i.name == "lo").expect("lo");
        assert_eq!((lo.flavour, lo.host_name.as_deref()), (Flavour::Loopback, None));

        inside.dhcp(&s.dir, "eth0");
        let found = s.networks.inside(inside.fd()).await.expect("inside");
        let eth0 = found.iter().find(|i| i.name == "eth0").expect("eth0");
        let addresses = global(eth0);
        let [address] = addresses[..] else { panic!("{addresses:?}") };
        assert!(address.to_string().starts_with("10.77.1."));
        assert!(eth0.up && eth0.counters.bytes_received > 0 && eth0.counters.packets_sent > 0);

        let leases = s.networks.leases(&bridge).await.expect("leases");
        let [lease] = &leases[..] else { panic!("{leases:?}") };
        assert_eq!((lease.address, lease.hwaddr), (address, Some(mac(7))));
        s.networks.forget_leases(&bridge, &[mac(8)]).await.expect("not there");
        s.networks.forget_leases(&bridge, &[mac(7)]).await.expect("forget");
        eventually("the lease to go", async || {
            s.networks.leases(&bridge).await.expect("leases").is_empty().then_some(())
        })
        .await;
        assert!(s.server().is_some());
        let mode = |file: &str| {
            let meta = std::fs::metadata(bridge.dir.join(file)).expect("stat");
            std::os::unix::fs::PermissionsExt::mode(&meta.permissions()) & 0o777
        };
        assert_eq!(mode("dnsmasq.leases"), 0o600);
        assert_eq!(mode("dnsmasq.raw"), 0o600);
        assert_eq!(mode("dnsmasq.hosts"), 0o750);

        assert!(s.networks.unplug(&InterfaceName::veth(7)).await.expect("unplug"));
        assert!(!s.networks.unplug(&InterfaceName::veth(7)).await.expect("again"));
        s.networks.stop(&bridge.name, &bridge.dir).await.expect("stop");
    });
}

#[test]
fn reservations_give_addresses_and_names() {
    sandboxed("reservations_give_addresses_and_names", ALL, async |s| {
        let bridge = s.bridge(V4);
        s.networks.start(&bridge).await.expect("start");
        let wanted = Ipv4Addr::new(10, 77, 1, 99);
        let nics = vec![Reservation { hwaddr: mac(1), ipv4: Some(wanted), ipv6: None }];
        let first = Host { name: "first".parse().expect("name"), nics };
        s.networks.set_host(&bridge, first.clone()).await.expect("set");
        let inside = Namespace::new().expect("namespace");
        s.networks.plug(plug_into(&inside, 1)).await.expect("plug");
        inside.dhcp(&s.dir, "eth0");
        let found = s.networks.inside(inside.fd()).await.expect("inside");
        assert_eq!(global(&found[1]), [IpAddr::V4(wanted)]);
        let answer = inside.run(&["busybox", "nslookup", "first.lxd", "10.77.1.1"]);
        assert!(answer.contains("10.77.1.99"), "{answer}");

        let hosts = bridge.dir.join("dnsmasq.hosts");
        s.networks.sync_hosts(&bridge, vec![first.clone()]).await.expect("sync");
        assert!(hosts.join("first").exists());
        s.networks.remove_host(&bridge, &first.name).await.expect("remove");
        s.networks.remove_host(&bridge, &first.name).await.expect("again");
        assert!(!hosts.join("first").exists());
        s.networks.set_host(&bridge, first).await.expect("set");
        s.networks.sync_hosts(&bridge, Vec::new()).await.expect("sync");
        assert!(!hosts.join("first").exists());
        s.networks.stop(&bridge.name, &bridge.dir).await.expect("stop");
    });
}

#[test]
fn starting_again_disturbs_nobody() {
    sandboxed("starting_again_disturbs_nobody", ALL, async |s| {
        let bridge = s.bridge(V4);
        s.networks.start(&bridge).await.expect("start");
        let server = s.server().expect("server");
        let before = host(&["ip", "-o", "link", "show", "br0"]);
        let inside = Namespace::new().expect("namespace");
        s.networks.plug(plug_into(&inside, 1)).await.expect("plug");

        // As a daemon that comes back would: with a new connection.
        let again = network::Networks::open().expect("netlink");
        let started = again.start(&bridge).await.expect("again");
        assert!(!started.created && started.warnings.is_empty());
        assert_eq!(s.server(), Some(server));
        let index_and_mac = |text: &str| {
            let words: Vec<_> = text.split_whitespace().collect();
            let mac = words.iter().position(|w| *w == "link/ether").map(|at| words[at + 1].to_owned());
            (words[0].to_owned(), mac)
        };
        let after = host(&["ip", "-o", "link", "show", "br0"]);
        assert_eq!(index_and_mac(&after), index_and_mac(&before));
        assert!(index_and_mac(&after).1.is_some());

        // Another configuration replaces the server and repairs the rest in place.
        host(&["ip", "address", "add", "10.99.0.1/24", "dev", "br0"]);
        host(&["ip", "address", "del", "10.77.1.1/24", "dev", "br0"]);
        let keys =
            [V4, &[("bridge.mtu", "1400"), ("ipv4.routes", "10.200.0.0/16"), ("ipv4.dhcp.expiry", "2h")]]
                .concat();
        again.start(&s.bridge(&keys)).await.expect("changed");
        assert_ne!(s.server(), Some(server));
        let addresses = host(&["ip", "-4", "-o", "address", "show", "br0"]);
        assert!(addresses.contains("10.77.1.1/24") && !addresses.contains("10.99"), "{addresses}");
        assert!(host(&["ip", "route"]).contains("10.200.0.0/16 dev br0"));
        let link = host(&["ip", "-o", "link", "show", "br0"]);
        assert!(link.contains("mtu 1400"), "{link}");
        assert_eq!(index_and_mac(&link), index_and_mac(&before));
        again.start(&bridge).await.expect("changed back");
        assert!(!host(&["ip", "route"]).contains("10.200"));

        // A server that died is started again.
        let dead = rustix::process::Pid::from_raw(s.server().expect("server")).expect("pid");
        rustix::process::kill_process(dead, rustix::process::Signal::KILL).expect("kill");
        eventually("the server to end", async || {
            let gone = rustix::process::test_kill_process(dead).is_err()
                || std::fs::read(format!("/proc/{}/cmdline", dead.as_raw_nonzero()))
                    .is_ok_and(|c| c.is_empty());
            gone.then_some(())
        })
        .await;
        again.start(&bridge).await.expect("repaired");
        assert_ne!(s.server(), Some(dead.as_raw_nonzero().get()));
        s.networks.stop(&bridge.name, &bridge.dir).await.expect("stop");
    });
}

#[test]
fn a_half_made_bridge_is_repaired_and_keeps_its_address() {
    sandboxed("a_half_made_bridge_is_repaired_and_keeps_its_address", ALL, async |s| {
        let mac_of = || {
            let text = host(&["ip", "-o", "link", "show", "br0"]);
            text.split("link/ether ").nth(1).and_then(|t| t.split(' ').next()).map(str::to_owned)
        };
        // What a daemon leaves that was killed right after its first step.
        host(&["ip", "link", "add", "br0", "type", "bridge"]);
        let before = mac_of().expect("address");
        let bridge = s.bridge(V4);
        let started = s.networks.start(&bridge).await.expect("start");
        assert!(!started.created && s.networks.is_up(&bridge.name).await.expect("answer"));
        let inside: Vec<_> = (0..6).map(|_| Namespace::new().expect("namespace")).collect();
        for (number, inside) in (0_u32..).zip(&inside) {
            s.networks.plug(plug_into(inside, number)).await.expect("plug");
        }
        assert_eq!(mac_of().expect("address"), before);
        let chosen = s.bridge(&[V4, &[("bridge.hwaddr", "00:16:3e:aa:bb:cc")]].concat());
        s.networks.start(&chosen).await.expect("changed");
        assert_eq!(mac_of().as_deref(), Some("00:16:3e:aa:bb:cc"));
        s.networks.stop(&bridge.name, &bridge.dir).await.expect("stop");
    });
}

#[test]
fn stopping_leaves_nothing() {
    sandboxed("stopping_leaves_nothing", ALL, async |s| {
        let bridge = s.bridge(V4);
        s.networks.start(&bridge).await.expect("start");
        let table = tools::nft::list_table("inet", "lxd_br0").await.expect("nft").expect("table");
        for rule in
            ["ip saddr 10.77.1.0/24 ip daddr != 10.77.1.0/24 masquerade", "udp dport { 53, 67 } accept"]
        {
            assert!(table.contains(rule), "{table}");
        }
        assert_eq!(std::fs::read_to_string("/proc/sys/net/ipv4/ip_forward").expect("read").trim(), "1");
        let server = s.server().expect("server");
        s.networks.stop(&bridge.name, &bridge.dir).await.expect("stop");
        assert_eq!(tools::nft::list_table("inet", "lxd_br0").await.expect("nft"), None);
        assert!(!s.networks.is_up(&bridge.name).await.expect("answer"));
        let command = std::fs::read(format!("/proc/{server}/cmdline")).unwrap_or_default();
        assert!(command.is_empty(), "the server still runs");
        assert_eq!(s.server(), None);
        s.networks.stop(&bridge.name, &bridge.dir).await.expect("again");
    });
}

#[test]
fn a_start_that_fails_leaves_nothing() {
    sandboxed("a_start_that_fails_leaves_nothing", ALL, async |s| {
        let broken = s.bridge(&[V4, &[("raw.dnsmasq", "no-such-option\n")]].concat());
        let error = s.networks.start(&broken).await.expect_err("broken");
        assert!(matches!(&error, StartError::Dnsmasq(DnsmasqError::Start { .. })), "{error:?}");
        let reason = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        assert!(reason.contains("dnsmasq.raw"), "{reason}");
        let left = s.networks.host_interfaces().await.expect("list");
        assert_eq!(left.iter().map(|i| i.name.as_str()).collect::<Vec<_>>(), ["lo"]);
        assert_eq!(tools::nft::list_table("inet", "lxd_br0").await.expect("nft"), None);

        // The same on a bridge that was up before: it stays.
        s.networks.start(&s.bridge(V4)).await.expect("start");
        s.networks.start(&broken).await.expect_err("broken");
        assert!(s.networks.is_up(&broken.name).await.expect("answer"));
        s.networks.stop(&broken.name, &broken.dir).await.expect("stop");

        let auto = s.bridge(&[("ipv4.address", "auto")]);
        let error = s.networks.start(&auto).await.expect_err("auto");
        assert!(matches!(error, StartError::NoSubnet { family: "IPv4", .. }), "{error}");
        host(&["ip", "link", "add", "br0", "type", "veth", "peer", "name", "d1"]);
        let error = s.networks.start(&s.bridge(V4)).await.expect_err("no bridge");
        assert!(matches!(error, StartError::NotABridge { .. }), "{error}");
        s.networks.stop(&broken.name, &broken.dir).await.expect("stop");
        let left = s.networks.host_interfaces().await.expect("list");
        assert!(left.iter().any(|i| i.name == "br0"), "somebody else's interface is left alone");
    });
}

#[test]
fn ipv6_by_advertisements() {
    sandboxed("ipv6_by_advertisements", ALL, async |s| {
        if !std::path::Path::new("/proc/sys/net/ipv6").exists() {
            eprintln!("SKIP ipv6_by_advertisements: this kernel has no IPv6");
            return;
        }
        let bridge = s.bridge(&[("ipv6.address", "fd42:77::1/64"), ("ipv6.nat", "true")]);
        let started = s.networks.start(&bridge).await.expect("start");
        assert!(started.warnings.is_empty(), "{:?}", started.warnings);
        assert_eq!(
            std::fs::read_to_string("/proc/sys/net/ipv6/conf/all/forwarding").expect("read").trim(),
            "1"
        );
        let inside = Namespace::new().expect("namespace");
        s.networks.plug(plug_into(&inside, 1)).await.expect("plug");
        inside.run(&["ip", "link", "set", "eth0", "up"]);
        eventually("an advertised address", async || {
            let found = s.networks.inside(inside.fd()).await.expect("inside");
            let addresses = found.iter().flat_map(global).map(|a| a.to_string());
            addresses.into_iter().any(|a| a.starts_with("fd42:77:")).then_some(())
        })
        .await;
        // The host's end has no address at all.
        assert_eq!(host(&["ip", "-6", "-o", "address", "show", "veth00000001"]), "");
        s.networks.stop(&bridge.name, &bridge.dir).await.expect("stop");
    });
}

#[test]
fn plugs_that_fail_leave_nothing() {
    sandboxed("plugs_that_fail_leave_nothing", BASIC, async |s| {
        let inside = Namespace::new().expect("namespace");
        let error = s.networks.plug(plug_into(&inside, 1)).await.expect_err("no bridge");
        assert!(matches!(error, PlugError::NoBridge { .. }), "{error}");
        let lo = Some(InterfaceName::parse("lo").expect("name"));
        let error = s.networks.plug(Plug { bridge: lo, ..plug_into(&inside, 1) }).await.expect_err("lo");
        assert!(matches!(error, PlugError::NotABridge { .. }), "{error}");

        host(&["ip", "link", "add", "br0", "type", "bridge"]);
        let null = File::open("/dev/null").expect("open");
        let error = s.networks.plug(Plug { netns: null.as_fd(), ..plug_into(&inside, 1) }).await;
        assert!(matches!(error, Err(PlugError::Kernel { .. })), "{error:?}");
        s.networks.plug(plug_into(&inside, 1)).await.expect("plug");
        for taken in [plug_into(&inside, 1), plug_into(&inside, 2)] {
            let error = s.networks.plug(taken).await.expect_err("taken");
            assert!(matches!(error, PlugError::NameTaken { .. }), "{error:?}");
        }
        let mtu = Plug { mtu: Some(10), host_name: InterfaceName::veth(3), ..plug_into(&inside, 3) };
        let inside_name = InterfaceName::parse("eth1").expect("name");
        let error = s.networks.plug(Plug { inside_name, ..mtu }).await.expect_err("mtu");
        assert!(matches!(error, PlugError::Kernel { .. }), "{error:?}");
        let names: Vec<_> =
            s.networks.host_interfaces().await.expect("list").into_iter().map(|i| i.name).collect();
        assert_eq!(names, ["br0", "lo", "veth00000001"]);
        assert_eq!(s.networks.inside(inside.fd()).await.expect("inside").len(), 2);
    });
}

#[test]
fn pairs_take_mtu_and_need_no_bridge() {
    sandboxed("pairs_take_mtu_and_need_no_bridge", BASIC, async |s| {
        let inside = Namespace::new().expect("namespace");
        let plug = Plug { bridge: None, mtu: Some(1300), ..plug_into(&inside, 5) };
        s.networks.plug(plug).await.expect("plug");
        let found = s.networks.inside(inside.fd()).await.expect("inside");
        let eth0 = found.iter().find(|i| i.name == "eth0").expect("eth0");
        assert_eq!((eth0.mtu, eth0.host_name.as_deref()), (1300, Some("veth00000005")));
        let outside = s.networks.host_interfaces().await.expect("list");
        let veth = outside.iter().find(|i| i.name == "veth00000005").expect("veth");
        assert_eq!((veth.up, veth.mtu, veth.controller), (true, 1300, None));
        // Once the namespace is gone, so is the pair.
        drop(inside);
        eventually("the pair to go", async || {
            (!s.networks.unplug(&InterfaceName::veth(5)).await.expect("unplug")).then_some(())
        })
        .await;
    });
}

#[test]
fn many_namespaces_are_read_at_once() {
    sandboxed("many_namespaces_are_read_at_once", BASIC, async |s| {
        host(&["ip", "link", "add", "br0", "type", "bridge"]);
        let all: Vec<_> = (0..10).map(|_| Namespace::new().expect("namespace")).collect();
        for (number, inside) in (0_u32..).zip(&all) {
            s.networks.plug(plug_into(inside, number)).await.expect("plug");
        }
        let mut tasks = Vec::new();
        for inside in &all {
            let (networks, netns) = (s.networks.clone(), inside.fd().try_clone_to_owned().expect("dup"));
            tasks.push(tokio::spawn(async move { networks.inside(netns.as_fd()).await }));
        }
        for (number, task) in (0_u32..).zip(tasks) {
            let found = task.await.expect("task").expect("inside");
            assert_eq!(found[1].host_name, Some(InterfaceName::veth(number).to_string()));
            assert_eq!(found[1].hwaddr, Some(mac(number)));
        }
        let null = File::open("/dev/null").expect("open");
        let error = s.networks.inside(null.as_fd()).await.expect_err("no namespace");
        assert!(matches!(error, NetlinkError::Refused { .. }), "{error:?}");
    });
}

#[test]
fn interfaces_of_the_host_have_types() {
    sandboxed("interfaces_of_the_host_have_types", BASIC, async |s| {
        host(&["ip", "link", "add", "br0", "type", "bridge"]);
        host(&["ip", "link", "add", "d0", "type", "veth", "peer", "name", "d1"]);
        let all = s.networks.host_interfaces().await.expect("list");
        let kinds: Vec<_> = all.iter().map(|i| (i.name.as_str(), i.kind)).collect();
        assert_eq!(
            kinds,
            [
                ("br0", HostKind::Bridge),
                ("d0", HostKind::Unknown),
                ("d1", HostKind::Unknown),
                ("lo", HostKind::Loopback)
            ]
        );
        assert_eq!(HostKind::Bridge.as_str(), "bridge");
    });
}

#[test]
fn subnets_in_use_are_not_chosen() {
    sandboxed("subnets_in_use_are_not_chosen", BASIC, async |s| {
        host(&["ip", "link", "add", "d0", "type", "veth", "peer", "name", "d1"]);
        host(&["ip", "address", "add", "10.1.0.1/16", "dev", "d0"]);
        host(&["ip", "link", "set", "d0", "up"]);
        host(&["ip", "route", "add", "10.2.0.0/16", "dev", "d0"]);
        let mut numbers = [0x0001_u64, 0x0002, 0x0903].into_iter();
        let config = [("ipv6.address", "none")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let chosen = s
            .networks
            .choose_subnets(config, true, move || numbers.next().expect("asked too often"))
            .await
            .expect("free");
        assert_eq!(chosen["ipv4.address"], "10.3.9.1/24");
        assert_eq!(chosen["ipv4.nat"], "true");
        assert_eq!(chosen["ipv6.address"], "none");
    });
}

#[test]
fn warnings_say_what_does_not_work() {
    let reason = tools::RunError::NotFound { program: "nft".into(), package: Some("nftables") };
    let warning = Warning::NoFirewall { network: "br0".into(), reason };
    assert_eq!(
        warning.to_string(),
        "The network br0 has no firewall rules and no address translation: \
         nft is not installed: install the package nftables"
    );
}
