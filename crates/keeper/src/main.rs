//! The parent of every container of a host.

fn main() {}
