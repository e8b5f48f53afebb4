//! When snapshots are taken by themselves, what they are called, and how long they stay.
//!
//! All of it is arithmetic on civil times: whoever asks says what time it is, in the time zone
//! that people around the host live in.

mod expiry;
mod pattern;
mod schedule;

pub use expiry::{Expiry, ExpiryError};
pub use pattern::{Pattern, PatternError};
pub use schedule::{Schedule, ScheduleError};
