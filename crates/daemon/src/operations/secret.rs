//! Secrets that let one client take one stream.

use rustix::rand::{GetRandomFlags, getrandom};
use std::fmt::Write as _;

/// 32 random bytes as 64 hexadecimal digits.
pub(crate) struct Secret(String);

impl Secret {
    /// A new secret.
    ///
    /// # Errors
    /// The kernel has no randomness, which it only lacks early at boot (`getrandom(2)`).
    pub(crate) fn random() -> std::io::Result<Self> {
        let mut bytes = [0_u8; 32];
        // Up to 256 bytes come whole.
        getrandom(&mut bytes, GetRandomFlags::empty())?;
        let mut text = String::with_capacity(64);
        for byte in bytes {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        Ok(Self(text))
    }

    /// The digits, for the client that may know them.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    /// Compares in a time that does not depend on where a difference is.
    pub(crate) fn is(&self, text: &str) -> bool {
        let (mine, other) = (self.0.as_bytes(), text.as_bytes());
        let differences = mine.iter().zip(other).fold(0, |sum, (a, b)| std::hint::black_box(sum | (a ^ b)));
        mine.len() == other.len() && std::hint::black_box(differences) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_itself_alone() {
        let (one, two) = (Secret::random().unwrap(), Secret::random().unwrap());
        assert_eq!(one.reveal().len(), 64);
        assert!(one.is(one.reveal()));
        assert!(!one.is(two.reveal()));
        assert!(!one.is(&one.reveal()[..63]));
        assert!(!one.is(&format!("{}0", one.reveal())));
        assert!(!one.is(""));
    }
}
