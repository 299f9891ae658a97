//! Silence: what somebody does not want to be told for a while, and what a notification remembers of it.
//!
//! Asked for by `alerts silence`, stored by `store::silence`, judged by `policy::silence`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::name::Name;
use super::time::{Stamp, Wall, rfc3339};

/// Version of the stored form.
pub const SCHEMA: u32 = 1;

/// Of whom nothing is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Whom {
    /// A process or a watch.
    Process(Name),
    /// All of a group.
    Group(String),
    /// Everybody, storms too.
    All,
}

/// One silence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// Whom it covers.
    pub whom: Whom,
    /// When it began.
    pub from: Stamp,
    /// How long it lasts, in milliseconds.
    pub for_ms: u64,
    /// Why; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Who asked for it.
    pub by: String,
}

impl Silence {
    /// What is left of it; `None`: it is over. A clock that was set back while the machine was down ends it: better a message
    /// too many.
    #[must_use]
    pub fn rest(&self, now: &Stamp) -> Option<Duration> {
        if self.from.boot != now.boot && now.wall < self.from.wall {
            return None;
        }
        let rest = Duration::from_millis(self.for_ms).checked_sub(now.since(&self.from))?;
        (!rest.is_zero()).then_some(rest)
    }

    /// Whether it covers this process.
    #[must_use]
    pub fn covers(&self, process: &Name, group: Option<&str>) -> bool {
        match &self.whom {
            Whom::Process(name) => name == process,
            Whom::Group(name) => group == Some(name),
            Whom::All => true,
        }
    }
}

/// A notification was kept for the end of a silence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// When that is, or was to be.
    #[serde(with = "rfc3339")]
    pub until: Wall,
    /// Who asked for silence, and why.
    pub why: String,
}
