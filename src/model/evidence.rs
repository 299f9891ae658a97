//! What was observed of one run, before anybody judges it.
//!
//! Every part can be unknown, and unknown is a value of its own: nothing here has a default.

use serde::{Deserialize, Serialize};

use super::ending::{Ancestor, SignalRecord, Unseen, WaitStatus};
use super::liveness::Probed;
use super::progress::Inspection;
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
    /// User CPU time of the process and the children it waited for, in milliseconds; `None`: not known, as the next two.
    #[serde(default)]
    pub user_ms: Option<u64>,
    /// System CPU time likewise.
    #[serde(default)]
    pub system_ms: Option<u64>,
    /// Largest resident set of any one of them, in KiB.
    #[serde(default)]
    pub max_rss_kib: Option<u64>,
    /// Whether other processes of the run lived on.
    pub leftover: bool,
    /// Which ones did, where any did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<Left>,
    /// Size of the log at the end, in bytes.
    pub log_bytes: Option<u64>,
    /// Resource limits that it had at its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// What is known of the kernel killing for want of memory; `None`: nothing was looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oom: Option<Oom>,
    /// Most memory that the processes of the run used together, in bytes, where a control group counted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_peak_bytes: Option<u64>,
    /// Where the kernel put the core dump, or was told to put it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub core: Option<String>,
}

impl End {
    /// User and system CPU time together, in milliseconds; `None`: not known.
    #[must_use]
    pub fn cpu_ms(&self) -> Option<u64> {
        self.user_ms.zip(self.system_ms).map(|(user, system)| user + system)
    }
}

/// Processes that lived on when the main one had ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// How many.
    pub count: usize,
    /// Up to [`Left::NAMED`] of them.
    pub some: Vec<Ancestor>,
}

impl Left {
    /// Most that are named.
    pub const NAMED: usize = 4;

    /// What is so, in words: `2 other processes lived on: 12 (sleep), 13 (cat)`.
    #[must_use]
    pub fn sentence(&self) -> String {
        let named: Vec<String> =
            self.some.iter().map(|process| format!("{} ({})", process.pid, process.comm)).collect();
        let more = if self.count > self.some.len() && !named.is_empty() { ", …" } else { "" };
        let plural = if self.count == 1 { "" } else { "es" };
        let colon = if named.is_empty() { "" } else { ": " };
        format!("{} other process{plural} lived on{colon}{}{more}", self.count, named.join(", "))
    }
}

/// That a run ended, where the kernel would not say how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gone {
    /// When.
    pub at: Stamp,
    /// Which other processes of the run lived on, where any did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<Left>,
    /// Size of the log at the end, in bytes.
    pub log_bytes: Option<u64>,
}

/// A new shim took a run over whose shim was killed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenOver {
    /// When.
    pub at: Stamp,
    /// Why signals are not traced any more although that was asked for: the system's error number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub untraced: Option<i32>,
}

/// The main process put itself into the background: what it left is the main process now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Followed {
    /// Pid of the one that ended.
    pub from: i32,
    /// How that one ended: well.
    pub status: WaitStatus,
    /// Why signals to the new one are not traced although that was asked for: the system's error number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub untraced: Option<i32>,
    /// When.
    pub at: Stamp,
}

/// Resource limits of a process that the kernel ends it by; `None`: unlimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// CPU time after which it gets SIGXCPU, in seconds (soft `RLIMIT_CPU`): the kernel adds one with each that it sends.
    pub cpu_s: Option<u64>,
    /// CPU time after which it is killed, in seconds (hard `RLIMIT_CPU`).
    pub cpu_hard_s: Option<u64>,
    /// Largest file that it may write, in bytes (soft `RLIMIT_FSIZE`).
    pub file_bytes: Option<u64>,
    /// CPU time that it used itself, in milliseconds: what its children used does not count against the limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_ms: Option<u64>,
}

/// What is known of the kernel killing processes of a run for want of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Oom {
    /// Whether the kernel's own record names the main process; `None`: the record cannot be read, or may have gaps.
    pub named: Option<bool>,
    /// How many processes it killed in the run's own control group; `None`: there is no such group, or no counter.
    pub own_group: Option<u64>,
    /// The limit that ran out, in bytes; `None`: not known, or the machine's own memory.
    pub limit_bytes: Option<u64>,
}

/// What keeps a run alive when its caller is ended as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// A control group of its own.
    Cgroup,
    /// A transient scope of systemd, with a control group of its own in it.
    Scope,
    /// A session of its own; the control group is the caller's.
    Session,
}

/// Where a run was put at its start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// The level that was reached.
    pub level: Level,
    /// The control group of the run's processes, as a path from the root of its hierarchy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cgroup: Option<String>,
    /// Whether the kernel keeps the limit `memory`; else guardian watches it.
    pub keeps_memory: bool,
    /// Why no better level was reached, or what of the limits is not kept, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
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

impl SpawnFailure {
    /// Whether a process was made that could not become the program: its end is not the program's.
    #[must_use]
    pub fn is_of_the_child(&self) -> bool {
        matches!(self.step, SpawnStep::User | SpawnStep::Cwd | SpawnStep::Exec)
    }
}

/// Why the program was not started: a line of its `preflight` did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreflightFailure {
    /// Exit code of the line; `None`: a signal ended it, or time ran out.
    pub code: Option<i32>,
    /// Which line, what became of it and what it wrote last, in words.
    pub what: String,
    /// When.
    pub at: Stamp,
}

/// That the program is ready, as somebody saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// When it was seen.
    pub at: Stamp,
    /// What showed it, as the registry has it.
    pub by: String,
}

/// What a program says of itself through sd_notify, beside being ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// It is about to end (`STOPPING=1`).
    Stopping(Stamp),
    /// This is its main process (`MAINPID=`).
    Main(i32),
    /// It needs until then to get ready (`EXTEND_TIMEOUT_USEC=`).
    Extended(Stamp),
}

/// The steps between fork and the first instruction of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpawnStep {
    /// Creating the process.
    Fork,
    /// Becoming its user.
    User,
    /// Entering the working directory.
    Cwd,
    /// Executing the program.
    Exec,
    /// Putting it into a control group of its own, where nothing less is allowed.
    Isolate,
    /// Reading its `env_file`, before any process is made.
    EnvFile,
    /// None of these, as far as is known: the shim ended before it wrote down anything.
    Shim,
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
    /// Where it was put.
    pub placed: Option<Placed>,
    /// Signals seen, oldest first.
    pub signals: Vec<SignalRecord>,
    /// Signals seen but not kept, beyond the limit.
    pub more_signals: u64,
    /// Why signals are not traced although that was asked for: the system's error number.
    pub untraced: Option<i32>,
    /// Why nothing shows who sent the signal that ended it.
    pub unseen: Option<Unseen>,
    /// Why the program never ran.
    pub spawn_failure: Option<SpawnFailure>,
    /// Why the program was not started, where a preflight stood before it.
    pub preflight_failure: Option<PreflightFailure>,
    /// Its preflight has begun and has not succeeded: the program was not started.
    pub preparing: bool,
    /// Size of the log when the program began, after a preflight, in bytes.
    pub program_log: Option<u64>,
    /// That it is ready.
    pub ready: Option<Ready>,
    /// When it said that it is about to end.
    pub stopping: Option<Stamp>,
    /// The main process that it named.
    pub named_main: Option<i32>,
    /// Until when it asked for time to get ready.
    pub extended: Option<Stamp>,
    /// The end.
    pub end: Option<End>,
    /// The end, where only that there was one is known.
    pub gone: Option<Gone>,
    /// When it was adopted, where it ran already.
    pub adopted: Option<Stamp>,
    /// Takeovers by a new shim, oldest first.
    pub taken_over: Vec<TakenOver>,
    /// Changes of the main process, oldest first; `main` is the last.
    pub followed: Vec<Followed>,
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
    /// The look at its signs of progress, where one was due and taken.
    pub inspection: Option<Inspection>,
    /// The answer to its `probe`, where that was due and asked for.
    pub probed: Option<Probed>,
    /// The last lines that it wrote, where it is over: oldest first, clean. `None`: not looked at, or not readable.
    pub tail: Option<Vec<String>>,
    /// When process 1 began, in milliseconds on the boot clock, where nobody recorded the end: a container that was started
    /// anew has the boot of its machine. `None`: not asked, or not known.
    pub init_began: Option<u64>,
    /// systemd ends everything now, because the machine or the user's manager goes down.
    pub ends_all: bool,
}
