//! When a sink may be told: keys that all types have. Judged by `policy::quiet` and `policy::digest`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::event::{EventKind, Severity};
use super::name::Name;
use super::schedule::Zone;

/// What a sink asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timing {
    /// When only what is critical is told.
    pub quiet: Vec<Quiet>,
    /// By whose clock.
    pub zone: Zone,
    /// How long a message waits for others that it could speak for.
    pub group_window: Duration,
    /// A line of a crontab: when all that is not critical is told as one message; `None`: at once.
    pub digest: Option<String>,
}

impl Default for Timing {
    fn default() -> Self {
        Self { quiet: Vec::new(), zone: Zone::Machine(None), group_window: Duration::ZERO, digest: None }
    }
}

/// A time of the day that comes again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quiet {
    /// The days on which it begins, Monday first.
    pub days: [bool; 7],
    /// Minute of the day at which it begins.
    pub from: u16,
    /// Minute of the day at which it ends; not after `from`: on the next day.
    pub to: u16,
}

/// What a digest tells, counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    /// How many notifications it speaks for.
    pub total: usize,
    /// About how many processes.
    pub processes: usize,
    /// The worst of these, the worst first.
    pub rows: Vec<DigestRow>,
}

/// One process of a digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestRow {
    /// Which one.
    pub process: Name,
    /// The worst of it.
    pub severity: Severity,
    /// What happened, how often, in the order of its first time.
    pub kinds: Vec<(EventKind, usize)>,
}
