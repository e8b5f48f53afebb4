//! What a configuration becomes before it is stored: `auto` is replaced by a free subnet.

use crate::subnet::{NoFreeSubnet, pick_ipv4, pick_ipv6};
use ipnet::IpNet;
use std::collections::BTreeMap;

/// What is known of the host.
pub(crate) struct Host {
    /// Subnets that are routed or configured.
    pub(crate) used: Vec<IpNet>,
    /// New interfaces get IPv6.
    pub(crate) ipv6: bool,
}

/// Fills in `config`. A network that is being created gets addresses unless they were chosen, and
/// translates what leaves subnets that were made up for it, as nobody else could route them.
pub(crate) fn fill(
    mut config: BTreeMap<String, String>,
    creating: bool,
    host: &Host,
    mut random: impl FnMut() -> u64,
) -> Result<BTreeMap<String, String>, NoFreeSubnet> {
    for family in ["ipv4", "ipv6"] {
        let (address, nat) = (format!("{family}.address"), format!("{family}.nat"));
        let is_unset = |key: &String| config.get(key).is_none_or(String::is_empty);
        if creating && is_unset(&address) && (family == "ipv4" || host.ipv6) {
            config.insert(address.clone(), "auto".to_owned());
        }
        if config.get(&address).is_some_and(|value| value == "auto") {
            let net = match family {
                "ipv4" => pick_ipv4(&host.used, &mut random)?.to_string(),
                _ => pick_ipv6(&host.used, &mut random)?.to_string(),
            };
            config.insert(address, net);
            if creating && config.get(&nat).is_none_or(String::is_empty) {
                config.insert(nat, "true".to_owned());
            }
        }
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(keys: &[(&str, &str)], creating: bool, ipv6: bool) -> Vec<String> {
        let config = keys.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let host = Host { used: Vec::new(), ipv6 };
        let config = fill(config, creating, &host, || 0x0102).expect("free");
        config.into_iter().map(|(k, v)| format!("{k}={v}")).collect()
    }

    #[test]
    fn a_new_network() {
        let v4 = ["ipv4.address=10.2.1.1/24", "ipv4.nat=true"];
        assert_eq!(filled(&[], true, false), v4);
        let v6 = ["ipv6.address=fd42:201::1/64", "ipv6.nat=true"];
        assert_eq!(filled(&[], true, true), [v4, v6].concat());
        assert_eq!(
            filled(&[("ipv4.address", "auto"), ("ipv6.address", "none")], true, true),
            ["ipv4.address=10.2.1.1/24", "ipv4.nat=true", "ipv6.address=none"]
        );
    }

    #[test]
    fn what_was_chosen_stays() {
        let keys = [("ipv4.address", "10.9.9.1/24"), ("ipv6.address", "auto"), ("ipv6.nat", "false")];
        assert_eq!(
            filled(&keys, true, true),
            ["ipv4.address=10.9.9.1/24", "ipv6.address=fd42:201::1/64", "ipv6.nat=false"]
        );
    }

    #[test]
    fn an_old_network_only_loses_its_autos() {
        assert_eq!(filled(&[], false, true), [""; 0]);
        assert_eq!(filled(&[("ipv4.address", "auto")], false, true), ["ipv4.address=10.2.1.1/24"]);
    }
}
