//! Checks and generators for people who work on the sources.

fn main() {}
