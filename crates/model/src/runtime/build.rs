//! Which build of a program it is, told from its bytes.

/// Names the build of a program: the same bytes give the same name. Not a secret's hash: it only
/// tells an old program from a new one.
#[must_use]
pub fn build_of(program: &[u8]) -> String {
    const PRIME: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut state = (program.len() as u64).wrapping_mul(PRIME);
    let mut words = program.chunks_exact(8);
    for word in &mut words {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(word);
        state = (state ^ u64::from_le_bytes(bytes)).wrapping_mul(PRIME).rotate_left(29);
    }
    for byte in words.remainder() {
        state = (state ^ u64::from(*byte)).wrapping_mul(PRIME).rotate_left(29);
    }
    state ^= state >> 32;
    format!("{:016x}", state.wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::build_of;

    #[test]
    fn every_byte_and_the_length_count() {
        let one = build_of(b"0123456789");
        assert_eq!(one, build_of(b"0123456789"));
        for other in [&b"0123456780"[..], b"1123456789", b"012345678", b"01234567890", b"0123456789\0", b""] {
            assert_ne!(one, build_of(other));
        }
    }
}
