//! Signs of progress of a run, and what is remembered of them between two looks.
//!
//! A look is taken only where the registry asks for one (`hang_after`, `output_stale`, `heartbeat`, a `memory` limit
//! that the kernel does not keep). Whoever takes it judges nothing: [`crate::policy::progress`] does.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::time::{Stamp, Wall};

/// A file that shows progress, as it was at one look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trace {
    /// There is none.
    #[default]
    None,
    /// It was like this.
    Seen {
        /// Its size.
        bytes: u64,
        /// When it was written last.
        at: Wall,
    },
    /// It could not be asked.
    Unknown,
}

/// A sign that need not be written down.
fn is_unheard(trace: &Trace) -> bool {
    *trace == Trace::None
}

/// All processes of a run, as they were at one look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// When: milliseconds on a clock that stands still while the machine sleeps.
    pub awake_ms: u64,
    /// When, on the wall clock, which files are dated by.
    pub wall: Wall,
    /// The log.
    pub output: Trace,
    /// The heartbeat file.
    pub heartbeat: Trace,
    /// The last `WATCHDOG=1`; none where nobody hears it.
    #[serde(default, skip_serializing_if = "is_unheard")]
    pub watchdog: Trace,
    /// CPU time so far, in milliseconds, with that of children that were waited for; `None`: not known.
    pub cpu_ms: Option<u64>,
    /// Bytes read and written so far, by read and write of any kind of file; `None`: not known.
    pub io_bytes: Option<u64>,
    /// Tells two sets of processes apart.
    pub members: u64,
    /// How many processes there are.
    pub processes: u32,
    /// Memory of all of them together, in bytes; `None`: not known.
    pub memory_bytes: Option<u64>,
    /// A debugger holds one of them.
    pub debugged: bool,
}

/// One look at a run, with what was found out when it seemed hung.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// Which run was looked at.
    pub run: u64,
    /// What was seen.
    pub sample: Sample,
    /// What it is blocked on; `None`: it does not seem hung, or that was told before.
    pub stuck: Option<Stuck>,
    /// Whether `hang_probe` succeeded; `None`: it was not asked, or could not be.
    pub probe: Option<bool>,
}

/// What a run that seems hung is blocked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stuck {
    /// In a sentence.
    pub sentence: String,
    /// Its processes in full, for later.
    pub snapshot: String,
}

/// When each sign of progress was seen last, in milliseconds on the clock of [`Sample::awake_ms`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signs {
    /// Output.
    pub output: u64,
    /// Heartbeat.
    pub heartbeat: u64,
    /// `WATCHDOG=1`.
    #[serde(default)]
    pub watchdog: u64,
    /// CPU time worth the name.
    pub cpu: u64,
    /// Bytes read or written.
    pub io: u64,
}

/// Which silence makes a hang.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Silence {
    /// All signs are silent (`hang_after`).
    #[default]
    All,
    /// There is no output (`output_stale`).
    Output,
    /// There is no heartbeat (`heartbeat`).
    Heartbeat,
    /// It sends no `WATCHDOG=1` (`watchdog`).
    Watchdog,
    /// Its `probe` fails (`probe_failures`).
    Probe,
}

impl Silence {
    /// What is missing, in words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::All => "no output, no heartbeat, no CPU time and no input or output",
            Self::Output => "no output",
            Self::Heartbeat => "no heartbeat",
            Self::Watchdog => "no `WATCHDOG=1`",
            Self::Probe => "no answer to its probe",
        }
    }
}

/// A hang that was called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hang {
    /// When it was called.
    pub since: Stamp,
    /// How long it had been silent then, in seconds.
    pub silent_s: u64,
    /// Which silence it was.
    pub silence: Silence,
}

/// What is remembered of a run between two looks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// The last look.
    pub sample: Sample,
    /// When the run began, in milliseconds on the clock of [`Sample::awake_ms`].
    pub began: u64,
    /// Last signs of progress.
    pub signs: Signs,
    /// CPU time when that was last a sign of progress, in milliseconds.
    pub cpu_from: u64,
    /// When the next look is due.
    pub due: Stamp,
    /// The time from the last look to that one, in milliseconds.
    pub planned_ms: u64,
    /// The hang that goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hang: Option<Hang>,
    /// Hangs of this run so far.
    #[serde(default)]
    pub hangs: u32,
}

/// How far a process is, as it says itself: so many of so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Done.
    pub done: u64,
    /// In all.
    pub total: u64,
}

impl FromStr for Count {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fail = || format!("`{text}` is not done/all, such as `3/10`");
        let (done, total) = text.split_once('/').ok_or_else(fail)?;
        let number = |text: &str| text.trim().parse::<u64>().map_err(|_| fail());
        let count = Self { done: number(done)?, total: number(total)? };
        if count.done <= count.total { Ok(count) } else { Err(format!("`{text}`: more is done than there is")) }
    }
}

/// What was said with a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Beat {
    /// What it is at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// How far it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Count>,
}

impl fmt::Display for Beat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.progress.map(|Count { done, total }| format!("{done} of {total}"));
        let parts: Vec<String> = count.into_iter().chain(self.message.clone()).collect();
        f.write_str(&parts.join(": "))
    }
}
