//! Why guardian ends a run: asked to, or because of a limit.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ending::Cause;
use super::progress::Silence;
/// Why guardian itself set out to end a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// `stop`, `restart`, `deregister --stop`.
    Operator,
    /// `time_limit`.
    TimeLimit,
    /// `stop_at_target`.
    Target,
    /// No sign of progress.
    Hung {
        /// For how long, in seconds.
        silent_s: u64,
        /// Which sign is missing.
        #[serde(default)]
        silence: Silence,
    },
    /// Its processes together used more than `memory`.
    MemoryLimit {
        /// The limit, in bytes.
        limit_bytes: u64,
    },
    /// Not ready in time.
    NotReady {
        /// The time that it had, in seconds.
        after_s: u64,
    },
    /// Something that it depends on has ended, or has come back as another run.
    Dependency,
    /// The next time of its schedule has come, and `overlap` is `kill`.
    Overlap,
    /// guardian's loop ends, and with it all that runs; what is desired stays.
    Shutdown,
}

impl StopReason {
    /// The cause of an end that guardian brought about for this reason; `None`: how it ended is what counts.
    /// `time_limit`: that of the process.
    #[must_use]
    pub fn cause(self, time_limit: Option<Duration>) -> Option<Cause> {
        match self {
            Self::Operator | Self::Target | Self::Dependency | Self::Shutdown => None,
            Self::TimeLimit => time_limit.map(|limit| Cause::TimeLimit { limit_s: limit.as_secs() }),
            Self::Hung { silent_s, silence } => Some(Cause::Hung { silent_s, silence: Some(silence) }),
            Self::MemoryLimit { limit_bytes } => Some(Cause::MemoryLimit { limit_bytes }),
            Self::NotReady { after_s } => Some(Cause::NotReady { after_s }),
            Self::Overlap => Some(Cause::Overlap),
        }
    }

    /// Whether guardian ends the run because something is wrong with it.
    #[must_use]
    pub fn is_limit(self) -> bool {
        match self {
            Self::Operator | Self::Target | Self::Dependency | Self::Shutdown => false,
            Self::TimeLimit | Self::Hung { .. } | Self::MemoryLimit { .. } | Self::NotReady { .. } | Self::Overlap => {
                true
            }
        }
    }

    /// What is done, for the history.
    #[must_use]
    pub fn action(self) -> &'static str {
        match self {
            Self::Operator => "asked to end",
            Self::Target => "asked to end: its target is reached",
            Self::TimeLimit => "asked to end: its time limit is reached",
            Self::Hung { silence: Silence::Probe, .. } => "asked to end: its probe fails",
            Self::Hung { silence: Silence::Watchdog, .. } => "asked to end: it sends no `WATCHDOG=1`",
            Self::Hung { .. } => "asked to end: it shows no progress",
            Self::MemoryLimit { .. } => "asked to end: it uses more memory than its limit",
            Self::NotReady { .. } => "asked to end: it was not ready in time",
            Self::Dependency | Self::Shutdown => "asked to end",
            Self::Overlap => "asked to end: its schedule starts the next run, and `overlap` is `kill`",
        }
    }
}
