//! Subnets that nothing on this host uses yet.
//!
//! Only the host's own routes and addresses are asked; no packet is sent to find out whether
//! somebody out there answers.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::{Ipv4Addr, Ipv6Addr};

/// How many candidates are tried.
const ATTEMPTS: usize = 100;

/// No candidate was free.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Failed to automatically find an unused {family} subnet, manual configuration required")]
pub struct NoFreeSubnet {
    /// `IPv4` or `IPv6`.
    pub family: &'static str,
}

/// A free `10.x.y.1/24`. `used` are subnets that are routed or configured; `random` gives numbers.
///
/// # Errors
/// After a hundred candidates.
pub fn pick_ipv4(used: &[IpNet], mut random: impl FnMut() -> u64) -> Result<Ipv4Net, NoFreeSubnet> {
    for _ in 0..ATTEMPTS {
        let [a, b, ..] = random().to_le_bytes();
        if a == 255 || b == 255 {
            continue;
        }
        if let Ok(net) = Ipv4Net::new(Ipv4Addr::new(10, a, b, 1), 24)
            && is_free(used, IpNet::V4(net))
        {
            return Ok(net);
        }
    }
    Err(NoFreeSubnet { family: "IPv4" })
}

/// A free `fd42:x:y:z::1/64`.
///
/// # Errors
/// After a hundred candidates.
pub fn pick_ipv6(used: &[IpNet], mut random: impl FnMut() -> u64) -> Result<Ipv6Net, NoFreeSubnet> {
    for _ in 0..ATTEMPTS {
        let [a, b, c, d, e, f, ..] = random().to_le_bytes();
        let word = |high, low| u16::from_be_bytes([high, low]);
        let address = Ipv6Addr::new(0xfd42, word(a, b), word(c, d), word(e, f), 0, 0, 0, 1);
        if let Ok(net) = Ipv6Net::new(address, 64)
            && is_free(used, IpNet::V6(net))
        {
            return Ok(net);
        }
    }
    Err(NoFreeSubnet { family: "IPv6" })
}

/// True when `net` and no subnet in `used` overlap. Default routes say nothing about use.
fn is_free(used: &[IpNet], net: IpNet) -> bool {
    let overlaps = |other: &IpNet| {
        other.prefix_len() > 0 && (other.contains(&net.network()) || net.contains(&other.network()))
    };
    !used.iter().any(overlaps)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nets(texts: &[&str]) -> Vec<IpNet> {
        texts.iter().map(|t| t.parse().expect("subnet")).collect()
    }

    #[test]
    fn candidates_that_overlap_are_passed_over() {
        let used = nets(&["0.0.0.0/0", "10.1.0.0/16", "10.2.3.128/25", "fd42::/32"]);
        let mut numbers = [0x0501_u64, 0x0302, 0xff07, 0x0907].into_iter();
        let net = pick_ipv4(&used, || numbers.next().expect("asked too often"));
        assert_eq!(net.expect("free").to_string(), "10.7.9.1/24");
    }

    #[test]
    fn ipv6_is_a_unique_local_prefix() {
        let mut numbers = [0_u64, 0x0605_0403_0201].into_iter();
        let net = pick_ipv6(&nets(&["fd42:0:0::/48", "::/0"]), || numbers.next().expect("asked too often"));
        assert_eq!(net.expect("free").to_string(), "fd42:102:304:506::1/64");
    }

    #[test]
    fn it_gives_up() {
        let error = pick_ipv4(&nets(&["10.0.0.0/8"]), || 1).expect_err("all used");
        assert_eq!(
            error.to_string(),
            "Failed to automatically find an unused IPv4 subnet, manual configuration required"
        );
        assert!(pick_ipv6(&nets(&["fc00::/7"]), || 1).is_err());
    }
}
