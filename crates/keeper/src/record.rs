//! What the next keeper needs to know of a container, in `keeper/<name>.json`.
//!
//! Written when init has been executed and when it has ended, removed when the container is
//! forgotten. It is read when a keeper starts, which is after one was killed.

use model::IdMap;
use model::runtime::protocol::Exit;
use model::runtime::spec::ConsoleSpec;
use rustix::fs::{AtFlags, Dir, Mode, OFlags, openat, renameat, unlinkat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::BorrowedFd;

/// Longest name of a container that is taken, in bytes: the record's file must have a name.
const LONGEST_NAME: usize = 200;

/// A container on disk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Its name.
    pub(crate) name: String,
    /// Which boot of the host it belongs to; process ids mean nothing in another.
    pub(crate) boot: String,
    /// Init's process id on the host.
    pub(crate) pid: i32,
    /// Field 22 of `/proc/<pid>/stat`.
    pub(crate) start_time: u64,
    /// What does not change while it runs.
    #[serde(flatten)]
    pub(crate) facts: Facts,
    /// How it ended, if it has.
    #[serde(default)]
    pub(crate) exit: Option<Exit>,
}

/// What is known of a container from its specification on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Facts {
    /// Path of its control groups.
    pub(crate) cgroup: String,
    /// Its ids.
    pub(crate) idmap: Option<IdMap>,
    /// Its console.
    pub(crate) console: ConsoleSpec,
}

impl PartialEq for Facts {
    fn eq(&self, other: &Self) -> bool {
        (&self.cgroup, &self.idmap) == (&other.cgroup, &other.idmap)
            && (&self.console.log, self.console.keep) == (&other.console.log, other.console.keep)
    }
}

/// Whether a name can be that of a container: it becomes that of a file.
pub(crate) fn is_usable(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= LONGEST_NAME
        && !name.starts_with('.')
        && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/')
}

/// Which boot of the host this is.
pub(crate) fn this_boot() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}

fn file_name(name: &str) -> String {
    format!("{name}.json")
}

impl Record {
    /// Writes the record; it is there whole or not at all.
    pub(crate) fn save(&self, directory: BorrowedFd<'_>) -> Result<(), Errno> {
        let json = serde_json::to_vec(self).map_err(|_| Errno::INVAL)?;
        let (new, name) = (format!(".{}.new", self.name), file_name(&self.name));
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(openat(directory, &new, flags, Mode::RUSR | Mode::WUSR)?);
        let written = file.write_all(&json);
        written.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        renameat(directory, &new, directory, &name)
    }

    /// Removes a record, if it is there.
    pub(crate) fn remove(directory: BorrowedFd<'_>, name: &str) -> Result<(), Errno> {
        match unlinkat(directory, file_name(name), AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(errno),
        }
    }

    /// Every record there is, and the names of the files that are not understood.
    pub(crate) fn load_all(directory: BorrowedFd<'_>) -> Result<(Vec<Self>, Vec<String>), Errno> {
        let (mut records, mut bad) = (Vec::new(), Vec::new());
        for entry in Dir::read_from(directory)? {
            let entry = entry?;
            let Ok(file) = entry.file_name().to_str() else { continue };
            let Some(name) = file.strip_suffix(".json") else { continue };
            match Self::load(directory, file) {
                Some(record) if record.name == name && is_usable(name) => records.push(record),
                _ => bad.push(file.to_owned()),
            }
        }
        Ok((records, bad))
    }

    fn load(directory: BorrowedFd<'_>, file: &str) -> Option<Self> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let mut json = Vec::new();
        let file = File::from(openat(directory, file, flags, Mode::empty()).ok()?);
        file.take(1024 * 1024).read_to_end(&mut json).ok()?;
        serde_json::from_slice(&json).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn records_come_back_and_rubbish_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let handle = File::open(directory.path()).unwrap();
        let console = ConsoleSpec { log: "/log/c1/console.log".into(), keep: 1000 };
        let idmap = Some(IdMap::contiguous(100_000, 65_536));
        let facts = Facts { cgroup: "lxd-0/c1".into(), idmap, console };
        let mut record =
            Record { name: "c1".into(), boot: this_boot(), pid: 17, start_time: 4711, facts, exit: None };
        record.save(handle.as_fd()).unwrap();
        record.exit = Some(Exit::Code(3));
        record.save(handle.as_fd()).unwrap();
        std::fs::write(directory.path().join("bad.json"), "{").unwrap();
        std::fs::copy(directory.path().join("c1.json"), directory.path().join("c2.json")).unwrap();
        let (records, mut bad) = Record::load_all(handle.as_fd()).unwrap();
        bad.sort();
        assert_eq!(records, [record]);
        assert_eq!(bad, ["bad.json", "c2.json"]);
        Record::remove(handle.as_fd(), "c1").unwrap();
        Record::remove(handle.as_fd(), "c1").unwrap();
        assert!(Record::load_all(handle.as_fd()).unwrap().0.is_empty());
    }

    #[test]
    fn names_cannot_leave_the_directory() {
        for name in ["", ".", "..", "a/b", "../x", ".hidden", "a\nb", &"x".repeat(201)] {
            assert!(!is_usable(name), "{name:?}");
        }
        assert!(is_usable("web-1"));
    }
}
