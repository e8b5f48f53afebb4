//! Stop: ask init to end, or kill it, and wait until everything is gone.

use super::owner::{Owner, Request};
use super::registry::Entry;
use crate::{Error, steps::crash_at};
use model::config::{get, parse_raw_lxc};
use model::power::LastPower;
use model::state::InstanceState;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::Duration;

/// How long the kernel may take to end what was killed, in seconds.
const KILL_LIMIT: u64 = 30;
/// When a kill has not worked by then, every process is killed, not only init.
const KILL_ALL_AFTER: Duration = Duration::from_secs(5);
/// How long thawing may take.
const THAW_LIMIT: Duration = Duration::from_secs(5);

/// What to do once it has ended, other than the usual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Afterwards {
    /// Ephemeral containers are removed.
    Usual,
    /// It will be started again: ephemeral containers stay.
    Restart,
    /// The host goes down: remember what it did until now.
    HostDown(LastPower),
}

/// Stops a container and waits for its end, at most `timeout` seconds (below zero: for ever).
pub(super) async fn stop(
    entry: &Arc<Entry>,
    timeout: i64,
    force: bool,
    afterwards: Afterwards,
) -> Result<(), Error> {
    let mut ends = entry.ends.subscribe();
    let before = *ends.borrow_and_update();
    let signals = Signals::of(entry);
    let deaf = entry.live().is_some_and(|live| !signals.listens(live.pid));
    entry.ask(|reply| Request::Stop { force, afterwards, reply }).await?;
    let ended = async {
        // The sender lives in the entry, which we hold.
        let _ = ends.wait_for(|ends| *ends != before).await;
    };
    if force {
        return killed(entry, ended).await;
    }
    let ended = async {
        tokio::select! {
            () = ended => {}
            () = tell_when_it_listens(entry, signals), if deaf => {}
        }
    };
    let Ok(seconds) = u64::try_from(timeout) else {
        ended.await;
        return Ok(());
    };
    tokio::pin!(ended);
    if tokio::time::timeout(Duration::from_secs(seconds), &mut ended).await.is_err() {
        if entry.live().is_none() {
            // It has ended; what remains is being cleaned up.
            ended.await;
            return Ok(());
        }
        entry.tell(Request::GiveUpStop).await;
        return Err(Error::StopTimeout { name: entry.view().name.clone(), seconds: timeout });
    }
    Ok(())
}

/// The kernel drops a signal that the first process of a namespace does not handle, and an init that
/// has only just been executed handles none. Waits until it does, then repeats what was lost.
async fn tell_when_it_listens(entry: &Arc<Entry>, signals: Signals) {
    while let Some(live) = entry.live() {
        if signals.listens(live.pid) {
            // Whether it is gone meanwhile is what the caller waits for.
            let _ = sys::pidfd::send_signal(live.pidfd.as_fd(), signals.halt(live.pid));
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    std::future::pending::<()>().await;
}

async fn killed(entry: &Arc<Entry>, ended: impl Future<Output = ()>) -> Result<(), Error> {
    tokio::pin!(ended);
    if tokio::time::timeout(KILL_ALL_AFTER, &mut ended).await.is_ok() {
        return Ok(());
    }
    if let Some(live) = entry.live() {
        let result = tokio::task::spawn_blocking(move || live.cgroup.kill(Duration::from_secs(5))).await;
        tracing::warn!(instance = entry.view().name, ?result, "init did not die, killed every process");
    }
    let rest = Duration::from_secs(KILL_LIMIT) - KILL_ALL_AFTER;
    tokio::time::timeout(rest, ended)
        .await
        .map_err(|_| Error::Stuck { name: entry.view().name.clone(), seconds: KILL_LIMIT })
}

impl Owner {
    /// Sends the signal; the end comes as a message of its own.
    pub(super) async fn begin_stop(&mut self, force: bool, afterwards: Afterwards) -> Result<(), Error> {
        let name = self.name().to_owned();
        let Some(live) = self.entry().live() else {
            // An error state without processes: what is left is cleaned up as after an end.
            self.ended(model::runtime::protocol::Exit::Unknown).await;
            return Ok(());
        };
        crash_at("stop:signal");
        self.afterwards = afterwards;
        if !force || self.state_is(|s| matches!(s, InstanceState::Frozen { .. })) {
            self.thaw(THAW_LIMIT).await?;
        }
        let signals = Signals::of(self.entry());
        let signal = if force { signals.stop.unwrap_or(SIGKILL) } else { signals.halt(live.pid) };
        match sys::pidfd::send_signal(live.pidfd.as_fd(), signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => {}
            Err(error) => {
                return Err(Error::Runtime {
                    step: format!("signal init of {name}"),
                    reason: error.to_string(),
                    errno: Some(error.raw_os_error()),
                });
            }
        }
        crash_at("stop:signalled");
        self.set_state(InstanceState::Stopping { pid: Some(live.pid), forced: force });
        Ok(())
    }

    /// Nobody waits any more for an orderly stop that has not happened.
    pub(super) fn give_up_stop(&mut self) {
        self.afterwards = Afterwards::Usual;
        let state = self.entry().state.borrow().clone();
        if let InstanceState::Stopping { pid: Some(pid), forced: false } = state {
            self.set_state(InstanceState::Running { pid });
        }
    }
}

/// `signal(7)`.
const SIGKILL: i32 = 9;
/// What init systems other than systemd take for "power off".
const SIGPWR: i32 = 30;
/// `SIGRTMIN`, as the kernel and both C libraries have it for programs, plus 3: `systemd(1)` halts.
const SYSTEMD_HALT: i32 = 37;

/// The signals that `raw.lxc` names in place of the usual ones.
#[derive(Clone, Copy)]
struct Signals {
    halt: Option<i32>,
    stop: Option<i32>,
}

impl Signals {
    fn of(entry: &Entry) -> Self {
        let view = entry.view();
        let raw = get(&view.expanded_config, "raw.lxc").and_then(|text| parse_raw_lxc(text).ok());
        let raw = raw.unwrap_or_default();
        Self { halt: raw.halt, stop: raw.stop }
    }

    /// Whether init deals with a signal that asks it to end.
    fn listens(self, pid: i32) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        match self.halt {
            Some(SIGKILL) => true,
            Some(signal) => handles(&status, signal),
            None => handles(&status, SYSTEMD_HALT) || handles(&status, SIGPWR),
        }
    }

    /// SIGRTMIN+3 for an init that deals with it (systemd), else SIGPWR.
    fn halt(self, pid: i32) -> i32 {
        if let Some(signal) = self.halt {
            return signal;
        }
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        if handles(&status, SYSTEMD_HALT) { SYSTEMD_HALT } else { SIGPWR }
    }
}

/// Whether a process blocks (to read it by signalfd) or catches a signal, see `proc_pid_status(5)`.
fn handles(status: &str, signal: i32) -> bool {
    ["SigBlk:", "SigCgt:"].iter().any(|field| {
        status
            .lines()
            .find_map(|line| line.strip_prefix(field))
            .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
            .is_some_and(|mask| mask & (1 << (signal - 1)) != 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systemd_blocks_its_halt_signal_and_others_do_not() {
        let systemd = "Name:\tsystemd\nSigBlk:\t7be3c0fe28014a03\nSigCgt:\t00000000000004ec\n";
        let busybox = "Name:\tinit\nSigBlk:\t0000000000000000\nSigCgt:\t0000000020004002\n";
        assert!(handles(systemd, 37));
        assert!(!handles(busybox, 37));
        assert!(handles(busybox, 30), "SIGPWR is caught");
    }
}
