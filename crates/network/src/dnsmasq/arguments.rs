//! The command line of a bridge's dnsmasq, as a function of its configuration.

use crate::bridge::{Bridge, Dhcp6, DnsMode, Ipv4, Ipv6, Range};
use std::net::{Ipv4Addr, Ipv6Addr};

/// What the command line needs to know of the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct HostFacts {
    /// The user and group it runs as; `None`: its own choice.
    pub(super) account: Option<(String, String)>,
    /// `/etc/resolv.conf` exists.
    pub(super) has_resolv_conf: bool,
}

/// The arguments, or `None` when the bridge has no addresses to serve.
pub(super) fn arguments(bridge: &Bridge, host: &HostFacts) -> Option<Vec<String>> {
    let config = &bridge.config;
    let v4 = config.ipv4.as_ref().and_then(|v4| Some((v4, v4.address.fixed()?.addr())));
    let v6 = config.ipv6.as_ref().and_then(|v6| Some((v6, v6.address.fixed()?.addr())));
    if v4.is_none() && v6.is_none() {
        return None;
    }
    let dir = bridge.dir.display();
    let mut args = vec![
        "--strict-order".to_owned(),
        "--bind-interfaces".to_owned(),
        format!("--pid-file={dir}/dnsmasq.pid"),
        "--except-interface=lo".to_owned(),
        format!("--interface={}", bridge.name),
        // Asking the network before each offer would cost every new container three seconds.
        "--no-ping".to_owned(),
        "--quiet-dhcp".to_owned(),
        "--quiet-dhcp6".to_owned(),
        "--quiet-ra".to_owned(),
    ];
    let stateful = |v6: &Ipv6| matches!(v6.dhcp, Some(Dhcp6::Stateful(_)));
    if v4.is_some_and(|(v4, _)| v4.dhcp.is_some()) || v6.is_some_and(|(v6, _)| stateful(v6)) {
        args.push("--dhcp-no-override".to_owned());
        args.push("--dhcp-authoritative".to_owned());
        args.push("--dhcp-rapid-commit".to_owned());
        args.push(format!("--dhcp-leasefile={dir}/dnsmasq.leases"));
        args.push(format!("--dhcp-hostsfile={dir}/dnsmasq.hosts"));
    }
    if let Some((v4, address)) = v4 {
        args.push(format!("--listen-address={address}"));
        args.extend(ipv4(v4));
    }
    if let Some((v6, address)) = v6 {
        args.push(format!("--listen-address={address}"));
        args.push("--enable-ra".to_owned());
        args.extend(ipv6(v6, bridge.name.as_str()));
    }
    if config.dns_mode != DnsMode::None {
        args.push(format!("--domain={}", config.dns_domain));
        args.push(format!("--server=/{}/", config.dns_domain));
    }
    if !host.has_resolv_conf {
        args.push("--no-resolv".to_owned());
    }
    args.push(format!("--conf-file={dir}/dnsmasq.raw"));
    if let Some((user, group)) = &host.account {
        args.push(format!("--user={user}"));
        args.push(format!("--group={group}"));
    }
    Some(args)
}

fn ipv4(v4: &Ipv4) -> Vec<String> {
    let (Some(dhcp), Some(net)) = (&v4.dhcp, v4.address.fixed()) else { return Vec::new() };
    let mut args: Vec<String> =
        dhcp.gateway.iter().map(|gateway| format!("--dhcp-option=option:router,{gateway}")).collect();
    let whole = Range {
        first: Ipv4Addr::from(u32::from(net.network()).saturating_add(2)),
        last: Ipv4Addr::from(u32::from(net.broadcast()).saturating_sub(1)),
    };
    let ranges = if dhcp.ranges.is_empty() { std::slice::from_ref(&whole) } else { &dhcp.ranges };
    args.extend(ranges.iter().map(|range| format!("--dhcp-range={range},{}", dhcp.expiry)));
    args
}

fn ipv6(v6: &Ipv6, name: &str) -> Vec<String> {
    let Some(net) = v6.address.fixed() else { return Vec::new() };
    match &v6.dhcp {
        // Without the firewall's consent DHCP would go unanswered; advertisements get through.
        Some(_) if !v6.firewall => vec![format!("--dhcp-range=::,constructor:{name},ra-only")],
        None => vec![format!("--dhcp-range=::,constructor:{name},ra-only")],
        Some(Dhcp6::Stateless) => vec![format!("--dhcp-range=::,constructor:{name},ra-stateless,ra-names")],
        Some(Dhcp6::Stateful(dhcp)) => {
            let whole = Range {
                first: Ipv6Addr::from(u128::from(net.network()).saturating_add(2)),
                last: net.broadcast(),
            };
            let ranges = if dhcp.ranges.is_empty() { std::slice::from_ref(&whole) } else { &dhcp.ranges };
            let prefix = net.prefix_len().max(64);
            let line = |range: &Range<Ipv6Addr>| format!("--dhcp-range={range},{prefix},{}", dhcp.expiry);
            ranges.iter().map(line).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::BridgeConfig;
    use model::names::NetworkName;

    fn args(keys: &[(&str, &str)]) -> Option<Vec<String>> {
        let config = keys.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let bridge = Bridge {
            name: NetworkName::parse("br0").expect("name"),
            config: BridgeConfig::parse(&config).expect("configuration"),
            dir: "/var/n".into(),
        };
        let account = Some(("nobody".to_owned(), "nogroup".to_owned()));
        arguments(&bridge, &HostFacts { account, has_resolv_conf: true })
    }

    #[test]
    fn nothing_to_serve() {
        assert_eq!(args(&[]), None);
        assert_eq!(args(&[("ipv4.address", "auto")]), None);
    }

    #[test]
    fn the_usual_bridge() {
        let args = args(&[("ipv4.address", "10.1.2.1/24")]).expect("served");
        assert_eq!(
            args,
            [
                "--strict-order",
                "--bind-interfaces",
                "--pid-file=/var/n/dnsmasq.pid",
                "--except-interface=lo",
                "--interface=br0",
                "--no-ping",
                "--quiet-dhcp",
                "--quiet-dhcp6",
                "--quiet-ra",
                "--dhcp-no-override",
                "--dhcp-authoritative",
                "--dhcp-rapid-commit",
                "--dhcp-leasefile=/var/n/dnsmasq.leases",
                "--dhcp-hostsfile=/var/n/dnsmasq.hosts",
                "--listen-address=10.1.2.1",
                "--dhcp-range=10.1.2.2,10.1.2.254,1h",
                "--domain=lxd",
                "--server=/lxd/",
                "--conf-file=/var/n/dnsmasq.raw",
                "--user=nobody",
                "--group=nogroup",
            ]
        );
    }

    #[test]
    fn each_key_matters() {
        let has = |keys: &[(&str, &str)], arg: &str| {
            let args = args(keys).expect("served");
            args.iter().any(|a| a == arg)
        };
        let v4 = ("ipv4.address", "10.1.2.1/24");
        let v6 = ("ipv6.address", "fd42:1::1/64");
        assert!(has(&[v4, ("ipv4.dhcp.gateway", "10.1.2.9")], "--dhcp-option=option:router,10.1.2.9"));
        let ranges = [v4, ("ipv4.dhcp.ranges", "10.1.2.5-10.1.2.6"), ("ipv4.dhcp.expiry", "2d")];
        assert!(has(&ranges, "--dhcp-range=10.1.2.5,10.1.2.6,2d"));
        assert!(!has(&[v4, ("ipv4.dhcp", "false")], "--dhcp-authoritative"));
        assert!(!has(&[v4, ("dns.mode", "none")], "--domain=lxd"));
        assert!(has(&[v6], "--dhcp-range=::,constructor:br0,ra-stateless,ra-names"));
        assert!(has(&[v6, ("ipv6.dhcp", "false")], "--dhcp-range=::,constructor:br0,ra-only"));
        assert!(has(&[v6, ("ipv6.firewall", "false")], "--dhcp-range=::,constructor:br0,ra-only"));
        let stateful = [v6, ("ipv6.dhcp.stateful", "true")];
        assert!(has(&stateful, "--dhcp-range=fd42:1::2,fd42:1::ffff:ffff:ffff:ffff,64,1h"));
        assert!(has(&stateful, "--dhcp-authoritative"));
    }
}
