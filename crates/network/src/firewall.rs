//! Rules for nftables. Each bridge has one table of its own that is replaced as a whole, so that
//! nobody else's rules are ever read or touched.

use crate::bridge::{BridgeConfig, Dhcp6};
use model::names::NetworkName;
use std::fmt::Write as _;
use tools::RunError;

/// What became of the rules.
#[derive(Debug)]
pub(crate) enum Applied {
    /// They are in force.
    All,
    /// The kernel or `nft` cannot do address translation; the other rules are in force.
    WithoutNat(RunError),
    /// No rule is in force.
    Nothing(RunError),
}

/// The name of a bridge's table, of family `inet`.
#[must_use]
pub fn table(name: &NetworkName) -> String {
    format!("lxd_{name}")
}

/// The rules of a bridge, or `None` when it needs none. Subnets that are still to be chosen get
/// no rules.
///
/// What arrives for DHCP and DNS is accepted, forwarding accepted or refused, and what leaves the
/// subnet is given the host's address, each as far as the configuration says.
#[must_use]
pub fn render(name: &NetworkName, config: &BridgeConfig) -> Option<String> {
    Rules::of(name, config, true).text(name)
}

/// The lines of each chain.
#[derive(Default)]
struct Rules {
    input: Vec<String>,
    output: Vec<String>,
    forward: Vec<String>,
    postrouting: Vec<String>,
}

impl Rules {
    fn of(name: &NetworkName, config: &BridgeConfig, nat: bool) -> Self {
        let mut rules = Self::default();
        if let Some(v4) = &config.ipv4 {
            if v4.firewall {
                rules.services(name, "ipv4", 67, v4.dhcp.is_some());
                rules.forwarding(name, "ipv4", v4.routing);
            }
            if let (true, true, Some(net)) = (nat, v4.nat, v4.address.fixed()) {
                let net = net.trunc();
                rules.postrouting.push(format!("ip saddr {net} ip daddr != {net} masquerade"));
            }
        }
        if let Some(v6) = &config.ipv6 {
            if v6.firewall {
                rules.services(
                    name,
                    "ipv6",
                    547,
                    matches!(v6.dhcp, Some(Dhcp6::Stateless | Dhcp6::Stateful(_))),
                );
                rules.forwarding(name, "ipv6", v6.routing);
            }
            if let (true, true, Some(net)) = (nat, v6.nat, v6.address.fixed()) {
                let net = net.trunc();
                rules.postrouting.push(format!("ip6 saddr {net} ip6 daddr != {net} masquerade"));
            }
        }
        rules
    }

    fn services(&mut self, name: &NetworkName, family: &str, port: u16, wanted: bool) {
        if wanted {
            let side = |direction: &str, end: &str, protocol: &str, ports: &str| {
                format!("{direction} \"{name}\" meta nfproto {family} {protocol} {end} {ports} accept")
            };
            let both = format!("{{ 53, {port} }}");
            self.input.push(side("iifname", "dport", "udp", &both));
            self.input.push(side("iifname", "dport", "tcp", "53"));
            self.output.push(side("oifname", "sport", "udp", &both));
            self.output.push(side("oifname", "sport", "tcp", "53"));
        }
    }

    fn forwarding(&mut self, name: &NetworkName, family: &str, wanted: bool) {
        let verdict = if wanted { "accept" } else { "reject" };
        if !wanted {
            // With br_netfilter, what goes from one port of the bridge to another passes here as
            // well; that is not routed.
            self.forward.push(format!("iifname \"{name}\" oifname \"{name}\" meta nfproto {family} accept"));
        }
        for direction in ["iifname", "oifname"] {
            self.forward.push(format!("{direction} \"{name}\" meta nfproto {family} {verdict}"));
        }
    }

    /// One transaction: the table is made (so that it can be deleted), deleted, and made anew.
    fn text(&self, name: &NetworkName) -> Option<String> {
        let chains = [
            ("input", "filter hook input priority filter", &self.input),
            ("output", "filter hook output priority filter", &self.output),
            ("forward", "filter hook forward priority filter", &self.forward),
            ("postrouting", "nat hook postrouting priority srcnat", &self.postrouting),
        ];
        if chains.iter().all(|(_, _, lines)| lines.is_empty()) {
            return None;
        }
        let table = table(name);
        let mut text = format!("table inet {table}\ndelete table inet {table}\ntable inet {table} {{\n");
        for (chain, hook, lines) in chains {
            if lines.is_empty() {
                continue;
            }
            // Writing to a string cannot fail.
            let _ = writeln!(text, "\tchain {chain} {{\n\t\ttype {hook}; policy accept;");
            for line in lines {
                let _ = writeln!(text, "\t\t{line}");
            }
            text.push_str("\t}\n");
        }
        text.push_str("}\n");
        Some(text)
    }
}

/// Puts a bridge's rules in force, replacing those of before.
pub(crate) async fn apply(name: &NetworkName, config: &BridgeConfig) -> Applied {
    if render(name, config).is_some() {
        return load(name, config, async |rules| tools::nft::apply(&rules).await).await;
    }
    match remove(name).await {
        // Nothing wanted, and no program that could have made anything.
        Ok(()) | Err(RunError::NotFound { .. }) => Applied::All,
        Err(error) => Applied::Nothing(error),
    }
}

/// Tries all rules, then those without address translation.
async fn load(
    name: &NetworkName,
    config: &BridgeConfig,
    try_rules: impl AsyncFn(String) -> Result<(), RunError>,
) -> Applied {
    let mut failure = None;
    for nat in [true, false] {
        let Some(rules) = Rules::of(name, config, nat).text(name) else { continue };
        match (try_rules(rules).await, failure) {
            (Ok(()), None) => return Applied::All,
            (Ok(()), Some(error)) => return Applied::WithoutNat(error),
            (Err(error), before) => failure = before.or(Some(error)),
        }
    }
    failure.map_or(Applied::All, Applied::Nothing)
}

/// Takes a bridge's rules away; having none is fine.
pub(crate) async fn remove(name: &NetworkName) -> Result<(), RunError> {
    let table = table(name);
    tools::nft::apply(&format!("table inet {table}\ndelete table inet {table}\n")).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(keys: &[(&str, &str)]) -> Option<String> {
        let config = keys.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let name = NetworkName::parse("lxdbr0").expect("name");
        render(&name, &BridgeConfig::parse(&config).expect("configuration"))
    }

    #[test]
    fn the_usual_bridge() {
        let text = rendered(&[("ipv4.address", "10.1.2.1/24"), ("ipv4.nat", "true")]).expect("rules");
        let expected = "table inet lxd_lxdbr0
delete table inet lxd_lxdbr0
table inet lxd_lxdbr0 {
\tchain input {
\t\ttype filter hook input priority filter; policy accept;
\t\tiifname \"lxdbr0\" meta nfproto ipv4 udp dport { 53, 67 } accept
\t\tiifname \"lxdbr0\" meta nfproto ipv4 tcp dport 53 accept
\t}
\tchain output {
\t\ttype filter hook output priority filter; policy accept;
\t\toifname \"lxdbr0\" meta nfproto ipv4 udp sport { 53, 67 } accept
\t\toifname \"lxdbr0\" meta nfproto ipv4 tcp sport 53 accept
\t}
\tchain forward {
\t\ttype filter hook forward priority filter; policy accept;
\t\tiifname \"lxdbr0\" meta nfproto ipv4 accept
\t\toifname \"lxdbr0\" meta nfproto ipv4 accept
\t}
\tchain postrouting {
\t\ttype nat hook postrouting priority srcnat; policy accept;
\t\tip saddr 10.1.2.0/24 ip daddr != 10.1.2.0/24 masquerade
\t}
}
";
        assert_eq!(text, expected);
    }

    #[tokio::test]
    async fn a_kernel_without_address_translation() {
        let name = NetworkName::parse("lxdbr0").expect("name");
        let outcome = async |keys: &[(&str, &str)], refused: &str| {
            let config = keys.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            let config = BridgeConfig::parse(&config).expect("configuration");
            let missing = || RunError::NotFound { program: "nft".into(), package: None };
            let try_rules =
                async |rules: String| if rules.contains(refused) { Err(missing()) } else { Ok(()) };
            match load(&name, &config, try_rules).await {
                Applied::All => "all",
                Applied::WithoutNat(_) => "without nat",
                Applied::Nothing(_) => "nothing",
            }
        };
        let v4 = ("ipv4.address", "10.1.2.1/24");
        let nat = ("ipv4.nat", "true");
        assert_eq!(outcome(&[v4, nat], "no such word").await, "all");
        assert_eq!(outcome(&[v4, nat], "masquerade").await, "without nat");
        assert_eq!(outcome(&[v4, nat], "table").await, "nothing");
        assert_eq!(outcome(&[v4], "table").await, "nothing");
        // Nothing but translation is wanted: without it no rule is left.
        assert_eq!(outcome(&[v4, nat, ("ipv4.firewall", "false")], "masquerade").await, "nothing");
    }

    #[test]
    fn each_key_matters() {
        assert_eq!(rendered(&[]), None);
        assert_eq!(rendered(&[("ipv4.address", "10.1.2.1/24"), ("ipv4.firewall", "false")]), None);
        let text = rendered(&[("ipv4.address", "10.1.2.1/24"), ("ipv4.routing", "false")]).expect("rules");
        assert!(text.contains("oifname \"lxdbr0\" meta nfproto ipv4 reject") && !text.contains("nat"));
        let among = text.find("iifname \"lxdbr0\" oifname \"lxdbr0\" meta nfproto ipv4 accept");
        assert!(among.is_some() && among < text.find("reject"), "{text}");
        let text = rendered(&[("ipv4.address", "10.1.2.1/24"), ("ipv4.dhcp", "false")]).expect("rules");
        assert!(!text.contains("chain input"));
        let keys = [("ipv6.address", "fd42::1/64"), ("ipv6.nat", "true"), ("ipv6.firewall", "false")];
        let text = rendered(&keys).expect("rules");
        assert!(text.contains("ip6 saddr fd42::/64 ip6 daddr != fd42::/64 masquerade"));
        assert!(!text.contains("chain forward"));
        let text = rendered(&[("ipv6.address", "fd42::1/64")]).expect("rules");
        assert!(text.contains("meta nfproto ipv6 udp dport { 53, 547 } accept"));
    }
}
