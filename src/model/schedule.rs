//! When a process is started by itself: what the registry says of it, and what is remembered between two passes.

use serde::{Deserialize, Serialize};

use super::time::Wall;

/// What happens to a time that comes while a run still lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Overlap {
    /// It is left out. The default.
    Skip,
    /// It follows the run; one at most waits.
    Queue,
    /// The run is ended, and it follows.
    Kill,
}

/// Whose clock a schedule goes by, as a name of the IANA database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Zone {
    /// That of the machine; `None`: nothing asked for it.
    Machine(Option<String>),
    /// The one that `timezone` names.
    Named(String),
}

impl Zone {
    /// Its name, where one was asked for.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Machine(name) => name.as_deref(),
            Self::Named(name) => Some(name),
        }
    }
}

/// One time of a schedule that has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Occurrence {
    /// When it was due.
    pub at: Wall,
    /// How many times before it went by without a look; one run stands for all of them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub missed: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// What is remembered of a schedule between two looks, so that none of them needs to compute it anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The line that it was made from.
    pub line: String,
    /// The zone that it was made for.
    pub zone: String,
    /// The last time that was dealt with; at first, when the schedule began to count. Only later ones are due.
    pub handled: Wall,
    /// The next time; `None`: there is none.
    pub next: Option<Wall>,
    /// The operator said `stop`: nothing is due until somebody says `start`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
    /// A time that has come and is to be started as soon as nothing of the process runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued: Option<Occurrence>,
}
