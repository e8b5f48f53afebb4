//! Running other people's programs, one module each.
