//! The end of a container's init, whoever caused it: clean up, then stay, start again or go.

use super::owner::Owner;
use super::revive::unexpected;
use super::stop::Afterwards;
use crate::devices;
use crate::steps::crash_at;
use api::Time;
use model::config::Effective;
use model::power::LastPower;
use model::runtime::protocol::Exit;
use model::state::InstanceState;
use std::io::Write as _;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// What becomes of a container whose init has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Next {
    /// What is remembered of it; `None`: that it runs, as before.
    power: Option<LastPower>,
    /// Its init asked for a reboot, or failed and is to be started again.
    start: bool,
    /// It is ephemeral and has had its life.
    delete: bool,
}

/// What the end was to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// A client wanted it.
    Asked,
    /// Init ended by itself.
    ByItself,
    /// The same, and the container is to run again.
    Revive,
}

fn next(exit: Exit, end: End, afterwards: Afterwards, ephemeral: bool, going_down: bool) -> Next {
    let reboot = end == End::Revive || (exit == Exit::Reboot && end == End::ByItself);
    let (power, once) = match afterwards {
        _ if reboot => (None, false),
        Afterwards::Restart => (None, false),
        Afterwards::HostDown(power) => (Some(power), true),
        Afterwards::Usual => (Some(LastPower::Stopped), true),
    };
    Next { power, start: reboot && !going_down, delete: once && ephemeral }
}

/// How init ended, for people.
fn describe(exit: Exit) -> String {
    match exit {
        Exit::Reboot => "it asked for a reboot".to_owned(),
        Exit::PowerOff => "it powered off".to_owned(),
        Exit::Code(code) => format!("its init exited with code {code}"),
        Exit::Signal(signal) => format!("its init was killed by signal {signal}"),
        Exit::Unknown => "it ended while nobody watched".to_owned(),
    }
}

impl Owner {
    /// Cleans up after init. An ephemeral container is gone afterwards.
    pub(super) async fn ended(&mut self, exit: Exit) {
        let name = self.name().to_owned();
        let asked = self.state_is(|state| matches!(state, InstanceState::Stopping { .. }));
        tracing::info!(instance = name, ?exit, asked, "container ended");
        crash_at("stop:ended");
        let live = self.entry().live();
        let was_live = live.is_some();
        self.entry().set_live(None);
        self.context.balancer.soon();
        self.stop_forwarding().await;
        self.release_interfaces(live.clone()).await;
        if let Err(error) = self.context.keeper.forget(&name).await
            && was_live
        {
            tracing::error!(instance = name, error = &error as &dyn std::error::Error, "cannot forget");
        }
        self.tear_down_door().await;
        crash_at("stop:forgotten");
        if let Err(error) = devices::clear(&self.context, &name).await {
            tracing::error!(instance = name, error = %error.story(), "cannot clear its devices away");
        }
        if let Some(live) = live {
            // Others may look at what it was for a while.
            live.volumes().clear();
        }
        self.context.apparmor.unload(&name).await;
        crash_at("stop:devices");
        let afterwards = std::mem::replace(&mut self.afterwards, Afterwards::Usual);
        let going_down = self.context.going_down.load(Ordering::SeqCst);
        let end = if asked {
            End::Asked
        } else if afterwards == Afterwards::Usual && !going_down && self.is_revived(exit) {
            End::Revive
        } else {
            End::ByItself
        };
        let next = next(exit, end, afterwards, self.record.ephemeral, going_down);
        if let Some(power) = next.power
            && let Err(error) = self.record_power(power).await
        {
            tracing::error!(instance = name, error = %error.story(), "cannot record that it stopped");
        }
        crash_at("stop:recorded");
        self.log_end(exit, asked);
        self.set_state(InstanceState::Stopped);
        self.context.tell(if asked { "container-stopped" } else { "container-shutdown" }, &name);
        if next.delete
            && let Err(error) = self.delete().await
        {
            tracing::error!(instance = name, error = %error.story(), "cannot remove ephemeral container");
        }
        self.entry().ends.send_modify(|ends| *ends += 1);
        if next.start
            && let Err(error) = self.start().await
        {
            tracing::error!(instance = name, error = %error.story(), "cannot start again");
        }
    }

    /// Whether `boot.autorestart` starts it again after this end.
    fn is_revived(&mut self, exit: Exit) -> bool {
        let wanted = Effective::parse(&self.entry().view().expanded_config).is_ok_and(|c| c.autorestart);
        if !wanted || !unexpected(exit) {
            return false;
        }
        let often = !self.revivals.another(Instant::now());
        if often {
            tracing::error!(instance = self.name(), "ended too often in a minute, not started again");
        }
        !often
    }

    /// One line for `lxc info --show-log`: why it does not run any more.
    fn log_end(&self, exit: Exit, asked: bool) {
        let path = self.context.var.log_dir(self.name()).join("lxc.log");
        let how = if asked { "it was stopped".to_owned() } else { describe(exit) };
        let line = format!("{} {} ended: {how}\n", Time::now(), self.name());
        let written = std::fs::File::options()
            .append(true)
            .open(path)
            .and_then(|mut log| log.write_all(line.as_bytes()));
        if let Err(error) = written {
            tracing::debug!(instance = self.name(), %error, "cannot write its log");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: Afterwards = Afterwards::Usual;

    #[test]
    fn an_end_is_remembered_and_ephemeral_containers_go_with_it() {
        let stopped = Next { power: Some(LastPower::Stopped), start: false, delete: false };
        assert_eq!(next(Exit::PowerOff, End::ByItself, USUAL, false, false), stopped);
        assert_eq!(next(Exit::Code(1), End::Asked, USUAL, true, false), Next { delete: true, ..stopped });
        let down = Afterwards::HostDown(LastPower::Frozen);
        let frozen = Next { power: Some(LastPower::Frozen), ..stopped };
        assert_eq!(next(Exit::PowerOff, End::Asked, down, false, true), frozen);
        assert_eq!(next(Exit::PowerOff, End::Asked, down, true, true), Next { delete: true, ..frozen });
    }

    #[test]
    fn a_reboot_starts_it_again_unless_it_was_told_to_stop_or_the_host_goes_down() {
        let again = Next { power: None, start: true, delete: false };
        assert_eq!(next(Exit::Reboot, End::ByItself, USUAL, true, false), again);
        assert_eq!(next(Exit::Reboot, End::ByItself, USUAL, true, true), Next { start: false, ..again });
        assert!(!next(Exit::Reboot, End::Asked, USUAL, false, false).start);
        assert_eq!(next(Exit::Code(1), End::Revive, USUAL, true, false), again);
        assert!(!next(Exit::Code(1), End::ByItself, USUAL, true, false).start);
        assert_eq!(
            next(Exit::PowerOff, End::Asked, Afterwards::Restart, true, false),
            Next { start: false, ..again }
        );
    }
}
