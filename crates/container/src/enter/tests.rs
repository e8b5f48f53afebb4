//! Processes of ours inside.

use super::*;
use crate::testbed::{Bed, HOST};
use model::IdMap;
use model::runtime::spec::Rootfs;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use sys::waitid::{Ended, wait};

/// What a process inside finds.
fn look(pipe: OwnedFd) -> i32 {
    let mut pipe = std::fs::File::from(pipe);
    let fds = (3..200).filter(|fd| std::fs::metadata(format!("/proc/self/fd/{fd}")).is_ok());
    let cwd = std::env::current_dir().map(|dir| dir.display().to_string()).unwrap_or_default();
    let names = std::fs::read_dir("/").map_or(0, |dir| dir.count());
    let own = std::fs::metadata("/bin/busybox").map_or(9, |meta| meta.uid());
    let written = std::fs::write("/made-inside", "x").is_ok();
    let euid = rustix::process::geteuid().as_raw();
    let groups = rustix::process::getgroups().map_or(9, |groups| groups.len());
    let told = writeln!(pipe, "{euid} {groups} {cwd} {own} {written} {} {}", names > 5, fds.count() < 3);
    if told.is_ok() { 5 } else { 6 }
}

fn answer(made: Result<Child, crate::Error>, mut reader: std::io::PipeReader) -> String {
    let child = made.unwrap();
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(wait(child.pidfd.as_fd()), Ok(Ended::Code(5)));
    text
}

#[test]
fn a_running_container() {
    let Some(bed) = Bed::new("a_running_container") else { return };
    let mut spec = bed.spec("sleep 1000");
    for privileged in [false, true] {
        if privileged {
            spec.idmap = None;
        }
        let container = bed.start(&spec, None);
        let (reader, writer) = std::io::pipe().unwrap();
        let running = &container.running;
        let made = super::running(running.pid, running.pidfd.as_fd(), writer.into(), look);
        assert_eq!(answer(made, reader), "0 0 / 0 true true true\n");
        let made = std::fs::metadata(bed.root().join("made-inside")).unwrap();
        assert_eq!(made.uid(), 0);
        std::fs::remove_file(bed.root().join("made-inside")).unwrap();
    }
}

#[test]
fn a_stopped_container() {
    let Some(bed) = Bed::new("a_stopped_container") else { return };
    let map = IdMap::contiguous(HOST, 65_536);
    let rootfs = Rootfs { path: bed.root(), idmapped: true, read_only: false };
    for map in [Some(&map), None] {
        let (reader, writer) = std::io::pipe().unwrap();
        let made = stopped(&rootfs, map, writer.into(), look);
        assert_eq!(answer(made, reader), "0 0 / 0 true true true\n");
        std::fs::remove_file(bed.root().join("made-inside")).unwrap();
    }
    let missing = Rootfs { path: bed.root().join("missing"), ..rootfs };
    let (_, writer) = std::io::pipe().unwrap();
    let error = stopped(&missing, None, writer.into(), look).unwrap_err();
    assert!(error.step.starts_with("open the root file system"));
}
