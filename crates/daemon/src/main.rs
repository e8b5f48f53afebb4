//! The daemon lxd: listeners, routes, operations, events.

fn main() {}
