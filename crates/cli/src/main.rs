//! The command lxc.

fn main() {}
