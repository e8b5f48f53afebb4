//! Taking in containers that another keeper started and that are not children of this one.
//!
//! A process is known by its id and start time together, checked while a pidfd holds it. What the
//! other keeper held is got again through `/proc`, except the console's terminal, which is lost.

use crate::container::{Container, Ended, Running, Stage};
use crate::events::programs::failed;
use crate::keeper::Keeper;
use crate::poller::{EventFlags, Source};
use crate::record::{Facts, Record, this_boot};
use container::cgroup::Cgroup;
use container::console::{Console, Parts};
use container::start::start_time as start_time_of;
use model::runtime::protocol::{Exit, Failure};
use model::runtime::spec::ConsoleSpec;
use rustix::fs::{Mode, OFlags, ResolveFlags, fstatfs, open, openat2};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::io::{Read, Seek, SeekFrom};
use std::os::fd::OwnedFd;

/// `DEVPTS_SUPER_MAGIC`, see `statfs(2)`.
const DEVPTS: i64 = 0x1cd1;

impl Keeper {
    /// Takes in what the records say, when a keeper starts.
    pub(crate) fn adopt_recorded(&mut self) {
        let (records, bad) = match Record::load_all(self.home.state()) {
            Ok(loaded) => loaded,
            Err(errno) => return self.journal.say(&format!("cannot read the records: {errno}")),
        };
        for file in bad {
            self.journal.say(&format!("the record {file} is not understood, ignored"));
        }
        let boot = this_boot();
        for record in records {
            self.adopt_record(record, &boot);
        }
    }

    fn adopt_record(&mut self, record: Record, boot: &str) {
        let Record { name, boot: its_boot, pid, start_time, facts, exit } = record;
        if its_boot != boot {
            self.journal.say(&format!("{name}: ended with the host, {pid} was its init"));
            if let Err(errno) = Record::remove(self.home.state(), &name) {
                self.journal.say(&format!("{name}: cannot remove its record: {errno}"));
            }
            return;
        }
        let exit = match exit {
            Some(exit) => exit,
            None => match self.take_in(&name, pid, start_time, facts.clone()) {
                Ok(()) => {
                    self.journal.say(&format!("{name}: taken in, init {pid}; its console is lost"));
                    return;
                }
                Err(failure) => {
                    let Failure { step, reason, .. } = failure;
                    self.journal.say(&format!("{name}: has ended unwatched: {step}: {reason}"));
                    self.clear_control_groups(&name, &facts);
                    Exit::Unknown
                }
            },
        };
        let console = Console::lost(&facts.console);
        let stage = Stage::Ended(Ended { exit, pid, start_time, console, netns: None });
        self.containers.insert(name.clone(), Container { facts, stage });
        self.save(&name);
    }

    /// Removes what a container that ended unwatched has left.
    fn clear_control_groups(&mut self, name: &str, facts: &Facts) {
        const LIMIT: std::time::Duration = std::time::Duration::from_secs(2);
        let cleared = Cgroup::open(&self.layout, &facts.cgroup)
            .and_then(|cgroup| cgroup.kill(LIMIT).and_then(|()| cgroup.remove(LIMIT)));
        if let Err(error) = cleared {
            self.journal.say(&format!("{name}: cannot remove its control groups: {error}"));
        }
    }

    /// Takes a running container in.
    pub(crate) fn take_in(
        &mut self,
        name: &str,
        pid: i32,
        start_time: u64,
        facts: Facts,
    ) -> Result<(), Failure> {
        const STEP: &str = "take the container in";
        let wrong = |reason: &str| Failure { step: STEP.into(), reason: reason.into(), errno: None };
        let known = Pid::from_raw(pid).ok_or_else(|| wrong("that is no process id"))?;
        let pidfd = pidfd_open(known, PidfdFlags::empty()).map_err(failed(STEP))?;
        if start_time_of(pid).ok() != Some(start_time) {
            return Err(wrong("its process id belongs to another process by now"));
        }
        let netns = open(format!("/proc/{pid}/ns/net"), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
            .map_err(failed("open its network namespace"))?;
        let devpts = devpts_of(pid);
        let cgroup = Cgroup::open(&self.layout, &facts.cgroup).map_err(|error| wrong(&error.to_string()))?;
        // Alive after everything was opened by its number: the number was its own all the time.
        rustix::process::test_kill_process(known).map_err(failed(STEP))?;
        if start_time_of(pid).ok() != Some(start_time) {
            return Err(wrong("it has just ended"));
        }
        if let Err(errno) = &devpts {
            self.journal.say(&format!("{name}: cannot open its terminals: {errno}"));
        }
        let printed = last_words(&facts.console);
        let parts = Parts { master: None, client: None, printed };
        let console = Console::from_parts(parts, &facts.console)?;
        let source = Source::Init(name.to_owned());
        let token = self.poller.add(&pidfd, EventFlags::IN, source).map_err(failed("poll init"))?;
        let running = Running {
            pid,
            start_time,
            pidfd,
            token,
            netns,
            devpts: devpts.ok(),
            cgroup,
            console,
            master_token: None,
            client: None,
            attacher: None,
            is_child: false,
            unreaped: None,
        };
        let stage = Stage::Running(Box::new(running));
        self.containers.insert(name.to_owned(), Container { facts, stage });
        Ok(())
    }
}

/// The root directory of the devpts that a container has mounted. The path to it is the
/// container's to change, so no link is followed and what is found must be a devpts.
fn devpts_of(pid: i32) -> Result<OwnedFd, Errno> {
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = open(format!("/proc/{pid}/root"), flags | OFlags::PATH, Mode::empty())?;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let found = openat2(&root, "dev/pts", flags | OFlags::RDONLY, Mode::empty(), resolve)?;
    if fstatfs(&found)?.f_type == DEVPTS { Ok(found) } else { Err(Errno::NODEV) }
}

/// What the console's log has at its end, as much as is kept.
fn last_words(spec: &ConsoleSpec) -> Vec<u8> {
    let read = || {
        let mut file = std::fs::File::open(&spec.log)?;
        let size = file.metadata()?.len();
        file.seek(SeekFrom::Start(size.saturating_sub(spec.keep as u64)))?;
        let mut bytes = Vec::new();
        file.take(spec.keep as u64).read_to_end(&mut bytes)?;
        Ok::<_, std::io::Error>(bytes)
    };
    // Without the log there is nothing to show, which is no reason not to take the container in.
    read().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_of_a_log_is_taken() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("console.log");
        let spec = ConsoleSpec { log: log.clone(), keep: 4 };
        assert!(last_words(&spec).is_empty());
        std::fs::write(log, "0123456789").unwrap();
        assert_eq!(last_words(&spec), b"6789");
    }
}
