use super::*;
use rustix::event::{PollFd, Timespec, poll};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcgetwinsize, tcsetattr};
use std::fs;

/// A terminal in raw mode, master and slave.
fn terminal() -> (OwnedFd, OwnedFd) {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = openpt(flags).unwrap();
    unlockpt(&master).unwrap();
    let slave = ioctl_tiocgptpeer(&master, flags).unwrap();
    let mut mode = tcgetattr(&slave).unwrap();
    mode.make_raw();
    tcsetattr(&slave, OptionalActions::Now, &mode).unwrap();
    (master, slave)
}

fn spec(directory: &tempfile::TempDir, keep: usize) -> ConsoleSpec {
    ConsoleSpec { log: directory.path().join("console.log"), keep }
}

fn wait_readable(fd: &OwnedFd) {
    let limit = Timespec { tv_sec: 5, tv_nsec: 0 };
    assert_eq!(poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&limit)).unwrap(), 1, "nothing came");
}

#[test]
fn output_is_kept_and_logged_within_bounds() {
    let directory = tempfile::tempdir().unwrap();
    let (master, slave) = terminal();
    let mut console = Console::new(master, &spec(&directory, 100)).unwrap();
    for round in 0..100 {
        rustix::io::write(&slave, format!("line {round:03}\n").as_bytes()).unwrap();
        console.master_ready();
    }
    let printed = String::from_utf8(console.printed()).unwrap();
    assert_eq!(printed.len(), 100);
    assert!(printed.ends_with("line 098\nline 099\n"));
    let log = fs::read_to_string(console.log_path()).unwrap();
    assert!(log.len() <= 400, "{}", log.len());
    assert!(log.ends_with(&printed));
    console.clear();
    assert!(console.printed().is_empty());
    assert_eq!(fs::read(console.log_path()).unwrap(), b"");
    rustix::io::write(&slave, b"again").unwrap();
    console.master_ready();
    assert_eq!(fs::read(console.log_path()).unwrap(), b"again");
}

#[test]
fn one_client_types_and_sees() {
    let directory = tempfile::tempdir().unwrap();
    let (master, slave) = terminal();
    let mut console = Console::new(master, &spec(&directory, 1000)).unwrap();
    rustix::io::write(&slave, b"before").unwrap();
    console.master_ready();
    let client = console.attach().unwrap();
    assert_eq!(console.attach().unwrap_err().errno, Some(Errno::BUSY.raw_os_error()));
    rustix::io::write(&slave, b"after").unwrap();
    console.master_ready();
    let mut buffer = [0; 64];
    assert_eq!(rustix::io::read(&client, &mut buffer).unwrap(), 5, "what came before is not repeated");
    rustix::io::write(&client, b"typed").unwrap();
    console.client_ready();
    wait_readable(&slave);
    assert_eq!(rustix::io::read(&slave, &mut buffer).unwrap(), 5);
    console.resize(132, 43).unwrap();
    let size = tcgetwinsize(&slave).unwrap();
    assert_eq!((size.ws_col, size.ws_row), (132, 43));
    drop(client);
    console.client_ready();
    assert!(console.client().is_none());
    console.attach().unwrap();
}

#[test]
fn a_client_that_does_not_read_stops_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (master, slave) = terminal();
    let mut console = Console::new(master, &spec(&directory, 1000)).unwrap();
    let _client = console.attach().unwrap();
    for _ in 0..1000 {
        assert_eq!(rustix::io::write(&slave, &[b'x'; 2000]).unwrap(), 2000);
        console.master_ready();
    }
    assert!(console.client_interest().contains(PollFlags::OUT));
    assert_eq!(console.printed().len(), 1000);
}

#[test]
fn a_container_that_does_not_read_stops_the_client_alone() {
    let directory = tempfile::tempdir().unwrap();
    let (master, slave) = terminal();
    let mut console = Console::new(master, &spec(&directory, 1000)).unwrap();
    let client = console.attach().unwrap();
    let mut sent = 0;
    while let Ok(length) = rustix::io::write(&client, &[b'y'; 4096]) {
        sent += length;
        console.client_ready();
    }
    assert!(!console.client_interest().contains(PollFlags::IN));
    let mut received = 0;
    let mut buffer = [0; 4096];
    while received < sent {
        wait_readable(&slave);
        received += rustix::io::read(&slave, &mut buffer).unwrap();
        console.master_ready();
        console.client_ready();
    }
    assert_eq!(received, sent);
}

#[test]
fn the_end_lets_the_client_see_the_last_words() {
    let directory = tempfile::tempdir().unwrap();
    let (master, slave) = terminal();
    let mut console = Console::new(master, &spec(&directory, 1000)).unwrap();
    let client = console.attach().unwrap();
    rustix::io::write(&slave, b"bye").unwrap();
    drop(slave);
    drop((console.close(), console.take_departed()));
    let mut buffer = [0; 64];
    assert_eq!(rustix::io::read(&client, &mut buffer).unwrap(), 3);
    assert_eq!(rustix::io::read(&client, &mut buffer).unwrap(), 0);
    assert_eq!(console.printed(), b"bye");
}

#[test]
fn parts_make_a_console_again_and_a_lost_one_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let spec = spec(&directory, 1000);
    let (master, slave) = terminal();
    let mut console = Console::new(master, &spec).unwrap();
    let client = console.attach().unwrap();
    rustix::io::write(&slave, b"one").unwrap();
    console.master_ready();
    let mut console = Console::from_parts(console.into_parts(), &spec).unwrap();
    rustix::io::write(&slave, b"two").unwrap();
    console.master_ready();
    assert_eq!(console.printed(), b"onetwo");
    let mut buffer = [0; 64];
    assert_eq!(rustix::io::read(&client, &mut buffer).unwrap(), 6);
    let mut lost = Console::lost(&spec);
    assert!(lost.attach().unwrap_err().reason.contains("restart the container"));
    assert!(lost.resize(1, 1).is_err());
}
