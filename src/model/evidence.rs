//! What was observed of one run, before anybody judges it.
//!
//! Every part can be unknown, and unknown is a value of its own: nothing here has a default.

use serde::{Deserialize, Serialize};

use super::ending::{SignalRecord, WaitStatus};
use super::time::{Identity, Stamp};

/// Whether a lock that proves life is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// Somebody holds it: its holder lives.
    Held,
    /// Nobody holds it.
    Free,
    /// It could not be asked.
    Unknown,
}

/// Whether a process that was identified earlier still lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// The very same process exists and is no zombie.
    Alive,
    /// It ended: its pid is free, a zombie, or belongs to somebody else.
    Gone,
    /// It could not be asked.
    Unknown,
}

/// The end of a run, as its shim recorded it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// What the kernel said.
    pub status: WaitStatus,
    /// When.
    pub at: Stamp,
    /// User CPU time of the process and the children it waited for, in milliseconds.
    pub user_ms: u64,
    /// System CPU time likewise.
    pub system_ms: u64,
    /// Largest resident set of any one of them, in KiB.
    pub max_rss_kib: u64,
    /// Whether other processes of the run lived on.
    pub leftover: bool,
    /// Size of the log at the end, in bytes.
    pub log_bytes: Option<u64>,
}

/// Why the program never ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpawnFailure {
    /// The system's error number.
    pub errno: i32,
    /// Which step failed.
    pub step: SpawnStep,
    /// When.
    pub at: Stamp,
}

/// The steps between fork and the first instruction of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpawnStep {
    /// Creating the process.
    Fork,
    /// Entering the working directory.
    Cwd,
    /// Executing the program.
    Exec,
}

/// What the shim wrote down about one run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunRecord {
    /// The shim itself.
    pub shim: Option<Identity>,
    /// Size of the log before the run, in bytes.
    pub log_began: Option<u64>,
    /// The main process.
    pub main: Option<Identity>,
    /// When the main process was made.
    pub began: Option<Stamp>,
    /// Signals seen, oldest first.
    pub signals: Vec<SignalRecord>,
    /// Signals seen but not kept, beyond the limit.
    pub more_signals: u64,
    /// Why signals are not traced although that was asked for: the system's error number.
    pub untraced: Option<i32>,
    /// Why the program never ran.
    pub spawn_failure: Option<SpawnFailure>,
    /// The end.
    pub end: Option<End>,
}

/// What could be read of the run's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// The record, with a torn last line dropped.
    Read(Box<RunRecord>),
    /// There is none.
    Missing,
    /// There is one, but it cannot be trusted; in words.
    Unreadable(String),
}

/// All that was observed of the open run of one process, at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// When it was observed.
    pub now: Stamp,
    /// The lock that only the shim holds.
    pub shim_lock: Lock,
    /// The lock that the run's processes inherit.
    pub tree_lock: Lock,
    /// The main process, when the record names it.
    pub main: Life,
    /// The record.
    pub record: Recorded,
}
