//! The trust password: only a slow hash of it is kept.
//!
//! The stored text is the hexadecimal form of 32 random bytes of salt and the 64 bytes that scrypt
//! (RFC 7914) makes of them and the password, with N = 2¹⁴, r = 8, p = 1: 16 MiB of memory and some
//! hundredths of a second for each guess.

use crate::random;

const SALT: usize = 32;
const HASH: usize = 64;
/// Binary logarithm of scrypt's cost N.
const LOG_N: u8 = 14;

/// What is stored of a password. Takes time: not for the threads that serve requests.
#[must_use]
pub fn hash(password: &str) -> String {
    let salt = random::bytes::<SALT>();
    let hash = derive(password, &salt);
    salt.iter().chain(&hash).map(|byte| format!("{byte:02x}")).collect()
}

/// Whether this is the password that `stored` was made of. Takes time, and the same time for every
/// guess.
#[must_use]
pub fn matches(stored: &str, guess: &str) -> bool {
    let Some(bytes) = bytes(stored) else { return false };
    let (salt, expected) = bytes.split_at(SALT);
    let found = derive(guess, salt);
    let differences = expected.iter().zip(found).fold(0, |sum, (a, b)| std::hint::black_box(sum | (a ^ b)));
    std::hint::black_box(differences) == 0
}

fn bytes(stored: &str) -> Option<[u8; SALT + HASH]> {
    let mut bytes = [0; SALT + HASH];
    if stored.len() != 2 * bytes.len() || !stored.is_ascii() {
        return None;
    }
    for (place, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(stored.get(2 * place..2 * place + 2)?, 16).ok()?;
    }
    Some(bytes)
}

fn derive(password: &str, salt: &[u8]) -> [u8; HASH] {
    let mut hash = [0; HASH];
    if let Ok(params) = scrypt::Params::new(LOG_N, 8, 1) {
        // Fails for lengths that it cannot make, which this is not.
        let _ = scrypt::scrypt(password.as_bytes(), salt, &params, &mut hash);
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_by_its_hash() {
        let stored = hash("something-secure");
        assert_eq!(stored.len(), 192);
        assert!(!stored.contains("something"));
        assert_ne!(stored, hash("something-secure"), "the salt is random");
        assert!(matches(&stored, "something-secure"));
        for wrong in ["", "something-secur", "something-secure "] {
            assert!(!matches(&stored, wrong), "{wrong}");
        }
        for broken in ["", "00", "true", &"g".repeat(192), &stored[..190], &"ä".repeat(96)] {
            assert!(!matches(broken, ""), "{broken}");
        }
    }

    #[test]
    fn hashes_are_those_of_others() {
        // RFC 7914 §12, third vector: "pleaseletmein", "SodiumChloride", N = 16384, r = 8, p = 1.
        let hex: String =
            derive("pleaseletmein", b"SodiumChloride").iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(
            hex,
            "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2\
             d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887"
        );
    }
}
