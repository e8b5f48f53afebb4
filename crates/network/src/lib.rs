//! Bridges, veth pairs, leases, firewall.
