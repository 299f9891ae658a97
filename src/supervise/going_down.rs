//! A run that the service manager ended because the machine, or the user's last session, goes down.
//!
//! What is started now would be killed in a moment, and would hold that up until then: systemd waits for what is left in a
//! scope. The pass after the boot starts it. It is no failure of the process, and does not count for the breaker.

use std::borrow::Cow;
use std::time::Duration;

use crate::error::Error;
use crate::model::state::Phase;
use crate::os::managers;
use crate::policy::decide::Decision;
use crate::policy::trigger::{Manager, manager};
use crate::view::words::telling_signal;

use super::Held;

/// A pass that runs meanwhile starts nothing for so long.
const PAUSE: Duration = Duration::from_secs(60);

impl Held<'_> {
    /// The decision again, where it would start a run that could not last.
    pub(super) fn while_going_down(&mut self, decision: Decision<'static>) -> Result<Decision<'static>, Error> {
        let state: &Cow<_> = &decision.state;
        let Some(ended) = state.last.as_ref() else { return Ok(decision) };
        let is_new = self.state.last.as_ref().map(|last| last.run) != Some(ended.run);
        let goes_on = matches!(state.phase, Phase::Open(_) | Phase::Waiting { .. } | Phase::Tripped { .. });
        if !is_new || !goes_on {
            return Ok(decision);
        }
        let sender = telling_signal(&ended.cause, &ended.signals).and_then(|record| record.sender.as_ref());
        let all_ends = match sender.and_then(manager) {
            Some(Manager::Shutdown) => true,
            Some(Manager::Manager) => managers::is_stopping(),
            None => false,
        };
        if !all_ends {
            return Ok(decision);
        }
        self.goes_down = true;
        self.later = self.later.max(PAUSE);
        self.consider()
    }
}
