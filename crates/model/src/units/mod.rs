//! Amounts with units: bytes, bit rates, disk rates, and processor sets and shares.
//!
//! Each is a type of its own; text becomes one of them once, where it comes in.

mod bytes;
mod cpu;
mod rates;

pub use bytes::{Bytes, MemoryLimit};
pub use cpu::{CpuAllowance, CpuLimit, CpuSet};
pub use rates::{BitRate, DiskRate};

/// A text that is not an amount of what is wanted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Invalid value: {value}: use {allowed}")]
pub struct UnitError {
    /// The text as it came.
    pub value: String,
    /// What is allowed, to follow "use".
    pub allowed: &'static str,
}

impl UnitError {
    fn new(value: &str, allowed: &'static str) -> Self {
        Self { value: value.to_owned(), allowed }
    }
}

/// Splits `12MB` into the number and the rest. `None` without leading digits, or when the number
/// does not fit.
fn split_number(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, suffix) = text.split_at(end);
    Some((digits.parse().ok()?, suffix))
}
