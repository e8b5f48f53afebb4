//! Containers end.

use crate::container::{Ended, Stage};
use crate::keeper::Keeper;
use crate::poller::EventFlags;
use model::runtime::protocol::{EventBody, Exit};
use rustix::process::Signal;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// How long the rest of a container may take to be killed, and its control groups to be removed.
const CLEARED: Duration = Duration::from_secs(2);
/// How long whose child it is may take to reap an init.
const UNREAPED: Duration = Duration::from_secs(2);

/// What the end of an init means, see `reboot(2)`: the kernel shows what was asked for as a signal,
/// and signals that init has no handler for do not reach it.
fn meaning(ended: sys::waitid::Ended) -> Exit {
    match ended {
        sys::waitid::Ended::Signal(signal) if signal == Signal::HUP.as_raw() => Exit::Reboot,
        sys::waitid::Ended::Signal(signal) if signal == Signal::INT.as_raw() => Exit::PowerOff,
        sys::waitid::Ended::Signal(signal) => Exit::Signal(signal),
        sys::waitid::Ended::Code(code) => Exit::Code(code),
    }
}

/// How a process ended that nobody has reaped yet, from `/proc/<pid>/stat`, see `proc_pid_stat(5)`.
fn unreaped_end(pid: i32, start_time: u64) -> Option<sys::waitid::Ended> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Fields are counted from behind the second, a name which may contain anything.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let is_it = *fields.first()? == "Z" && fields.get(19)?.parse() == Ok(start_time);
    let status: i32 = fields.get(49)?.parse().ok()?;
    is_it.then_some(match status & 0x7f {
        0 => sys::waitid::Ended::Code((status >> 8) & 0xff),
        signal => sys::waitid::Ended::Signal(signal),
    })
}

impl Keeper {
    /// Init's descriptor is readable: it has ended.
    pub(crate) fn init_ready(&mut self, name: &str, flags: EventFlags) {
        let Some(running) = self.running(name) else { return };
        let ended = if running.is_child {
            sys::waitid::try_wait(running.pidfd.as_fd())
        } else {
            sys::pidfd::exit_info(running.pidfd.as_fd())
                .map(|ended| ended.or_else(|| unreaped_end(running.pid, running.start_time)))
        };
        match ended {
            Ok(Some(ended)) => self.ended(name, meaning(ended)),
            Ok(None) if running.is_child => {}
            // Reaped, and the kernel does not remember.
            Ok(None) | Err(_) if running.is_child || flags.contains(EventFlags::HUP) => {
                self.ended(name, Exit::Unknown);
            }
            // Not reaped yet: that is reported as a hang-up, which needs not be asked for.
            Ok(None) | Err(_) => {
                running.unreaped = Some(Instant::now());
                let (pidfd, token) = (running.pidfd.as_fd().try_clone_to_owned(), running.token);
                if let Ok(pidfd) = pidfd {
                    let _ = self.poller.change(pidfd, token, EventFlags::empty());
                }
            }
        }
    }

    /// Ends the wait for inits that nobody reaps.
    pub(crate) fn give_up_unreaped(&mut self) {
        let overdue = self.containers.iter().filter(|(_, container)| match &container.stage {
            Stage::Running(running) => running.unreaped.is_some_and(|since| since.elapsed() > UNREAPED),
            _ => false,
        });
        let overdue: Vec<String> = overdue.map(|(name, _)| name.clone()).collect();
        for name in overdue {
            self.ended(&name, Exit::Unknown);
        }
    }

    /// Clears away what is left of a container whose init has ended, and tells.
    fn ended(&mut self, name: &str, exit: Exit) {
        self.kill_servers(name);
        let Some(container) = self.containers.remove(name) else { return };
        let Stage::Running(running) = container.stage else { return };
        let mut running = *running;
        self.poller.remove(&running.pidfd, running.token);
        if let Err(error) = running.cgroup.kill(CLEARED) {
            self.journal.say(&format!("{name}: cannot kill what is left: {}", model::story(&error)));
        }
        if let (Some(master), Some(token)) = (running.console.close(), running.master_token) {
            self.poller.remove(master, token);
        }
        if let (Some(client), Some((token, _))) = (running.console.take_departed(), running.client) {
            self.poller.remove(client, token);
        }
        if let Err(error) = running.cgroup.remove(CLEARED) {
            self.journal.say(&format!("{name}: cannot remove its control groups: {}", model::story(&error)));
        }
        let (pid, start_time) = (running.pid, running.start_time);
        let netns = (!self.peers.values().any(|peer| peer.greeted)).then_some(running.netns);
        let stage = Stage::Ended(Ended { exit, pid, start_time, console: running.console, netns });
        self.containers
            .insert(name.to_owned(), crate::container::Container { facts: container.facts, stage });
        self.save(name);
        self.journal.say(&format!("{name}: init {pid} ended: {exit:?}"));
        self.tell(EventBody::Exited { name: name.to_owned(), exit });
    }

    /// Writes the record of a container.
    pub(crate) fn save(&mut self, name: &str) {
        let Some(container) = self.containers.get(name) else { return };
        if let Err(errno) = container.record(name).save(self.home.state()) {
            self.journal.say(&format!("{name}: cannot write its record: {errno}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sys::waitid::Ended;

    #[test]
    fn reboot_is_told_from_power_off_and_from_death() {
        assert_eq!(meaning(Ended::Signal(1)), Exit::Reboot);
        assert_eq!(meaning(Ended::Signal(2)), Exit::PowerOff);
        assert_eq!(meaning(Ended::Signal(9)), Exit::Signal(9));
        assert_eq!(meaning(Ended::Code(0)), Exit::Code(0));
    }

    #[test]
    fn the_end_of_a_process_that_is_not_reaped_is_seen() {
        let end = |script: &str| {
            let mut child = std::process::Command::new("sh").args(["-c", script]).spawn().unwrap();
            let pid = child.id().cast_signed();
            let start = container::start::start_time(pid).unwrap();
            while sys_state(pid) != "Z" {
                std::thread::sleep(Duration::from_millis(1));
            }
            let seen = unreaped_end(pid, start);
            assert_eq!(unreaped_end(pid, start + 1), None);
            child.wait().unwrap();
            assert_eq!(unreaped_end(pid, start), None);
            seen
        };
        assert_eq!(end("exit 3"), Some(Ended::Code(3)));
        assert_eq!(end("kill -9 $$"), Some(Ended::Signal(9)));
    }

    fn sys_state(pid: i32) -> String {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        stat.rsplit_once(") ").unwrap().1[..1].to_owned()
    }
}
