//! The kernel's own record of signals where the platform has none: that is said.

use crate::model::ending::Unseen;

/// A signal that the kernel made for the process that was asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Which one.
    pub signal: i32,
    /// When, in milliseconds on the boot clock.
    pub boot_ms: u64,
    /// `si_code`: who it is from.
    pub code: i32,
    /// The thread that ran when it was made.
    pub thread: i32,
    /// That thread's name; `None`: the kernel has forgotten it.
    pub comm: Option<String>,
    /// Nothing is missing from the record since, as far as can be told.
    pub followed: bool,
}

impl Made {
    /// Nothing was ever made known here.
    #[must_use]
    pub fn by_a_process(&self) -> bool {
        false
    }

    /// Nothing was ever made known here.
    #[must_use]
    pub fn by_kill(&self) -> bool {
        false
    }
}

/// What the record holds about one process.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// Signals made for it, oldest first.
    pub signals: Vec<Made>,
    /// Whether the kernel chose it as a victim when memory ran out.
    pub victim: bool,
    /// Since when the record is complete, in milliseconds on the boot clock.
    pub since_ms: u64,
}

/// There is no such record to keep.
pub fn keep() {}

/// There is no such record to empty.
pub fn tidy() {}

/// There is no such record.
///
/// # Errors
/// Always [`Unseen::NoRecord`].
pub fn about(_pid: i32, _from_ms: u64, _to_ms: u64) -> Result<Found, Unseen> {
    Err(Unseen::NoRecord)
}

/// Not known here.
#[must_use]
pub fn was_oom_victim(_pid: i32, _from_ms: u64, _to_ms: u64) -> Option<bool> {
    None
}

/// Not asked for here.
#[must_use]
pub fn started_ms(_pid: i32) -> u64 {
    0
}

/// Nothing was ever made known here.
#[must_use]
pub fn process_of(_made: &Made) -> Option<i32> {
    None
}
