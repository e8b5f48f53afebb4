//! The end of a container's init, whoever caused it: clean up, then stay, start again or go.

use super::owner::Owner;
use super::stop::Afterwards;
use crate::steps::crash_at;
use model::power::LastPower;
use model::runtime::protocol::Exit;
use model::state::InstanceState;

impl Owner {
    /// Cleans up after init. An ephemeral container is gone afterwards.
    pub(super) async fn ended(&mut self, exit: Exit) {
        let name = self.name().to_owned();
        let asked = self.state_is(|state| matches!(state, InstanceState::Stopping { .. }));
        let reboot = exit == Exit::Reboot && !asked;
        tracing::info!(instance = name, ?exit, asked, "container ended");
        crash_at("stop:ended");
        self.entry().set_live(None);
        if let Err(error) = self.context.keeper.forget(&name).await {
            tracing::error!(instance = name, error = &error as &dyn std::error::Error, "cannot forget");
        }
        crash_at("stop:forgotten");
        if !reboot && let Err(error) = self.record_power(LastPower::Stopped).await {
            tracing::error!(instance = name, error = %error.story(), "cannot record that it stopped");
        }
        crash_at("stop:recorded");
        let afterwards = std::mem::replace(&mut self.afterwards, Afterwards::Usual);
        self.set_state(InstanceState::Stopped);
        self.entry().ends.send_modify(|ends| *ends += 1);
        self.context.tell(if asked { "container-stopped" } else { "container-shutdown" }, &name);
        if reboot {
            if let Err(error) = self.start().await {
                tracing::error!(instance = name, error = %error.story(), "cannot start again after a reboot");
            }
        } else if self.record.ephemeral
            && afterwards == Afterwards::Usual
            && let Err(error) = self.delete().await
        {
            tracing::error!(instance = name, error = %error.story(), "cannot remove ephemeral container");
        }
    }
}
