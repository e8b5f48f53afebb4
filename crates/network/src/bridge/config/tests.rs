//! Configurations, good and bad.

use super::*;

fn config(keys: &[(&str, &str)]) -> BTreeMap<String, String> {
    keys.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn parse(keys: &[(&str, &str)]) -> Result<BridgeConfig, ConfigError> {
    BridgeConfig::parse(&config(keys))
}

#[test]
fn nothing_set() {
    let bridge = parse(&[]).expect("empty");
    assert_eq!((bridge.ipv4, bridge.ipv6, bridge.mtu, bridge.hwaddr), (None, None, None, None));
    assert_eq!((bridge.dns_domain.as_str(), bridge.dns_mode), ("lxd", DnsMode::Managed));
    assert_eq!(parse(&[("ipv4.address", ""), ("bridge.mtu", "")]), parse(&[]));
}

#[test]
fn everything_set() {
    let bridge = parse(&[
        ("bridge.driver", "native"),
        ("bridge.mode", "standard"),
        ("bridge.hwaddr", "00:16:3e:00:00:01"),
        ("bridge.mtu", "1400"),
        ("dns.domain", "in.example"),
        ("dns.mode", "dynamic"),
        ("ipv4.address", "10.1.2.1/24"),
        ("ipv4.nat", "Yes"),
        ("ipv4.firewall", "false"),
        ("ipv4.dhcp.expiry", "45m"),
        ("ipv4.dhcp.gateway", "10.1.2.254"),
        ("ipv4.dhcp.ranges", "10.1.2.10-10.1.2.20, 10.1.2.30-10.1.2.30"),
        ("ipv4.routes", "10.9.0.0/16"),
        ("ipv6.address", "auto"),
        ("ipv6.dhcp.stateful", "true"),
        ("ipv6.routing", "0"),
        ("raw.dnsmasq", "log-dhcp\n"),
        ("user.note", "anything"),
    ])
    .expect("good");
    let v4 = bridge.ipv4.expect("v4");
    assert_eq!(v4.address.fixed().map(|n| n.to_string()).as_deref(), Some("10.1.2.1/24"));
    assert!(v4.nat && !v4.firewall && v4.routing);
    let dhcp = v4.dhcp.expect("dhcp");
    assert_eq!((dhcp.expiry.as_str(), dhcp.ranges.len()), ("45m", 2));
    assert_eq!(dhcp.ranges[0].to_string(), "10.1.2.10,10.1.2.20");
    assert_eq!(v4.routes.len(), 1);
    let v6 = bridge.ipv6.expect("v6");
    assert_eq!(v6.address, Subnet::Auto);
    assert!(!v6.routing && matches!(v6.dhcp, Some(Dhcp6::Stateful(_))));
    assert_eq!((bridge.mtu, bridge.raw_dnsmasq.as_str()), (Some(1400), "log-dhcp\n"));
}

#[test]
fn keys_that_do_not_exist_or_not_here() {
    let error = parse(&[("ipv4.adress", "auto")]).expect_err("unknown");
    assert_eq!(error.to_string(), "Invalid network configuration key: ipv4.adress");
    for key in ["tunnel.a.b.c", "tunnel.a", "tunnel..id", "tunnel.a.colour", "userx", "IPV4.NAT"] {
        assert!(matches!(parse(&[(key, "1")]), Err(ConfigError::UnknownKey { .. })), "{key}");
    }
    for (key, value) in [
        ("bridge.driver", "openvswitch"),
        ("bridge.mode", "fan"),
        ("bridge.external_interfaces", "eth1"),
        ("fan.type", "vxlan"),
        ("tunnel.a.protocol", "gre"),
    ] {
        let error = parse(&[(key, value)]).expect_err(key);
        assert!(matches!(error, ConfigError::Unsupported { .. }), "{error}");
        assert!(error.to_string().contains("not supported by this version"), "{error}");
    }
}

#[test]
fn values_that_cannot_be() {
    for (key, value) in [
        ("ipv4.address", "10.1.2.1"),
        ("ipv4.address", "10.1.2.0/24"),
        ("ipv4.address", "10.1.2.255/24"),
        ("ipv4.address", "10.1.2.1/31"),
        ("ipv4.address", "fd42::1/64"),
        ("ipv4.address", "224.0.0.1/24"),
        ("ipv6.address", "fd42::/64"),
        ("ipv6.address", "10.1.2.1/24"),
        ("ipv6.address", "ff02::1/64"),
        ("ipv4.nat", "maybe"),
        ("ipv4.dhcp.ranges", "10.0.0.9-10.0.0.2"),
        ("ipv4.dhcp.ranges", "10.0.0.9"),
        ("ipv4.dhcp.ranges", "10.0.0.2-10.0.0.9,x"),
        ("ipv4.dhcp.expiry", "1h\nport=0"),
        ("ipv4.dhcp.expiry", "h"),
        ("ipv4.dhcp.gateway", "gw"),
        ("ipv4.routes", "10.0.0.0"),
        ("dns.mode", "all"),
        ("dns.domain", "a b"),
        ("dns.domain", "lxd/x"),
        ("dns.domain", "-x"),
        ("bridge.mtu", "67"),
        ("bridge.mtu", "70000"),
        ("bridge.mtu", "big"),
        ("bridge.hwaddr", "00:16:3e"),
    ] {
        let error = parse(&[(key, value)]).expect_err(value);
        assert!(matches!(&error, ConfigError::Invalid { key: k, .. } if k == key), "{error}");
    }
    assert!(parse(&[("bridge.mtu", "1279")]).is_ok());
    assert!(parse(&[("bridge.mtu", "1279"), ("ipv6.address", "auto")]).is_err());
}

#[test]
fn a_family_that_is_off_is_checked_all_the_same() {
    assert!(parse(&[("ipv4.address", "none"), ("ipv4.nat", "maybe")]).is_err());
    assert_eq!(parse(&[("ipv4.address", "none"), ("ipv4.nat", "true")]).expect("off").ipv4, None);
}
