//! Archives that lie about themselves, and bytes that are no archive.

use super::*;

fn header(name: &str, kind: u8, size: u64) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(tar::EntryType::new(kind));
    header.set_size(size);
    header.set_mode(0o644);
    header.set_cksum();
    header
}

fn padded(data: &[u8]) -> Vec<u8> {
    let mut data = data.to_vec();
    data.resize(data.len().next_multiple_of(512), 0);
    data
}

fn first(bytes: &[u8]) -> Result<Option<Member>, ArchiveError> {
    Reader::new(bytes, 1 << 30).next_member()
}

#[test]
fn an_empty_stream_is_an_empty_archive() {
    assert!(first(&[]).unwrap().is_none());
    assert!(first(&[0; 1024]).unwrap().is_none());
}

#[test]
fn a_cut_off_archive_is_noticed() {
    let mut bytes = header("a", b'0', 1000).as_bytes().to_vec();
    bytes.extend([1; 600]);
    let mut reader = Reader::new(&bytes[..], 1 << 30);
    let member = reader.next_member().unwrap().unwrap();
    assert!(matches!(reader.read_all(&member), Err(ArchiveError::Truncated)));
    let mut reader = Reader::new(&bytes[..], 1 << 30);
    reader.next_member().unwrap();
    assert!(matches!(reader.next_member(), Err(ArchiveError::Truncated)));
    assert!(matches!(first(&bytes[..300]), Err(ArchiveError::Truncated)));
}

#[test]
fn damaged_headers_are_noticed() {
    let mut bytes = header("a", b'0', 0).as_bytes().to_vec();
    bytes[0] = b'b';
    assert!(matches!(first(&bytes), Err(ArchiveError::Damaged { .. })));
    assert!(matches!(first(&[7; 512]), Err(ArchiveError::Damaged { .. })));
}

#[test]
fn descriptions_are_bounded() {
    for kind in [b'x', b'g', b'L', b'K'] {
        let bytes = header("a", kind, 8 << 30).as_bytes().to_vec();
        assert!(matches!(first(&bytes), Err(ArchiveError::HeaderTooLarge { .. })));
    }
}

#[test]
fn odd_kinds_are_refused_by_name() {
    let error = first(header("odd", b'M', 0).as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "member \"odd\" is of the unsupported kind \"M\"");
}

#[test]
fn owners_must_be_ids() {
    for uid in [u64::from(u32::MAX), 1 << 40] {
        let mut wrong = header("a", b'0', 0);
        wrong.set_uid(uid);
        wrong.set_cksum();
        assert!(matches!(first(wrong.as_bytes()), Err(ArchiveError::Damaged { .. })));
    }
}

#[test]
fn the_stream_has_a_bound() {
    let bytes = header("a", b'0', 1 << 40).as_bytes().to_vec();
    let source = std::io::Read::chain(&bytes[..], std::io::repeat(0));
    let mut reader = Reader::new(source, 1 << 20);
    reader.next_member().unwrap();
    assert!(matches!(reader.next_member(), Err(ArchiveError::TooLarge { limit }) if limit == 1 << 20));
}

#[test]
fn sparse_maps_that_lie_are_refused() {
    let map = |text: &str| {
        let pax = format!("22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n{text}");
        let mut bytes = header("x", b'x', pax.len() as u64).as_bytes().to_vec();
        bytes.extend(padded(pax.as_bytes()));
        bytes.extend(header("f", b'0', 1024).as_bytes());
        bytes.extend(padded(b"1\n100\n600\n"));
        bytes.extend([7; 512]);
        bytes
    };
    assert!(matches!(first(&map("")), Err(ArchiveError::Damaged { .. })));
    assert!(matches!(first(&map("28 GNU.sparse.realsize=9999\n")), Err(ArchiveError::Damaged { .. })));
}

proptest::proptest! {
    #[test]
    fn never_panics(blocks: Vec<(u8, u16, Vec<u8>)>, raw: Vec<u8>) {
        // Headers with right checksums, so that the parsers behind them are reached.
        let mut bytes = Vec::new();
        for (kind, size, data) in &blocks {
            bytes.extend(header("name", *kind, u64::from(*size)).as_bytes());
            bytes.extend(padded(data));
        }
        bytes.extend(raw);
        let mut reader = Reader::new(&bytes[..], 1 << 20);
        while let Ok(Some(member)) = reader.next_member() {
            if member.real_size < 1 << 16 {
                let _ = reader.read_all(&member);
            }
        }
    }
}
