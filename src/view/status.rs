//! `status`: where every process stands, as JSON for programs and as a table for people.

use serde::Serialize;

use crate::model::ending::{EndedRun, Sender, SignalRecord};
use crate::model::spec::Command;
use crate::model::state::{Desired, Phase};
use crate::model::time::Wall;
use crate::model::units::human_duration;
use crate::policy::classify::Standing;
use crate::policy::decide::Decision;

use super::words::{cause_phrase, strip_control};

/// The state word of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Never started.
    New,
    /// Its shim is starting it.
    Starting,
    /// It runs under its shim.
    Running,
    /// It runs, its shim is gone.
    Unsupervised,
    /// A restart is due.
    Waiting,
    /// The target was met.
    Completed,
    /// Somebody stopped it.
    Stopped,
    /// Target unmet, and policy will not restart it.
    Dead,
    /// The breaker is open.
    Tripped,
}

impl State {
    /// Where a process stands, going by what would be decided about it now.
    #[must_use]
    pub fn of(decision: &Decision) -> Self {
        match (&decision.state.phase, &decision.standing) {
            (Phase::New, _) => Self::New,
            (Phase::Completed, _) => Self::Completed,
            (Phase::Stopped, _) => Self::Stopped,
            (Phase::Dead, _) => Self::Dead,
            (Phase::Tripped { .. }, _) => Self::Tripped,
            // It has ended and the next run is due now.
            (Phase::Waiting { .. }, _) | (Phase::Open(_), None | Some(Standing::Ended(_) | Standing::Closing)) => Self::Waiting,
            (Phase::Open(_), Some(Standing::Starting | Standing::NeverBegan)) => Self::Starting,
            (Phase::Open(_), Some(Standing::Running | Standing::Uncertain(_))) => Self::Running,
            (Phase::Open(_), Some(Standing::Unsupervised | Standing::Remnants)) => Self::Unsupervised,
        }
    }

    /// The word itself.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Unsupervised => "unsupervised",
            Self::Waiting => "waiting",
            Self::Completed => "completed",
            Self::Stopped => "stopped",
            Self::Dead => "dead",
            Self::Tripped => "tripped",
        }
    }

    /// Whether a process of it lives.
    #[must_use]
    pub fn is_alive(self) -> bool {
        match self {
            Self::Starting | Self::Running | Self::Unsupervised => true,
            Self::New | Self::Waiting | Self::Completed | Self::Stopped | Self::Dead | Self::Tripped => false,
        }
    }
}
