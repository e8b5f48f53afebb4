//! What was written is read back, by ourselves and by GNU tar.

use super::*;
use crate::archive::Reader;
use std::process::{Command, Stdio};

fn member(path: &[u8], kind: Kind) -> Member {
    Member {
        path: path.to_vec(),
        link: Vec::new(),
        kind,
        mode: 0o644,
        uid: 0,
        gid: 0,
        mtime: (1_700_000_000, 0),
        device: (0, 0),
        xattrs: Vec::new(),
        acl_access: None,
        acl_default: None,
        real_size: 0,
        sparse: None,
    }
}

fn archive(members: &[(Member, &[u8])]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for (member, data) in members {
        writer.begin(member).unwrap();
        if !data.is_empty() {
            writer.data(data).unwrap();
        }
    }
    writer.finish().unwrap()
}

fn read(bytes: &[u8]) -> Vec<(Member, Vec<u8>)> {
    let mut reader = Reader::new(bytes, u64::MAX);
    let mut members = Vec::new();
    while let Some(member) = reader.next_member().unwrap() {
        let data = if member.kind == Kind::File { reader.read_all(&member).unwrap() } else { Vec::new() };
        members.push((member, data));
    }
    members
}

/// Everything that a member can have.
fn members() -> Vec<(Member, &'static [u8])> {
    let long = [b"d/".repeat(40), b"n".repeat(90)].concat();
    let longer = [b"d/".repeat(120), b"n".repeat(200)].concat();
    let e = |offset, length| Extent { offset, length };
    vec![
        (member(b"metadata.yaml", Kind::File), b""),
        (Member { mode: 0o7755, ..member(b"rootfs", Kind::Directory) }, b""),
        (
            Member { real_size: 5, uid: 3_000_000, gid: u32::MAX - 1, ..member(b"rootfs/a", Kind::File) },
            b"hello",
        ),
        (Member { real_size: 512, mtime: (-2, 500_000_000), ..member(&long, Kind::File) }, &[7; 512]),
        (Member { link: longer.clone(), ..member(&longer, Kind::HardLink) }, b""),
        (
            Member { link: b"../x\n=y".to_vec(), mtime: (1, 1), ..member(b"new\nline\xff", Kind::Symlink) },
            b"",
        ),
        (Member { device: (4095, 1_048_575), ..member(b"dev/x", Kind::BlockDevice) }, b""),
        (member(b"pipe", Kind::Fifo), b""),
        (
            Member {
                xattrs: vec![(b"user.a".to_vec(), b"1\n\0=2".to_vec())],
                acl_access: Some(b"user::rw-,user:33:r--,group::r--,mask::r--,other::---".to_vec()),
                ..member(b"attributes", Kind::File)
            },
            b"",
        ),
        (
            Member {
                real_size: 1 << 40,
                sparse: Some(vec![e(0, 3), e(1 << 30, 2), e(1 << 40, 0)]),
                ..member(&longer, Kind::File)
            },
            b"abcde",
        ),
    ]
}

#[test]
fn everything_is_read_back_as_it_was() {
    let written = members();
    let mut reader_bytes = archive(&written);
    let mut reader = Reader::new(reader_bytes.as_slice(), u64::MAX);
    for (member, data) in &written {
        let found = reader.next_member().unwrap().unwrap();
        assert_eq!(format!("{found:?}"), format!("{member:?}"));
        let mut content = vec![0; data.len()];
        let mut filled = 0;
        while filled < content.len() {
            filled += reader.read_data(&mut content[filled..]).unwrap();
        }
        assert_eq!(&content, data);
    }
    assert!(reader.next_member().unwrap().is_none());
    // Whatever comes behind the end is of no meaning.
    reader_bytes.extend([1; 10]);
    assert_eq!(read(&archive(&written[..4])).len(), 4);
}

#[test]
fn gnu_tar_agrees() {
    let written = members();
    let mut tar = Command::new("tar")
        .args(["-tf", "-", "--numeric-owner", "--quoting-style=literal", "--full-time", "-v", "--utc"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    tar.stdin.take().unwrap().write_all(&archive(&written)).unwrap();
    let output = tar.wait_with_output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("drwsr-sr-t 0/0"), "{text}");
    assert!(text.contains("3000000/4294967294"), "{text}");
    assert!(text.contains("1970-01-01 00:00:01.000000001"), "{text}");
    assert!(text.contains("4095,1048575"), "{text}");
    assert!(text.contains("1099511627776"), "{text}");
}

#[test]
fn more_or_less_data_than_was_said_is_refused() {
    let mut writer = Writer::new(Vec::new());
    writer.begin(&Member { real_size: 2, ..member(b"a", Kind::File) }).unwrap();
    assert!(writer.data(b"abc").is_err());
    assert!(writer.finish().is_err());
    let mut writer = Writer::new(Vec::new());
    let large = Member { xattrs: vec![(b"user.x".to_vec(), vec![0; 2 << 20])], ..member(b"a", Kind::File) };
    assert!(writer.begin(&large).is_err());
}
