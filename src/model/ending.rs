//! How a run ended and what that means.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::evidence::{Left, SpawnStep};
use super::progress::Silence;
use super::signal::Signal;
use super::time::{Stamp, Wall};

pub use super::stop_reason::StopReason;

/// How a run ended, as far as the evidence goes; never guessed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Cause {
    /// The program ended by itself, with this code. A code of 137 that it chose is this, too.
    Exited {
        /// 0 to 255.
        code: i32,
    },
    /// A signal ended it.
    Signaled {
        /// Which one.
        signal: Signal,
        /// Whether the kernel wrote a core dump.
        core_dumped: bool,
    },
    /// The kernel killed it because memory had run out: in its control group, or on the whole machine.
    OomKilled {
        /// The limit of the group that ran out, in bytes; `None`: not known, or the machine itself.
        limit_bytes: Option<u64>,
    },
    /// guardian ended it: it lived and showed no progress.
    Hung {
        /// For how long there was no sign of progress, in seconds.
        silent_s: u64,
        /// Which sign it was; `None`: an earlier version wrote this.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        silence: Option<Silence>,
    },
    /// guardian ended it, for its `time_limit`.
    TimeLimit {
        /// The limit, in seconds.
        limit_s: u64,
    },
    /// guardian ended it: its processes together used more than `memory`.
    MemoryLimit {
        /// The limit, in bytes.
        limit_bytes: u64,
    },
    /// The kernel ended it: it used more CPU time than its resource limit (`RLIMIT_CPU`) allows.
    CpuLimit {
        /// The limit, in seconds of CPU time.
        limit_s: u64,
    },
    /// The kernel ended it: it wrote a file beyond its resource limit (`RLIMIT_FSIZE`).
    FileSizeLimit {
        /// The limit, in bytes.
        limit_bytes: u64,
    },
    /// The program never ran.
    SpawnFailed {
        /// The system's error number.
        errno: i32,
        /// Which step failed, on what, in words.
        what: String,
        /// Which step that was; `None`: an earlier version wrote this.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<SpawnStep>,
    },
    /// Its schedule started the next run, and `overlap` is `kill`.
    Overlap,
    /// A command of its `preflight` failed, so the program was not started.
    PreflightFailed {
        /// The command's exit code; `None`: a signal ended it, or it took too long.
        code: Option<i32>,
        /// Which command, and what it said last, in words.
        what: String,
    },
    /// guardian ended it: it was not ready in time.
    NotReady {
        /// The time that it had, in seconds.
        after_s: u64,
    },
    /// The machine went down under it.
    Reboot,
    /// Shim and process are both gone and nobody recorded the end.
    ShimKilled,
    /// The evidence does not say.
    Unknown {
        /// What is missing or unreadable.
        why: String,
    },
}

impl Cause {
    /// What [`Self::kind`] may be, in the order of the contract.
    pub const KINDS: [&'static str; 14] = [
        "exited",
        "signaled",
        "oom_killed",
        "time_limit",
        "hung",
        "memory_limit",
        "cpu_limit",
        "file_size_limit",
        "spawn_failed",
        "preflight_failed",
        "not_ready",
        "reboot",
        "shim_killed",
        "unknown",
    ];

    /// The word for it in the contract: `exited`, `signaled`, …
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Exited { .. } => "exited",
            Self::Signaled { .. } => "signaled",
            Self::OomKilled { .. } => "oom_killed",
            Self::Hung { .. } => "hung",
            Self::TimeLimit { .. } => "time_limit",
            Self::MemoryLimit { .. } => "memory_limit",
            Self::CpuLimit { .. } => "cpu_limit",
            Self::FileSizeLimit { .. } => "file_size_limit",
            Self::PreflightFailed { .. } => "preflight_failed",
            Self::NotReady { .. } => "not_ready",
            Self::Overlap => "overlap",
            Self::SpawnFailed { .. } => "spawn_failed",
            Self::Reboot => "reboot",
            Self::ShimKilled => "shim_killed",
            Self::Unknown { .. } => "unknown",
        }
    }
}

/// What an end means against the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The target was met.
    Completed,
    /// It ended before its time, whatever the code.
    Premature,
    /// It ended in time or as a job, but not well.
    Failed,
    /// Somebody asked for it.
    Stopped,
}

impl Verdict {
    /// The word for it in the contract.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Premature => "premature",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
        }
    }
}

/// What the kernel said of the main process when it was waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitStatus {
    /// It called exit with this code.
    Code(i32),
    /// This signal ended it; the flag tells of a core dump.
    Signal(Signal, bool),
}

impl WaitStatus {
    /// As a shell would give it: the code, or 128 + the signal.
    #[must_use]
    pub fn code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal, _) => 128 + signal.0,
        }
    }

    /// The cause this is when nothing else is known.
    #[must_use]
    pub fn cause(self) -> Cause {
        match self {
            Self::Code(code) => Cause::Exited { code },
            Self::Signal(signal, core_dumped) => Cause::Signaled { signal, core_dumped },
        }
    }
}

/// One process in the chain from a sender up to init.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ancestor {
    /// Its pid.
    pub pid: i32,
    /// Its short name.
    pub comm: String,
}

/// Who sent a signal or gave a command, as far as it could be read before it was gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sender {
    /// Its pid; 0: it is outside of this pid namespace.
    pub pid: i32,
    /// Its user; `None`: not known, the kernel's own record does not name it.
    pub uid: Option<u32>,
    /// Its short name; `None`: it was gone already, or is not ours to read.
    pub comm: Option<String>,
    /// Its command line, cut at 256 bytes.
    pub cmdline: Option<String>,
    /// Its parent, grandparent, … up to init.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<Ancestor>,
    /// Its control group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cgroup: Option<String>,
    /// Which part of guardian itself it is, by its executable; `None`: none, or it could not be told.
    #[serde(default)]
    pub guardian: Option<Part>,
    /// It is the managed process itself, which raised the signal.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub itself: bool,
}

impl Sender {
    /// One of whom only the pid is known.
    #[must_use]
    pub fn gone(pid: i32, uid: Option<u32>, comm: Option<String>) -> Self {
        Self { pid, uid, comm, cmdline: None, parents: Vec::new(), cgroup: None, guardian: None, itself: false }
    }
}

/// A part of guardian that sends signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// A pass: `guardian healthcheck`.
    Pass,
    /// A shim.
    Shim,
    /// `guardian start`.
    Start,
    /// `guardian stop`.
    Stop,
    /// `guardian restart`.
    Restart,
    /// `guardian deregister`.
    Deregister,
    /// Another command.
    Command,
}

/// Where a recorded signal arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrived {
    /// At the shim, which passed it on.
    Shim,
    /// At the process itself (seen by tracing).
    Process,
    /// At the process itself (found in the kernel's own record of signals).
    Kernel,
}

/// Why nothing shows who sent the signal that ended a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unseen {
    /// The kernel's own record of signals may be read by root only.
    NotRoot,
    /// This kernel or container has no such record.
    NoRecord,
    /// The record counts pids of another namespace.
    Namespace,
    /// The record was off.
    Off,
    /// The record began, or lost something, during the run.
    Gap,
    /// The record was on, and has no such signal to the main process.
    NotThere,
}

/// One signal on its way to the managed process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalRecord {
    /// Which one.
    pub signal: Signal,
    /// When, on the wall clock.
    #[serde(with = "super::time::rfc3339")]
    pub at: Wall,
    /// Where it arrived.
    pub to: Arrived,
    /// Who sent it; `None`: the kernel did.
    pub sender: Option<Sender>,
    /// The process lived on after it, as far as can be told: it is not what ended the run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub survived: bool,
}

/// A run that is over, judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EndedRun {
    /// Which run.
    pub run: u64,
    /// When it began.
    pub began: Stamp,
    /// When it ended; `None`: not known, it was found dead.
    pub ended: Option<Wall>,
    /// How long it lived, on the boot clock, in milliseconds; `None`: not known.
    pub ran_ms: Option<u64>,
    /// What it meant.
    pub verdict: Verdict,
    /// How it ended.
    pub cause: Cause,
    /// What the kernel said, where somebody waited for it.
    pub status: Option<WaitStatus>,
    /// Signals on their way to it, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signals: Vec<SignalRecord>,
    /// Who asked for the end, where somebody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_by: Option<Sender>,
    /// Pid of its main process.
    pub pid: Option<i32>,
    /// Other processes of the run that lived on when it had ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<Left>,
    /// When a new shim took it over, oldest first: before that nobody saw what was sent to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taken_over: Vec<Wall>,
    /// What followed: `restarted`, `waiting`, `tripped`, … as a sentence.
    #[serde(default)]
    pub action: String,
}

impl EndedRun {
    /// How long it lived.
    #[must_use]
    pub fn ran(&self) -> Option<Duration> {
        self.ran_ms.map(Duration::from_millis)
    }
}
